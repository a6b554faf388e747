"""What a search found: the move, the counts behind it, and the policy target.

T is the number of trees, A the number of actions.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from trimtab.protocols import ONGOING
from trimtab.search.config import FinalMove, MCTSConfig
from trimtab.search.descent import LOSS
from trimtab.search.forest import Floats, Forest, Ints
from trimtab.search.forest_kernels import hash_trees, improved_policies
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
        proven_actions: `[T, A]` exact value per root action, ONGOING where it is not known.
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
    proven_actions: Floats
    policy: Floats
    priors: Floats
    simulations: Ints
    tree_hash: NDArray[np.uint64]
    _forest: Forest = field(repr=False, compare=False)

    def principal_variation(self, tree: int) -> list[Step]:
        """Return the line of a tree: the move, then the most visited replies as far as it goes."""
        nodes, steps = self._forest.nodes[tree], []
        node, action = nodes[0], int(self.action[tree])
        while True:
            value = float(_values(node)[action])
            steps.append(Step(action, int(node["edge_visits"][action]), value))
            child = int(node["children"][action])
            if child < 0 or not nodes[child]["edge_visits"].any():
                return steps
            node = nodes[child]
            action = int(_candidates(node).argmax())


def summarise(forest: Forest, config: MCTSConfig, seeds: list[int]) -> SearchResult:
    """Return the result of trees that have done at least one simulation each."""
    roots = forest.nodes[:, 0]
    q, visits, proven = _values(roots), _candidates(roots), roots["proven"].copy()
    means = (roots["value"] + roots["edge_sums"].sum(axis=1)) / (1.0 + roots["visits"])
    shares = visits / visits.sum(axis=1, keepdims=True)
    tie_break = roots["priors"].copy()
    if config.root == "gumbel":
        improved = np.empty((2, *q.shape), np.float64)
        improved_policies(forest.nodes, float(config.c_visit), float(config.c_scale), improved)
        shares = np.where((proven == ONGOING)[:, None], improved[1], shares)
        tie_break = improved[0] + forest.heads["gumbel"]
    if config.temperature > 0.0:
        action = _drawn(visits, config.temperature, seeds)
    else:
        action = _chosen(visits, q, tie_break, config.final_move)
    hashes = np.empty(len(seeds), np.uint64)
    hash_trees(forest.nodes, forest.heads, hashes)
    return SearchResult(
        action=action,
        visit_counts=roots["edge_visits"].copy(),
        q=q,
        value=np.where(proven == ONGOING, means, proven),
        proven=proven,
        proven_actions=roots["edge_proven"].copy(),
        policy=shares,
        priors=roots["priors"].copy(),
        simulations=forest.heads["done"].copy(),
        tree_hash=hashes,
        _forest=forest,
    )


def _values(nodes: NDArray[np.void]) -> Floats:
    exact = nodes["edge_proven"]
    means = nodes["edge_sums"] / np.maximum(nodes["edge_visits"], 1)
    values: Floats = np.where(exact == ONGOING, means, exact)
    return values


def _candidates(nodes: NDArray[np.void]) -> Ints:
    """Return `[..., A]` visits, 0 for what a proven result rules out."""
    visits, exact, value = nodes["edge_visits"], nodes["edge_proven"], nodes["proven"][..., None]
    kept = np.where(np.where(value == ONGOING, exact != LOSS, exact == value), visits, 0)
    # where all that was tried so far is lost, something lost has to be played
    candidates: Ints = np.where(kept.any(axis=-1, keepdims=True), kept, visits)
    return candidates


def _drawn(visits: Ints, temperature: float, seeds: list[int]) -> NDArray[np.int64]:
    draws = [
        np.random.default_rng((seed, 1)).choice(len(row), p=tempered(row, temperature))
        for row, seed in zip(visits, seeds, strict=True)
    ]
    return np.array(draws, np.int64)


def _chosen(visits: Ints, q: Floats, tie_break: Floats, rule: FinalMove) -> NDArray[np.int64]:
    first: Floats = visits.astype(np.float64)
    if rule == "value":
        first = q
    elif rule == "secure":
        first = secure_bound(q, np.maximum(visits, 1))
    elif rule == "robust":
        tie_break = q
    first = np.where(visits > 0, first, -np.inf)
    tied = first == first.max(axis=1, keepdims=True)
    moves: NDArray[np.int64] = np.where(tied, tie_break, -np.inf).argmax(axis=1)
    return moves
