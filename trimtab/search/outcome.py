"""What a search found: the move, the counts behind it, and the policy target.

T is the number of trees, A the number of actions.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, fields
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from trimtab.protocols import ONGOING
from trimtab.search.config import FinalMove
from trimtab.search.forest import Floats, Ints
from trimtab.search.selection import secure_bound

LOSS = -1.0


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
    _lines: tuple[Callable[[], list[Step]], ...] = field(repr=False, compare=False)

    def principal_variation(self, tree: int) -> list[Step]:
        """Return the line of a tree: the move, then the most visited replies as far as it goes."""
        return self._lines[tree]()


def stacked(results: list[SearchResult]) -> SearchResult:
    """Return the results of several searches as one."""
    joined = {
        part.name: np.concatenate([getattr(result, part.name) for result in results])
        for part in fields(SearchResult)
        if part.name != "_lines"
    }
    return SearchResult(**joined, _lines=tuple(line for r in results for line in r._lines))


class Edges(NamedTuple):
    """The actions of one node, or of several.

    Attributes:
        visits: `[..., A]`, 0 where never tried.
        values: `[..., A]` means, exact where proven, 0 where never tried.
        exact: `[..., A]` exact values, or ONGOING.
        children: `[..., A]` node below, or -1.
        proven: `[...]` exact value of the node, or ONGOING.
    """

    visits: Ints
    values: Floats
    exact: Floats
    children: Ints
    proven: Floats

    def kept_visits(self) -> Ints:
        """Return the visits, 0 for what a proven result rules out."""
        value = self.proven[..., None]
        allowed = np.where(value == ONGOING, self.exact != LOSS, self.exact == value)
        kept = np.where(allowed, self.visits, 0)
        # where all that was tried so far is lost, something lost has to be played
        visits: Ints = np.where(kept.any(axis=-1, keepdims=True), kept, self.visits)
        return visits


def line(edges: Callable[[int], Edges], action: int) -> list[Step]:
    """Return the steps from node 0 by an action, then by the most visited actions."""
    steps: list[Step] = []
    at = edges(0)
    while True:
        steps.append(Step(action, int(at.visits[action]), float(at.values[action])))
        child = int(at.children[action])
        if child < 0:
            return steps
        at = edges(child)
        if not at.visits.any():
            return steps
        action = int(at.kept_visits().argmax())


def chosen(visits: Ints, q: Floats, tie_break: Floats, rule: FinalMove) -> NDArray[np.int64]:
    """Return `[T]` moves by a rule of ``MCTSConfig.final_move``, among those with visits.

    Ties go to the larger ``tie_break``, then to the lower action.
    """
    first: Floats = visits.astype(np.float64)
    if rule == "value":
        first = q
    elif rule == "secure":
        first = secure_bound(q, np.maximum(visits, 1))
    tied = visits > 0
    for key in (first, q, tie_break) if rule == "robust" else (first, tie_break):
        left = np.where(tied, key, -np.inf)
        tied = left == left.max(axis=1, keepdims=True)
    moves: NDArray[np.int64] = tied.argmax(axis=1)
    return moves
