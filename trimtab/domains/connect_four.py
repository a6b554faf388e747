"""Connect Four on the usual board of seven columns and six rows, over bitboards."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from trimtab.domains.compiled import GameKernels
from trimtab.domains.connect_four_board import (
    COLUMNS,
    ROWS,
    ConnectFourState,
    move_order,
    rows_text,
)
from trimtab.domains.texts import short
from trimtab.errors import ConfigError, IllegalAction, InputError, MissingExtra, TruthUnknown
from trimtab.protocols import Array, Words

if TYPE_CHECKING:
    from trimtab.domains.connect_four_solver import ConnectFourSolver

__all__ = ["ConnectFour", "ConnectFourState"]

START = "start"
_WON = 1 << 63


class ConnectFour:
    """Connect Four; action c drops a stone into column c + 1, counted from the left.

    Truth is the exact result: an answer is right if it does not turn a won position into a drawn
    or lost one, nor a drawn position into a lost one.

    Example:
        >>> game = ConnectFour()
        >>> state = game.from_text("444455")
        >>> game.apply_action(state, 5).stones
        7

    Args:
        min_truth_stones: with fewer stones on the board ``check`` raises ``TruthUnknown``. From 8
            on, two searches took 1 s in the mean and 12 s at most over random positions; each two
            stones less take about four times as long.

    Raises:
        ConfigError: it is not a number of stones, 0 to 42.
    """

    name = "connect_four"
    num_actions = COLUMNS
    instructions = (
        "Connect Four: the board has 7 columns and 6 rows. The two players take turns to drop a "
        "stone into a column that is not full; it falls to the lowest free cell. The first to "
        "have four stones in a row, horizontally, vertically or diagonally, wins; a full board "
        "without one is a draw.\n"
        "A position is written as the columns played so far, 1 (left) to 7 (right), first player "
        "first; start is the empty board.\n"
        "Answer with the number of the column in which the player to move should play, 1 to 7."
    )

    def __init__(self, *, min_truth_stones: int = 8) -> None:
        if not 0 <= min_truth_stones <= COLUMNS * ROWS:
            raise ConfigError(
                f"min_truth_stones={min_truth_stones!r} is no number of stones; use 0 to 42"
            )
        self.min_truth_stones = min_truth_stones

    def initial_state(self, seed: int) -> ConnectFourState:
        """Return the empty board, whatever the seed."""
        return ConnectFourState()

    def legal_actions(self, state: ConnectFourState) -> Sequence[int]:
        """Return the columns that are not full, none once the game is over."""
        return [] if state.won else state.open_columns

    def apply_action(self, state: ConnectFourState, action: int) -> ConnectFourState:
        """Return the position after a stone in column ``action``.

        Raises:
            IllegalAction: the game is over, the column is full, or there is no such column.
        """
        column = _column(action) if not isinstance(action, str) else None
        if column is None:
            raise IllegalAction(
                f"action {short(action)} is no column index; legal: {self.legal_actions(state)}"
            )
        if self.is_terminal(state):
            raise IllegalAction(f"the game is over: {self.outcome_text(state)}; legal: []")
        if state.occupied >> (7 * column + ROWS - 1) & 1:
            raise IllegalAction(f"column {column} is full; legal: {self.legal_actions(state)}")
        return state.drop(column)

    def is_terminal(self, state: ConnectFourState) -> bool:
        """Return whether somebody has won or the board is full."""
        return state.is_full or state.won

    def returns(self, state: ConnectFourState) -> tuple[float, ...]:
        """Return 1 for the winner and -1 for the loser, 0 for both after a draw.

        Raises:
            InputError: the game is not over.
        """
        if state.won:
            return (1.0, -1.0) if state.stones % 2 else (-1.0, 1.0)
        if not state.is_full:
            raise InputError("the game is not over yet; play on until is_terminal")
        return (0.0, 0.0)

    def observation(self, state: ConnectFourState) -> Array:
        """Return `[2, 6, 7]`: the mover's stones, then the opponent's; row 0 is the top row."""
        planes = np.zeros((2, ROWS, COLUMNS), np.float32)
        for plane, stones in enumerate((state.mover, state.mover ^ state.occupied)):
            for row in range(ROWS):
                for column in range(COLUMNS):
                    planes[plane, row, column] = stones >> (7 * column + ROWS - 1 - row) & 1
        return planes

    def to_text(self, state: ConnectFourState) -> str:
        """Return one move string that leads to the position, ``start`` for the empty board.

        A position has one text, however it was reached: which of its move orders it is depends
        on the stones alone.

        Raises:
            InputError: no legal game leads to the position.
        """
        return "".join(str(column + 1) for column in move_order(state)) or START

    def from_text(self, text: str) -> ConnectFourState:
        """Return the position after the moves, digits 1 to 7; ``start`` is the empty board.

        Raises:
            InputError: empty, another character, a move into a full column, or a move after the
                end of the game; the message names the move.
        """
        if not isinstance(text, str) or not text.strip():
            raise InputError(
                f"moves={short(text)} is empty; write the columns played as digits 1 to 7, or "
                f"{START} for the empty board"
            )
        moves = text.strip()
        state = ConnectFourState()
        if moves == START:
            return state
        for number, move in enumerate(moves, start=1):
            if move not in "1234567":
                raise InputError(
                    f"moves={short(moves)}: move {number} is {move!r}; write columns as digits 1 "
                    f"to 7, or {START} for the empty board"
                )
            try:
                state = self.apply_action(state, int(move) - 1)
            except IllegalAction as error:
                # its own words count columns from 0, a move string from 1
                legal = " ".join(str(column + 1) for column in self.legal_actions(state))
                why = (
                    f"the column is full; open: {legal}"
                    if legal
                    else f"the game is over: {self.outcome_text(state)}"
                )
                raise InputError(
                    f"moves={short(moves)}: move {number} into column {move} is not possible: "
                    f"{why}; end the string before it"
                ) from error
        return state

    def canonical(self, answer: int | str) -> str:
        """Return the column's number, ``1`` to ``7``, of an action (0 to 6) or of that number.

        Raises:
            IllegalAction: there is no such column.
        """
        return str(self.index(answer) + 1)

    def index(self, answer: int | str) -> int:
        """Return the action of an answer: an index from 0, or a column number as text from 1.

        Raises:
            IllegalAction: there is no such column.
        """
        column = _column(answer)
        if column is None:
            raise IllegalAction(
                f"answer {short(answer)} is no column; legal: the indices 0..6, or one of "
                f"['1', '2', '3', '4', '5', '6', '7']"
            )
        return column

    def check(self, state: ConnectFourState, answer: int | str) -> float:
        """Return 1 if the move keeps the exact result of the position, else 0.

        Raises:
            IllegalAction: the answer is no column, or it cannot be played.
            TruthUnknown: fewer than ``min_truth_stones`` stones: solving could take minutes.
            MissingExtra: numba is not installed.
        """
        child = self.apply_action(state, self.index(answer))
        if state.stones < self.min_truth_stones:
            raise TruthUnknown(
                f"{state.stones} stones on the board; the result is solved from "
                f"{self.min_truth_stones} on (ConnectFour(min_truth_stones=...))"
            )
        return 1.0 if -self.solver.outcome(child) == self.solver.outcome(state) else 0.0

    @cached_property
    def solver(self) -> ConnectFourSolver:
        """Return the exact solver, made at the first use.

        Raises:
            MissingExtra: numba is not installed.
        """
        try:
            from trimtab.domains.connect_four_solver import ConnectFourSolver
        except ModuleNotFoundError as error:
            raise MissingExtra("numba", "search") from error
        return ConnectFourSolver()

    def board_text(self, state: ConnectFourState) -> str:
        """Return the board as lines, X for the first player, with whose turn it is.

        >>> game = ConnectFour()
        >>> print(game.board_text(game.from_text("445")))
        . . . . . . .
        . . . . . . .
        . . . . . . .
        . . . . . . .
        . . . O . . .
        . . . X X . .
        1 2 3 4 5 6 7
        O to move; legal columns: 1 2 3 4 5 6 7
        """
        lines = [*rows_text(state), "1 2 3 4 5 6 7"]
        if self.is_terminal(state):
            lines.append(self.outcome_text(state))
        else:
            legal = " ".join(str(column + 1) for column in state.open_columns)
            mover = "O" if state.stones % 2 else "X"
            lines.append(f"{mover} to move; legal columns: {legal}")
        return "\n".join(lines)

    def outcome_text(self, state: ConnectFourState) -> str:
        """Return who has won a finished game, in words."""
        if not state.won:
            return "draw"
        return "X has won" if state.stones % 2 else "O has won"

    @cached_property
    def compiled(self) -> GameKernels[ConnectFourState]:
        """Return the rules for compiled search (``trimtab.protocols.CompiledGame``).

        Raises:
            MissingExtra: numba is not installed.
        """
        try:
            from trimtab.domains import connect_four_kernels as kernels
        except ModuleNotFoundError as error:
            raise MissingExtra("numba", "search") from error
        return GameKernels(
            name=self.name,
            num_actions=COLUMNS,
            words=2,
            max_plies=COLUMNS * ROWS,
            observation_shape=(2, ROWS, COLUMNS),
            legal_mask=kernels.legal_mask,
            play=kernels.play,
            result=kernels.result,
            observe=kernels.observe,
            encode=_encode,
            decode=_decode,
        )

    def __repr__(self) -> str:
        return "ConnectFour()"


def _encode(state: ConnectFourState) -> Words:
    flag = _WON if state.won else 0
    return np.array([state.mover, state.occupied | flag], np.uint64)


def _decode(words: Words) -> ConnectFourState:
    return ConnectFourState(int(words[0]), int(words[1]) & ~_WON)


def _column(answer: object) -> int | None:
    if isinstance(answer, str):
        return int(answer) - 1 if len(answer) == 1 and answer in "1234567" else None
    if isinstance(answer, bool) or not isinstance(answer, int | np.integer):
        return None
    return int(answer) if 0 <= answer < COLUMNS else None
