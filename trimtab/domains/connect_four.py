"""Connect Four on the usual board of seven columns and six rows, over bitboards.

Cell (column c, row r from below) is bit ``7 c + r``; bit ``7 c + 6`` stays empty.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from trimtab.domains.compiled import GameKernels
from trimtab.domains.texts import short
from trimtab.errors import IllegalAction, InputError, MissingExtra, TruthUnknown
from trimtab.protocols import Array, Words

COLUMNS = 7
ROWS = 6
START = "start"
_COLUMN = (1 << ROWS) - 1
_BOTTOM_ROW = sum(1 << 7 * column for column in range(COLUMNS))
_FULL = _BOTTOM_ROW * _COLUMN
_WON = 1 << 63


@dataclass(frozen=True, slots=True)
class ConnectFourState:
    """A position: the stones of the player to move, and all occupied cells, as bit masks."""

    mover: int = 0
    occupied: int = 0

    @property
    def stones(self) -> int:
        """Return the number of stones on the board; the first player moves at even numbers."""
        return self.occupied.bit_count()

    @property
    def won(self) -> bool:
        """Return whether the player who just moved has four in a row."""
        return _has_four(self.mover ^ self.occupied)

    def mirror(self) -> ConnectFourState:
        """Return the position seen in a mirror: column c becomes column 6 - c."""
        return ConnectFourState(_mirrored(self.mover), _mirrored(self.occupied))


class ConnectFour:
    """Connect Four; action c drops a stone into column c + 1, counted from the left.

    Truth is the exact result: an answer is right if it does not turn a won position into a drawn
    or lost one, nor a drawn position into a lost one.

    Example:
        >>> game = ConnectFour()
        >>> state = game.from_text("444455")
        >>> game.apply_action(state, 5).stones
        7
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

    def initial_state(self, seed: int) -> ConnectFourState:
        """Return the empty board, whatever the seed."""
        return ConnectFourState()

    def legal_actions(self, state: ConnectFourState) -> Sequence[int]:
        """Return the columns that are not full, none once the game is over."""
        if state.won:
            return []
        return [c for c in range(COLUMNS) if not state.occupied >> (7 * c + ROWS - 1) & 1]

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
        return _dropped(state, column)

    def is_terminal(self, state: ConnectFourState) -> bool:
        """Return whether somebody has won or the board is full."""
        return state.occupied == _FULL or state.won

    def returns(self, state: ConnectFourState) -> tuple[float, ...]:
        """Return 1 for the winner and -1 for the loser, 0 for both after a draw.

        Raises:
            InputError: the game is not over.
        """
        if state.won:
            return (1.0, -1.0) if state.stones % 2 else (-1.0, 1.0)
        if state.occupied != _FULL:
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
        return "".join(str(column + 1) for column in _move_order(state)) or START

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
                raise InputError(
                    f"moves={short(moves)}: move {number} into column {move} is not possible: "
                    f"{error}; end the string before it"
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
        """Return 1 if the move keeps the exact result.

        Raises:
            TruthUnknown: the exact result of the position is not known.
        """
        column = self.index(answer)
        raise TruthUnknown(f"the exact result of column {column + 1} is not known")

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
        mover, opponent = "XO" if state.stones % 2 == 0 else "OX"
        lines = []
        for row in reversed(range(ROWS)):
            cells = (7 * column + row for column in range(COLUMNS))
            lines.append(
                " ".join(
                    "."
                    if not state.occupied >> cell & 1
                    else mover
                    if state.mover >> cell & 1
                    else opponent
                    for cell in cells
                )
            )
        lines.append("1 2 3 4 5 6 7")
        legal = " ".join(str(column + 1) for column in self.legal_actions(state))
        if self.is_terminal(state):
            lines.append(self.outcome_text(state))
        else:
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


def _dropped(state: ConnectFourState, column: int) -> ConnectFourState:
    stone = (state.occupied + (1 << 7 * column)) & (_COLUMN << 7 * column)
    stone &= ~state.occupied
    return ConnectFourState(state.mover ^ state.occupied, state.occupied | stone)


def _has_four(stones: int) -> bool:
    for shift in (1, 6, 7, 8):  # vertical, falling, horizontal, rising
        pairs = stones & stones >> shift
        if pairs & pairs >> 2 * shift:
            return True
    return False


def _mirrored(cells: int) -> int:
    columns = (cells >> 7 * column & _COLUMN for column in range(COLUMNS))
    return sum(bits << 7 * (COLUMNS - 1 - column) for column, bits in enumerate(columns))


def _move_order(state: ConnectFourState) -> list[int]:
    """Return the columns of one legal game that leads to the position.

    The last stone of a won position is one without which there is no four in a row; before it no
    order can contain a win. Stones are then taken back from the columns, highest column first by
    its height: that rarely ends in a dead end, and dead ends are not visited twice.
    """
    last, first = state.mover ^ state.occupied, state.mover
    dead: set[tuple[int, ...]] = set()
    heights = tuple((state.occupied >> 7 * c & _COLUMN).bit_count() for c in range(COLUMNS))
    owners = (first, last)

    def back(heights: tuple[int, ...], left: int, moves: list[int]) -> bool:
        if left == 0:
            return True
        if heights in dead:
            return False
        # the parity of what is left tells who placed the stone that is taken back
        stones = owners[(state.stones - left + 1) % 2]
        for column in sorted(range(COLUMNS), key=lambda c: -heights[c]):
            top = 7 * column + heights[column] - 1
            if (
                heights[column]
                and stones >> top & 1
                and not (left == state.stones and _has_four(last & ~(1 << top)))
            ):
                moves.append(column)
                lower = (*heights[:column], heights[column] - 1, *heights[column + 1 :])
                if back(lower, left - 1, moves):
                    return True
                moves.pop()
        dead.add(heights)
        return False

    moves: list[int] = []
    grounded = sum(((1 << height) - 1) << 7 * c for c, height in enumerate(heights))
    possible = state.occupied == grounded and not _has_four(first)
    if not possible or state.mover & ~state.occupied or not back(heights, state.stones, moves):
        raise InputError(
            f"mover={state.mover:#x}, occupied={state.occupied:#x}: no legal game leads to this "
            f"position; make positions with from_text and apply_action"
        )
    return moves[::-1]
