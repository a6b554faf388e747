"""The rules of Hex as compiled functions over three words, one set of functions a board size.

Cell (row r, column c) is bit ``size r + c``. Words 0 and 1 hold the stones of the first and the
second player, word 2 who is to move (bit 0, set for the second player) and whether the player who
just moved has won (bit 1). Only that player can have: ``play`` floods the group of the new stone.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numba
import numpy as np

from trimtab.protocols import ONGOING, Array, Words

SECOND = np.uint64(1)
WON = np.uint64(2)


@dataclass(frozen=True, slots=True)
class HexRules:
    """The compiled functions of one board size."""

    legal_mask: Callable[[Words], np.uint64]
    play: Callable[[Words, int, Words], None]
    result: Callable[[Words], float]
    observe: Callable[[Words, Array], None]


@numba.njit(cache=True)
def group_of(seed: np.uint64, stones: np.uint64, size: int) -> np.uint64:
    """Return the stones that are connected with ``seed`` over any of the six neighbours."""
    n = np.uint64(size)
    one = np.uint64(1)
    left = np.uint64(0)
    for row in range(size):
        left |= one << np.uint64(row * size)
    not_left = ~left
    not_right = ~(left << (n - one))
    group = seed
    while True:
        rightward = ((group << one) | (group >> (n - one))) & not_left
        leftward = ((group >> one) | (group << (n - one))) & not_right
        grown = group | ((rightward | leftward | (group << n) | (group >> n)) & stones)
        if grown == group:
            return group
        group = grown


@numba.njit(cache=True)
def joins(group: np.uint64, size: int, second: bool) -> bool:
    """Return whether a group touches both sides of its player."""
    one = np.uint64(1)
    first_side = np.uint64(0)
    for step in range(size):
        first_side |= one << np.uint64(step * size if second else step)
    last_side = first_side << np.uint64(size - 1 if second else size * (size - 1))
    return bool(group & first_side) and bool(group & last_side)


def hex_rules(size: int) -> HexRules:
    """Return the compiled functions for boards of ``size`` by ``size``, 2 to 8.

    They are not kept on disk: numba names machine code by function and a number per process, and
    two sizes can get one name when one of them is loaded.
    """
    full = np.uint64((1 << size * size) - 1)

    @numba.njit()
    def legal_mask(state: Words) -> np.uint64:
        free = full & ~(state[0] | state[1])
        return np.uint64(0) if state[2] & WON else free

    @numba.njit()
    def play(state: Words, action: int, out: Words) -> None:
        second = state[2] & SECOND
        stone = np.uint64(1) << np.uint64(action)
        first_stones = state[0]
        second_stones = state[1]
        if second:
            second_stones |= stone
            group = group_of(stone, second_stones, size)
        else:
            first_stones |= stone
            group = group_of(stone, first_stones, size)
        out[0] = first_stones
        out[1] = second_stones
        out[2] = second ^ SECOND
        if joins(group, size, second != np.uint64(0)):
            out[2] |= WON

    @numba.njit()
    def result(state: Words) -> float:
        return -1.0 if state[2] & WON else ONGOING

    @numba.njit()
    def observe(state: Words, out: Array) -> None:
        second = state[2] & SECOND
        mover = state[1] if second else state[0]
        opponent = state[0] if second else state[1]
        for cell in range(size * size):
            bit = np.uint64(cell)
            row = cell // size
            column = cell % size
            out[0, row, column] = np.float32((mover >> bit) & np.uint64(1))
            out[1, row, column] = np.float32((opponent >> bit) & np.uint64(1))
            out[2, row, column] = np.float32(np.uint64(1) - second)

    return HexRules(legal_mask, play, result, observe)
