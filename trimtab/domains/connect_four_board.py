"""Positions of Connect Four as bit masks, and how they are drawn.

Cell (column c, row r from below) is bit ``7 c + r``; bit ``7 c + 6`` stays empty.
"""

from __future__ import annotations

from dataclasses import dataclass

from trimtab.errors import InputError

COLUMNS = 7
ROWS = 6
FULL = sum(1 << 7 * column for column in range(COLUMNS)) * ((1 << ROWS) - 1)
_COLUMN = (1 << ROWS) - 1


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

    @property
    def is_full(self) -> bool:
        """Return whether no cell is free."""
        return self.occupied == FULL

    @property
    def open_columns(self) -> list[int]:
        """Return the columns, 0 to 6, that are not full."""
        return [c for c in range(COLUMNS) if not self.occupied >> (7 * c + ROWS - 1) & 1]

    def drop(self, column: int) -> ConnectFourState:
        """Return the position after a stone in a column, 0 to 6, that is not full."""
        stone = (self.occupied + (1 << 7 * column)) & (_COLUMN << 7 * column) & ~self.occupied
        return ConnectFourState(self.mover ^ self.occupied, self.occupied | stone)


def move_order(state: ConnectFourState) -> list[int]:
    """Return the columns of one legal game that leads to the position.

    The last stone of a won position is one without which there is no four in a row; before it no
    order can contain a win. Stones are then taken back from the columns, the highest column first:
    that rarely ends in a dead end, and dead ends are not visited twice.

    Raises:
        InputError: no legal game leads to the position.
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


def rows_text(state: ConnectFourState) -> list[str]:
    """Return the six rows from above, X for the first player's stones, O for the second's."""
    mover, opponent = "XO" if state.stones % 2 == 0 else "OX"
    lines = []
    for row in reversed(range(ROWS)):
        marks = []
        for column in range(COLUMNS):
            cell = 7 * column + row
            owner = mover if state.mover >> cell & 1 else opponent
            marks.append(owner if state.occupied >> cell & 1 else ".")
        lines.append(" ".join(marks))
    return lines


def _has_four(stones: int) -> bool:
    for shift in (1, 6, 7, 8):  # vertical, falling, horizontal, rising
        pairs = stones & stones >> shift
        if pairs & pairs >> 2 * shift:
            return True
    return False


def _mirrored(cells: int) -> int:
    columns = (cells >> 7 * column & _COLUMN for column in range(COLUMNS))
    return sum(bits << 7 * (COLUMNS - 1 - column) for column, bits in enumerate(columns))
