"""Leaf functions for tests: exact arithmetic on the words, the same in every process and batch."""

from __future__ import annotations

import numpy as np

from trimtab.protocols import AnyGame, Array, Words


class Hashed:
    """Priors and values drawn from a hash of the state; ``calls`` counts the batches."""

    def __init__(self, game: AnyGame, scale: float = 0.5) -> None:
        self._game, self._scale, self.calls = game, scale, 0

    def __call__(self, rows: Words) -> tuple[Array, Array]:
        self.calls += 1
        priors = np.zeros((len(rows), self._game.num_actions), np.float32)
        values = np.empty(len(rows), np.float32)
        for i, row in enumerate(rows):
            rng = np.random.default_rng([int(word) for word in row])
            mask = int(self._game.legal_mask(row))
            legal = [a for a in range(self._game.num_actions) if mask >> a & 1]
            priors[i, legal] = rng.dirichlet(np.ones(len(legal)))
            values[i] = self._scale * rng.uniform(-1.0, 1.0)
        return priors, values


class Uniform:
    """Equal priors and the value 0."""

    def __init__(self, game: AnyGame) -> None:
        self._game = game

    def __call__(self, rows: Words) -> tuple[Array, Array]:
        actions = np.arange(self._game.num_actions, dtype=np.uint64)
        masks = np.array([self._game.legal_mask(row) for row in rows], np.uint64)
        legal = ((masks[:, None] >> actions) & np.uint64(1)).astype(np.float32)
        priors: Array = legal / legal.sum(axis=1, keepdims=True)
        return priors, np.zeros(len(rows), np.float32)
