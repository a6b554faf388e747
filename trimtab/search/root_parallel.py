"""Root parallelism: searches of one position that share nothing, in processes, and one vote.

Each task searches its own tree under its own seed; visits and values of the root are added up. It
needs searches that differ: playouts, or noise at the root.

Source: Chaslot, Winands & van den Herik 2008, "Parallel Monte-Carlo tree search", section 3.2.

A is the number of actions.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np

from trimtab.errors import ConfigError
from trimtab.protocols import ONGOING, AnyGame
from trimtab.search.executors import Executor
from trimtab.search.mcts import Evaluator, MCTSConfig, SearchResult, search

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class RootVote:
    """What one or several searches say of a position.

    Attributes:
        action: the move.
        visit_counts: `[A]` simulations per action.
        value_sums: `[A]` mean values times simulations.
        proven: exact value of the position, ONGOING where it is not known.
    """

    action: int
    visit_counts: tuple[int, ...]
    value_sums: tuple[float, ...]
    proven: float


@dataclass(frozen=True, slots=True, kw_only=True)
class RootTask:
    """A search that another process can do.

    Attributes:
        game: compiled rules.
        make_evaluator: of a module's top level; called where the search runs.
        row: `[W]` the position's words.
        config: with noise, or all searches are the same.
        seed: of this search.
    """

    game: AnyGame
    make_evaluator: Callable[[], Evaluator]
    row: tuple[int, ...]
    config: MCTSConfig
    seed: int


def run_root_task(task: RootTask) -> RootVote:
    """Search, and return the vote."""
    rows = np.array([task.row], np.uint64)
    return vote_of(search(task.game, rows, task.make_evaluator(), task.config, [task.seed]))


def vote_of(result: SearchResult) -> RootVote:
    """Return the vote of a result's first tree."""
    visits = result.visit_counts[0]
    return RootVote(
        action=int(result.action[0]),
        visit_counts=tuple(visits.tolist()),
        value_sums=tuple((visits * result.q[0]).tolist()),
        proven=float(result.proven[0]),
    )


def root_parallel(
    executor: Executor,
    function: Callable[[T], RootVote],
    tasks: Sequence[T],
    *,
    timeout_s: float | None = None,
) -> RootVote:
    """Return the sum of the votes of all tasks, the same on every executor.

    The move is that of the first search which knows the exact value of the position; without one
    it is the most visited, ties to the higher value and then to the lower action.

    Args:
        executor: where they run.
        function: :func:`run_root_task` or another of a module's top level.
        tasks: at least one, each with a seed of its own.
        timeout_s: longest wait for the next vote.

    Raises:
        ConfigError: no task.
        WorkerFailed: a task failed.
    """
    if not tasks:
        raise ConfigError("tasks=[]: give at least one search")
    votes = list(executor.map(function, tasks, timeout_s=timeout_s))
    visits = np.sum([vote.visit_counts for vote in votes], axis=0)
    sums = np.sum([vote.value_sums for vote in votes], axis=0)
    means = sums / np.maximum(visits, 1)
    exact = [vote for vote in votes if vote.proven != ONGOING]
    best = int(np.lexsort((-np.arange(len(visits)), means, visits))[-1])
    return RootVote(
        action=exact[0].action if exact else best,
        visit_counts=tuple(visits.tolist()),
        value_sums=tuple(sums.tolist()),
        proven=exact[0].proven if exact else ONGOING,
    )
