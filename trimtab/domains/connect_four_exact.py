"""Exact alpha-beta search for Connect Four over bitboards, compiled.

Cells are numbered as in ``connect_four_kernels``. A score is how early the player to move wins with
best play on both sides: the number of stones that player has left then, plus one; negative for a
loss, 0 for a draw.

Source: negamax with null windows after Pearl 1980, "SCOUT: a simple game-searching algorithm with
proven optimal properties"; the order of moves and the filter of losing moves are those that the
rules of the game suggest.
"""

from __future__ import annotations

import numba
import numpy as np
from numpy.typing import NDArray

from trimtab.domains.connect_four_kernels import BOTTOM_ROW, FULL_BOARD, ONE_COLUMN, has_four
from trimtab.protocols import Words

CELL_COUNT = 42
# Entries of the table: key of 49 bits, then 7 bits of bound. An upper bound of score s is stored as
# s + 32, a lower one as s + 96; 0 is an empty entry.
_BOUND_BITS = np.uint64(8)
_BOUND = np.uint64(0xFF)
_HASH = np.uint64(0x9E3779B97F4A7C15)
_UPPER, _LOWER, _SPLIT = 32, 96, 64
Ints = NDArray[np.int64]


@numba.njit(cache=True, forceinline=True)
def winning_cells(stones: np.uint64, occupied: np.uint64) -> np.uint64:
    """Return the free cells, reachable or not, that complete four of the stones in a row."""
    found = (stones << np.uint64(1)) & (stones << np.uint64(2)) & (stones << np.uint64(3))
    for step in (6, 7, 8):
        s = np.uint64(step)
        two_before = (stones << s) & (stones << (s + s))
        two_after = (stones >> s) & (stones >> (s + s))
        found |= two_before & ((stones << (s + s + s)) | (stones >> s))
        found |= two_after & ((stones >> (s + s + s)) | (stones << s))
    return found & FULL_BOARD & ~occupied


@numba.njit(cache=True, forceinline=True)
def playable_cells(occupied: np.uint64) -> np.uint64:
    """Return the lowest free cell of each column that is not full."""
    return (occupied + BOTTOM_ROW) & FULL_BOARD


@numba.njit(cache=True, forceinline=True)
def count(cells: np.uint64) -> int:
    """Return the number of cells, by clearing the lowest until none is left."""
    found = 0
    while cells:
        cells &= cells - np.uint64(1)
        found += 1
    return found


@numba.njit(cache=True, forceinline=True)
def _safe_cells(mover: np.uint64, occupied: np.uint64) -> np.uint64:
    """Return the moves after which the opponent cannot win at once; 0 if there is none."""
    playable = playable_cells(occupied)
    threats = winning_cells(mover ^ occupied, occupied)
    forced = playable & threats
    if forced:
        if forced & (forced - np.uint64(1)):
            return np.uint64(0)
        playable = forced
    # a stone right below a threat lets the opponent fill it
    return playable & ~(threats >> np.uint64(1))


