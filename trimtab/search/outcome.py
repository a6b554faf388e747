"""What a search found: the move, the counts behind it, and the policy target.

T is the number of trees, A the number of actions.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from trimtab.protocols import ONGOING
from trimtab.search.config import MCTSConfig
from trimtab.search.descent import LOSS, improved_logits, softmax
from trimtab.search.forest import Floats, Forest, Ints
from trimtab.search.forest_kernels import hash_trees
from trimtab.search.selection import secure_bound, tempered


class Step(NamedTuple):
    """A step of a principal variation; the value is for the player who moves in it."""

    action: int
    visits: int
    value: float


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchResult:
    """The result of T searches.

    Attributes:
        action: `[T]` the move.
        visit_counts: `[T, A]` simulations per root action.
        q: `[T, A]` mean value per root action, exact where proven, 0 where never visited.
        value: `[T]` value of the root for the player to move, exact where proven.
        proven: `[T]` exact value of the root, ONGOING where it is not known.
        policy: `[T, A]` policy target, sum 1: shares of visits (among the actions that keep the
            exact value, where it is known), or a Gumbel root's improved policy.
        priors: `[T, A]` priors of the root, noise included.
        simulations: `[T]` simulations done; fewer than the budget where the root was settled.
        tree_hash: `[T]` hash of the whole tree.
    """

    action: NDArray[np.int64]
    visit_counts: Ints
    q: Floats
    value: Floats
    proven: Floats
    policy: Floats
    priors: Floats
    simulations: Ints
    tree_hash: NDArray[np.uint64]
    _forest: Forest = field(repr=False, compare=False)

    def principal_variation(self, tree: int) -> list[Step]:
        """Return the line of a tree: the move, then the most visited replies as far as it goes."""
        steps: list[Step] = []
        node, action = 0, int(self.action[tree])
        while True:
            q = _values(self._forest, tree, node)[action]
            steps.append(Step(action, int(self._forest.edge_visits[tree, node, action]), float(q)))
            node = int(self._forest.children[tree, node, action])
            if node < 0 or not self._forest.edge_visits[tree, node].any():
                return steps
            action = int(_candidates(self._forest, tree, node).argmax())


def summarise(forest: Forest, config: MCTSConfig, seeds: list[int]) -> SearchResult:
    """Return the result of trees that have done at least one simulation each."""
    trees = len(seeds)
    visits = forest.edge_visits[:, 0].copy()
    q = np.stack([_values(forest, t, 0) for t in range(trees)])
    proven = forest.proven[:, 0].copy()
    means = (forest.value[:, 0] + forest.edge_sums[:, 0].sum(axis=1)) / (1.0 + forest.visits[:, 0])
    policy, action = np.empty_like(q), np.empty(trees, np.int64)
    for t, seed in enumerate(seeds):
        policy[t] = _policy(forest, t, config)
        action[t] = _action(forest, t, config, q[t], seed)
    hashes = np.empty(trees, np.uint64)
    hash_trees(forest, hashes)
    return SearchResult(
        action=action,
        visit_counts=visits,
        q=q,
        value=np.where(proven == ONGOING, means, proven),
        proven=proven,
        policy=policy,
        priors=forest.priors[:, 0].copy(),
        simulations=forest.done.copy(),
        tree_hash=hashes,
        _forest=forest,
    )


def _values(forest: Forest, t: int, node: int) -> Floats:
    sums, visits = forest.edge_sums[t, node], forest.edge_visits[t, node]
    exact = forest.edge_proven[t, node]
    values: Floats = np.where(exact == ONGOING, sums / np.maximum(visits, 1), exact)
    return values


def _candidates(forest: Forest, t: int, node: int) -> Ints:
    """Return `[A]` visits, 0 for what a proven result rules out."""
    visits, exact = forest.edge_visits[t, node], forest.edge_proven[t, node]
    value = forest.proven[t, node]
    kept = exact != LOSS if value == ONGOING else exact == value
    allowed: Ints = np.where(kept, visits, 0)
    return allowed if allowed.any() else visits


def _policy(forest: Forest, t: int, config: MCTSConfig) -> Floats:
    visits = _candidates(forest, t, 0)
    if config.root == "gumbel" and forest.proven[t, 0] == ONGOING:
        scores = np.empty(visits.shape[0], np.float64)
        improved_logits(forest, t, 0, float(config.c_visit), float(config.c_scale), scores)
        softmax(scores)
        return scores
    shares: Floats = visits / visits.sum()
    return shares


def _action(forest: Forest, t: int, config: MCTSConfig, q: Floats, seed: int) -> int:
    visits = _candidates(forest, t, 0)
    if config.temperature > 0.0:
        rng = np.random.default_rng((seed, 1))
        return int(rng.choice(visits.shape[0], p=tempered(visits, config.temperature)))
    if config.root == "gumbel":
        scores = np.empty(visits.shape[0], np.float64)
        improved_logits(forest, t, 0, float(config.c_visit), float(config.c_scale), scores)
        second = scores + forest.gumbel[t]
    else:
        second = forest.priors[t, 0]
    seen = visits > 0
    if config.final_move == "value":
        first = q
    elif config.final_move == "secure":
        counts = np.maximum(visits, 1).tolist()
        first = np.array([secure_bound(m, n) for m, n in zip(q.tolist(), counts, strict=True)])
    else:
        first, second = visits.astype(np.float64), q if config.final_move == "robust" else second
    first = np.where(seen, first, -np.inf)
    tied = first == first.max()
    return int(np.where(tied, second, -np.inf).argmax())
