"""The exact value of any Connect Four position, and of each of its moves."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from trimtab.domains.connect_four_board import COLUMNS, ConnectFourState
from trimtab.domains.connect_four_exact import exact_scores
from trimtab.errors import ConfigError

MAX_SCORE = 18
"""The largest score: a win with one's fourth stone leaves 17 of one's 21 stones."""


class ConnectFourSolver:
    """Alpha-beta search with a transposition table that is kept from call to call.

    A score is the number of stones that the winner has left when the game ends with best play on
    both sides, plus one: positive if the player to move wins, negative if the other does, 0 for a
    draw. A finished game has the score of its end. May be called from several threads: a table
    entry is one word, so a reader sees all of it or none.

    Example:
        >>> from trimtab.domains.connect_four import ConnectFour
        >>> solver = ConnectFourSolver(table_bits=16)
        >>> solver.solve(ConnectFour().from_text("112233"))  # column 4 wins with the fourth stone
        18

    Args:
        table_bits: the table has 2 to the power of it entries of 8 bytes, 10 to 28; 22 (32 MiB)
            was as fast as 24 on positions of 8 stones, 20 took a third longer.

    Raises:
        ConfigError: another number of bits.
    """

    def __init__(self, *, table_bits: int = 22) -> None:
        if not 10 <= table_bits <= 28:
            raise ConfigError(f"table_bits={table_bits!r} is not usable; use 10 to 28")
        self._table = np.zeros(1 << table_bits, np.uint64)
        self._shift = np.uint64(64 - table_bits)
        self._nodes = np.zeros(1, np.int64)

    @property
    def nodes(self) -> int:
        """Return how many positions were visited so far (approximate with several threads)."""
        return int(self._nodes[0])

    def solve(self, state: ConnectFourState) -> int:
        """Return the exact score for the player to move."""
        return int(self.solve_batch([state])[0])

    def outcome(self, state: ConnectFourState) -> int:
        """Return 1, 0 or -1: a win, draw or loss for the player to move; faster than the score."""
        return int(self.solve_batch([state], low=-1, high=1)[0])

    def move_scores(self, state: ConnectFourState) -> tuple[int | None, ...]:
        """Return `[7]` the score of each column for the player to move, None for a full one.

        All are None once the game is over; the largest is the score of the position.
        """
        return self._of_moves(state, low=-MAX_SCORE, high=MAX_SCORE)

    def move_outcomes(self, state: ConnectFourState) -> tuple[int | None, ...]:
        """Return `[7]` 1, 0 or -1 for each column, None for a full one or a finished game."""
        return self._of_moves(state, low=-1, high=1)

    def solve_batch(
        self, states: Sequence[ConnectFourState], *, low: int = -MAX_SCORE, high: int = MAX_SCORE
    ) -> NDArray[np.int64]:
        """Return `[B]` scores, each moved into ``low .. high``; narrow ranges are faster."""
        rows = np.array([(s.mover, s.occupied) for s in states], np.uint64).reshape(-1, 2)
        scores = np.zeros(len(states), np.int64)
        exact_scores(rows, low, high, self._table, self._shift, self._nodes, scores)
        return scores

    def _of_moves(self, state: ConnectFourState, *, low: int, high: int) -> tuple[int | None, ...]:
        columns = [] if state.won else state.open_columns
        children = self.solve_batch([state.drop(column) for column in columns], low=low, high=high)
        scores = {c: -int(score) for c, score in zip(columns, children, strict=True)}
        return tuple(scores.get(column) for column in range(COLUMNS))
