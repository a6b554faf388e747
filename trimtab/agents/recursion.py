"""Running a recursive net until it believes its answer: halting, best-step keeping, restarts.

B is the batch, L the cells of a puzzle (or other positions), D the width, V the classes of one.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trimtab.errors import InputError
from trimtab.protocols import Array

Codes = NDArray[np.int64]
Inputs = NDArray[Any]
"""`[B, L]` codes, or `[B, L, E]` embeddings in float32."""
StepFn = Callable[[Inputs, Array, Array], tuple[Array, Array, Array, Array]]
"""(x, y, z `[B, L, D]`) to (y, z, logits `[B, L, V]`, q `[B]`): one supervision step."""

NOISE = 0.3
"""Standard deviation of the noise on z in a restart (PTRM, arXiv 2605.19943)."""
RESTARTS = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Solved:
    """What a net made of a batch of puzzles; S is the number of steps that the longest one took.

    Attributes:
        classes: `[B, L]` the kept answer: that of the step with the largest q.
        q: `[B]` its halting logit.
        entropy: `[B]` the largest entropy of a cell in it, in nats.
        best: `[B]` the step that it came from, 1 for the first.
        steps: `[B]` steps run.
        every: `[S, B, L]` the answer after each step; the last one again once a puzzle halted.
        q_every: `[S, B]` the halting logits; −inf once a puzzle halted.
        entropy_every: `[S, B]` the largest entropies; the last one again once a puzzle halted.
        probs: `[B, L, V]` probabilities of the kept answer's cells.
    """

    classes: Codes
    q: Array
    entropy: Array
    best: Codes
    steps: Codes
    every: Codes
    q_every: Array
    entropy_every: Array
    probs: Array


def solve(
    step: StepFn,
    x: Inputs,
    carry: tuple[Array, Array],
    *,
    most: int,
    halt_at: float = float("inf"),
    noise: float = 0.0,
    rng: np.random.Generator | None = None,
) -> Solved:
    """Return the answers after at most ``most`` steps, keeping each puzzle's step of largest q.

    The last step is never taken for its own sake: HRM loses more than ten points when it runs
    past the depth that it was trained at.

    Args:
        step: the net.
        x: `[B, L]` codes of the puzzles, or `[B, L, E]` embeddings.
        carry: the (y, z) `[D]` each, with which every puzzle begins.
        most: steps at most, at least 1.
        halt_at: a puzzle stops once its q reaches this.
        noise: standard deviation of what is added to z before each step.
        rng: draws the noise; needed if there is any.

    Raises:
        InputError: ``most`` is below 1.
    """
    if most < 1:
        raise InputError(f"most={most} steps; give at least 1")
    batch, length = x.shape[:2]
    y, z = (np.tile(part, (batch, length, 1)).astype(np.float32) for part in carry)
    kept_q = np.full(batch, -np.inf, dtype=np.float32)
    best, steps = np.zeros(batch, dtype=np.int64), np.zeros(batch, dtype=np.int64)
    kept_probs: Array = np.zeros((0, 0, 0), dtype=np.float32)
    every: list[Codes] = []
    q_every: list[Array] = []
    entropy_every: list[Array] = []
    active = np.arange(batch)
    for number in range(1, most + 1):
        if rng is not None and noise:
            z = z + rng.normal(0.0, noise, z.shape).astype(np.float32)
        y, z, logits, q = step(x[active], y, z)
        if number == 1:
            kept_probs = np.zeros((batch, *logits.shape[1:]), dtype=np.float32)
        probs = softmax(logits)
        every.append(every[-1].copy() if every else np.zeros((batch, length), dtype=np.int64))
        every[-1][active] = logits.argmax(-1)
        entropy_every.append(
            entropy_every[-1].copy() if entropy_every else np.zeros(batch, dtype=np.float32)
        )
        entropy_every[-1][active] = largest_entropy(probs)
        q_every.append(np.full(batch, -np.inf, dtype=np.float32))
        q_every[-1][active] = q
        steps[active] = number
        better = q > kept_q[active]
        rows = active[better]
        kept_q[rows], best[rows] = q[better], number
        kept_probs[rows] = probs[better]
        going = q < halt_at
        if not going.any():
            break
        active, y, z = active[going], y[going], z[going]
    return Solved(
        classes=kept_probs.argmax(-1),
        q=kept_q,
        entropy=largest_entropy(kept_probs),
        best=best,
        steps=steps,
        every=np.stack(every),
        q_every=np.stack(q_every),
        entropy_every=np.stack(entropy_every),
        probs=kept_probs,
    )


def best_restart(
    step: StepFn,
    x: Inputs,
    carry: tuple[Array, Array],
    *,
    most: int,
    halt_at: float,
    rng: np.random.Generator,
    restarts: int = RESTARTS,
    noise: float = NOISE,
) -> Solved:
    """Return, for one puzzle, the rollout of largest q among ``restarts``; the first has no noise.

    Source: probabilistic test-time recursion (PTRM, arXiv 2605.19943).

    Args:
        step: the net.
        x: `[1, L]` codes of the puzzle, or `[1, L, E]` embeddings.
        carry: the (y, z) with which every puzzle begins.
        most: steps at most.
        halt_at: a rollout stops once its q reaches this.
        rng: draws the noise.
        restarts: K.
        noise: standard deviation of the noise on z.
    """
    plain = solve(step, x, carry, most=most, halt_at=halt_at)
    noisy = solve(
        step,
        np.repeat(x, max(0, restarts - 1), axis=0),
        carry,
        most=most,
        halt_at=halt_at,
        noise=noise,
        rng=rng,
    )
    winner = int(noisy.q.argmax())
    if plain.q[0] >= noisy.q[winner]:
        return plain
    return Solved(
        classes=noisy.classes[winner : winner + 1],
        q=noisy.q[winner : winner + 1],
        entropy=noisy.entropy[winner : winner + 1],
        best=noisy.best[winner : winner + 1],
        steps=noisy.steps[winner : winner + 1],
        every=noisy.every[:, winner : winner + 1],
        q_every=noisy.q_every[:, winner : winner + 1],
        entropy_every=noisy.entropy_every[:, winner : winner + 1],
        probs=noisy.probs[winner : winner + 1],
    )


def confidence_features(q: Array, entropy: Array) -> NDArray[np.float64]:
    """Return `[N, 2]`: the halting logits, and the largest entropies of a cell.

    Never the change between two steps: it falls while an answer is still wrong.
    """
    return np.stack([q.ravel(), entropy.ravel()], axis=1).astype(np.float64)


def softmax(logits: Array) -> Array:
    """Return probabilities over the last axis."""
    shifted = np.exp(logits - logits.max(axis=-1, keepdims=True))
    probs: Array = shifted / shifted.sum(axis=-1, keepdims=True)
    return probs


def largest_entropy(probs: Array) -> Array:
    """Return `[B]` the entropy in nats of the least sure cell of `[B, L, V]` probabilities."""
    entropy = -(probs * np.log(np.maximum(probs, 1e-12))).sum(axis=-1)
    largest: Array = entropy.max(axis=-1)
    return largest