@numba.njit(cache=True)
def _ordered(
    mover: np.uint64, occupied: np.uint64, safe: np.uint64, ply: int, cells: Words, ranks: Ints
) -> int:
    """Write the safe moves of a ply, most new threats first, then nearest to the centre."""
    used = 0
    for step in range(7):
        # from the centre outwards: 3, 2, 4, 1, 5, 0, 6
        column = 3 + (step // 2 if step % 2 == 0 else -(step + 1) // 2)
        cell = safe & (ONE_COLUMN << np.uint64(7 * column))
        if not cell:
            continue
        rank = count(winning_cells(mover | cell, occupied | cell))
        slot = used
        while slot > 0 and ranks[ply, slot - 1] < rank:
            ranks[ply, slot] = ranks[ply, slot - 1]
            cells[ply, slot] = cells[ply, slot - 1]
            slot -= 1
        ranks[ply, slot] = rank
        cells[ply, slot] = cell
        used += 1
    return used


@numba.njit(cache=True)
def _negamax(
    mover: np.uint64,
    occupied: np.uint64,
    ply: int,
    alpha: int,
    beta: int,
    table: Words,
    shift: np.uint64,
    cells: Words,
    ranks: Ints,
    nodes: Ints,
) -> int:
    """Return the score if it lies within the window, else a bound beyond it.

    ``ply`` is the number of stones; the player to move must have no winning move.
    """
    nodes[0] += 1
    safe = _safe_cells(mover, occupied)
    if not safe:
        return -((CELL_COUNT - ply) // 2)
    if ply >= CELL_COUNT - 2:
        return 0
    alpha = max(alpha, -((CELL_COUNT - 2 - ply) // 2))
    beta = min(beta, (CELL_COUNT - 1 - ply) // 2)
    if alpha >= beta:
        return alpha
    key = mover + occupied
    slot = (key * _HASH) >> shift
    entry = table[slot]
    # the empty board has key 0, as an empty entry has
    if entry and entry >> _BOUND_BITS == key:
        bound = int(np.int64(entry & _BOUND))  # signed before it is subtracted from
        if bound >= _SPLIT:
            alpha = max(alpha, bound - _LOWER)
            if alpha >= beta:
                return alpha
        else:
            beta = min(beta, bound - _UPPER)
            if alpha >= beta:
                return beta
    moves = _ordered(mover, occupied, safe, ply, cells, ranks)
    for index in range(moves):
        cell = cells[ply, index]
        score = -_negamax(
            mover ^ occupied,
            occupied | cell,
            ply + 1,
            -beta,
            -alpha,
            table,
            shift,
            cells,
            ranks,
            nodes,
        )
        if score >= beta:
            table[slot] = (key << _BOUND_BITS) | np.uint64(score + _LOWER)
            return score
        alpha = max(alpha, score)
    table[slot] = (key << _BOUND_BITS) | np.uint64(alpha + _UPPER)
    return alpha


@numba.njit(cache=True, nogil=True)
def exact_score(
    mover: np.uint64,
    occupied: np.uint64,
    low: int,
    high: int,
    table: Words,
    shift: np.uint64,
    nodes: Ints,
) -> int:
    """Return the score if it lies in ``low .. high``, else the end of that range next to it.

    Args:
        mover: stones of the player to move.
        occupied: stones of both; a finished game has the score of its end.
        low: lower end of the range asked for.
        high: upper end.
        table: `[2**bits]` transposition table, kept from call to call.
        shift: 64 - bits.
        nodes: `[1]` counter of positions visited, added to.
    """
    ply = count(occupied)
    if has_four(mover ^ occupied):
        return min(high, max(low, (ply + 1) // 2 - CELL_COUNT // 2 - 1))
    if ply == CELL_COUNT:
        return min(high, max(low, 0))
    if playable_cells(occupied) & winning_cells(mover, occupied):
        return min(high, max(low, (CELL_COUNT + 1 - ply) // 2))
    cells = np.zeros((CELL_COUNT, 7), np.uint64)
    ranks = np.zeros((CELL_COUNT, 7), np.int64)
    low = max(low, -((CELL_COUNT - ply) // 2))
    high = max(low, min(high, (CELL_COUNT - 1 - ply) // 2))
    while low < high:
        middle = low + (high - low) // 2
        # near 0 most bounds are found soonest, so the window moves there first
        if middle <= 0 and low // 2 < middle:
            middle = low // 2
        elif middle >= 0 and high // 2 > middle:
            middle = high // 2
        score = _negamax(
            mover, occupied, ply, middle, middle + 1, table, shift, cells, ranks, nodes
        )
        if score <= middle:
            high = max(low, score)
        else:
            low = min(high, score)
    return low


@numba.njit(cache=True, nogil=True)
def exact_scores(
    rows: Words, low: int, high: int, table: Words, shift: np.uint64, nodes: Ints, out: Ints
) -> None:
    """Write the score of each row ``(mover, occupied)`` of `[B, 2]` to ``out`` `[B]`."""
    for index in range(len(rows)):
        out[index] = exact_score(rows[index, 0], rows[index, 1], low, high, table, shift, nodes)
