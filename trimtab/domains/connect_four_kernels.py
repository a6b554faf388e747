"""The rules of Connect Four as compiled functions over two words.

Cell (column c, row r from below) is bit ``7 c + r``; the seventh row stays empty, so that shifts
never carry a line over a column's end. Word 0 holds the stones of the player to move, word 1 the
occupied cells and, in its highest bit, whether the player who just moved has won: the bit is set
once, by ``play``, and spares both ``legal_mask`` and ``result`` the search for four in a row.
"""

from __future__ import annotations

import numba
import numpy as np

from trimtab.protocols import ONGOING, Array, Words

COLUMNS = 7
ROWS = 6
WON = np.uint64(1 << 63)
CELLS = np.uint64((1 << 63) - 1)
ONE_COLUMN = np.uint64((1 << ROWS) - 1)
BOTTOM_ROW = np.uint64(sum(1 << 7 * column for column in range(COLUMNS)))
FULL_BOARD = np.uint64(int(BOTTOM_ROW) * int(ONE_COLUMN))
# Multiplying bits 0, 7 … 42 by this brings them side by side to bits 36 … 42: term j moves bit
# 7 c to 7 c + 36 - 6 j, which is 36 + c for j = c and outside 36 … 42 for every other j.
_GATHER = np.uint64(sum(1 << 36 - 6 * column for column in range(COLUMNS)))


@numba.njit(cache=True, forceinline=True)
def has_four(stones: np.uint64) -> bool:
    """Return whether four of the stones stand in a row."""
    pairs = stones & (stones >> np.uint64(1))
    four = pairs & (pairs >> np.uint64(2))
    pairs = stones & (stones >> np.uint64(6))
    four |= pairs & (pairs >> np.uint64(12))
    pairs = stones & (stones >> np.uint64(7))
    four |= pairs & (pairs >> np.uint64(14))
    pairs = stones & (stones >> np.uint64(8))
    four |= pairs & (pairs >> np.uint64(16))
    return bool(four)


@numba.njit(cache=True, forceinline=True)
def legal_mask(state: Words) -> np.uint64:
    """Return bit c for each column c that is not full; 0 after a win."""
    occupied = state[1]
    free = ~(occupied >> np.uint64(ROWS - 1)) & BOTTOM_ROW
    columns = ((free * _GATHER) >> np.uint64(36)) & np.uint64(0x7F)
    return columns if occupied < WON else np.uint64(0)


@numba.njit(cache=True, forceinline=True)
def play(state: Words, action: int, out: Words) -> None:
    """Write the state after a stone in a column that is not full; ``out`` may be ``state``."""
    mover = state[0]
    occupied = state[1]
    # adding the bottom cell carries through the stones of the column into its first free cell
    bottom = np.uint64(1) << np.uint64(7 * action)
    stone = (occupied + bottom) & ~occupied & (ONE_COLUMN << np.uint64(7 * action))
    out[0] = mover ^ occupied
    out[1] = occupied | stone | (WON if has_four(mover | stone) else np.uint64(0))


@numba.njit(cache=True, forceinline=True)
def result(state: Words) -> float:
    """Return -1 after a win of the player who just moved, 0 on a full board, else ONGOING."""
    occupied = state[1]
    if occupied >= WON:
        return -1.0
    return 0.0 if occupied == FULL_BOARD else ONGOING


@numba.njit(cache=True)
def observe(state: Words, out: Array) -> None:
    """Fill `[2, 6, 7]`: the mover's stones, then the opponent's; row 0 is the top row."""
    mover = state[0]
    opponent = state[0] ^ (state[1] & CELLS)
    for row in range(ROWS):
        for column in range(COLUMNS):
            cell = np.uint64(7 * column + ROWS - 1 - row)
            out[0, row, column] = np.float32((mover >> cell) & np.uint64(1))
            out[1, row, column] = np.float32((opponent >> cell) & np.uint64(1))
