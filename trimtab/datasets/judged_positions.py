"""Scored Connect Four positions with what is exactly known of each of their moves.

N is the number of positions, A the number of columns.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from trimtab.datasets.positions import ScoredPosition
from trimtab.datasets.solved_positions import SolvedPositions
from trimtab.domains.connect_four import ConnectFour
from trimtab.domains.connect_four_board import COLUMNS
from trimtab.domains.connect_four_solver import MAX_SCORE, ConnectFourSolver
from trimtab.errors import InputError

_PROBED = 20
"""Positions solved before the time of the rest is said."""


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgedPositions:
    """Positions, which of their moves keep the result, and which are best.

    Attributes:
        solved: the positions and the moves that keep the win or draw.
        best: `[N, A]` whether a move keeps the exact score: no win is sooner, no loss later.
    """

    solved: SolvedPositions
    best: NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.solved)


def judged_positions(
    positions: Sequence[ScoredPosition], *, progress: Callable[[str], None] = lambda line: None
) -> JudgedPositions:
    """Return what is known of every move, by the file's move scores or by our solver.

    Where a file has no move scores, the position's score is taken as exact, and each child is
    solved only as far as to tell whether its move keeps it, and whether it keeps the result.

    Args:
        positions: of one file.
        progress: told how many positions are to be solved, and after the first ones how long the
            rest may take.

    Raises:
        InputError: a score from which moves are to be judged is wrong.
    """
    encode = ConnectFour().compiled.encode
    keeps = np.zeros((len(positions), COLUMNS), np.bool_)
    best, legal = keeps.copy(), keeps.copy()
    unsolved = []
    for n, position in enumerate(positions):
        legal[n, position.state.open_columns] = True
        if position.move_scores is None:
            unsolved.append(n)
            continue
        scores = np.array([np.nan if s is None else s for s in position.move_scores])
        keeps[n] = np.sign(scores) == np.sign(position.score)
        best[n] = scores == position.score
    if unsolved:
        _solve(positions, unsolved, keeps, best, progress)
    rows = np.stack([encode(position.state) for position in positions])
    return JudgedPositions(
        solved=SolvedPositions(rows=rows, keeps=keeps, legal=legal),
        best=best,
    )


def _solve(
    positions: Sequence[ScoredPosition],
    unsolved: list[int],
    keeps: NDArray[np.bool_],
    best: NDArray[np.bool_],
    progress: Callable[[str], None],
) -> None:
    """Fill the rows of positions without move scores."""
    solver = ConnectFourSolver()
    # the first call compiles
    solver.solve(ConnectFour().from_text("112233"))
    progress(f"solving the moves of {len(unsolved)} positions")
    # evenly spread, so that they are like the rest
    ahead = unsolved[:: max(1, len(unsolved) // _PROBED)]
    started = time.perf_counter()
    for count, n in enumerate([*ahead, *sorted(set(unsolved) - set(ahead))], start=1):
        keeps[n], best[n] = _judged(solver, positions[n])
        if count == len(ahead) and count < len(unsolved):
            each_s = (time.perf_counter() - started) / count
            progress(f"about {each_s * (len(unsolved) - count):.0f} s to go at most")


def _judged(solver: ConnectFourSolver, position: ScoredPosition) -> tuple[list[bool], list[bool]]:
    score = position.score
    low, high = max(score - 1, -MAX_SCORE), min(score + 1, MAX_SCORE)
    if solver.solve_batch([position.state], low=low, high=high)[0] != score:
        raise InputError(
            f"moves={position.moves!r}: score={score} is not exact, it is "
            f"{solver.solve(position.state)}; correct it"
        )
    columns = position.state.open_columns
    children = [position.state.drop(column) for column in columns]
    # a child's score is at least the negative of its parent's; equality is all that is asked
    keeps, best = [False] * COLUMNS, [False] * COLUMNS
    exact = solver.solve_batch(children, low=-score, high=1 - score)
    if score > 0:
        kept = solver.solve_batch(children, low=-1, high=0) < 0
    else:
        # a draw is kept by its best moves, and a lost position has nothing to lose
        kept = exact == -score if score == 0 else np.ones(len(children), np.bool_)
    for index, column in enumerate(columns):
        keeps[column] = bool(kept[index])
        best[column] = bool(exact[index] == -score)
    return keeps, best
