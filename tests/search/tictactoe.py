"""Tic-tac-toe, plain and compiled: small enough that every value can be checked by hand."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numba
import numpy as np

from trimtab.domains.compiled import GameKernels
from trimtab.errors import IllegalAction
from trimtab.protocols import ONGOING, Array, Words

LINES = (0o007, 0o070, 0o700, 0o111, 0o222, 0o444, 0o421, 0o124)
_LINES = np.array(LINES, np.uint64)
_FULL = np.uint64(0o777)


@dataclass(frozen=True, slots=True)
class Board:
    mover: int = 0
    other: int = 0


@numba.njit(cache=True)
def _lost(state: Words) -> bool:
    for line in _LINES:  # noqa: SIM110 - numba has no generator expressions
        if state[1] & line == line:
            return True
    return False


@numba.njit(cache=True)
def _legal_mask(state: Words) -> np.uint64:
    return np.uint64(0) if _lost(state) else ~(state[0] | state[1]) & _FULL


@numba.njit(cache=True)
def _play(state: Words, action: int, out: Words) -> None:
    mover = state[0] | (np.uint64(1) << np.uint64(action))
    out[0] = state[1]
    out[1] = mover


@numba.njit(cache=True)
def _result(state: Words) -> float:
    if _lost(state):
        return -1.0
    return 0.0 if state[0] | state[1] == _FULL else ONGOING


@numba.njit(cache=True)
def _observe(state: Words, out: Array) -> None:
    for cell in range(9):
        out[0, cell] = (state[0] >> np.uint64(cell)) & np.uint64(1)
        out[1, cell] = (state[1] >> np.uint64(cell)) & np.uint64(1)


class TicTacToe:
    """The domain methods that search asks for."""

    name = "tic_tac_toe"
    num_actions = 9

    def initial_state(self, seed: int) -> Board:
        return Board()

    def legal_actions(self, state: Board) -> Sequence[int]:
        taken = state.mover | state.other
        return [] if _wins(state.other) else [a for a in range(9) if not taken >> a & 1]

    def apply_action(self, state: Board, action: int) -> Board:
        if action not in self.legal_actions(state):
            raise IllegalAction(f"cell {action}; legal: {self.legal_actions(state)}")
        return Board(state.other, state.mover | 1 << action)

    def is_terminal(self, state: Board) -> bool:
        return not self.legal_actions(state)

    def returns(self, state: Board) -> tuple[float, ...]:
        if not _wins(state.other):
            return (0.0, 0.0)
        first_moves = (state.mover | state.other).bit_count() % 2 == 0
        return (-1.0, 1.0) if first_moves else (1.0, -1.0)

    def after(self, cells: Sequence[int]) -> Board:
        state = Board()
        for cell in cells:
            state = self.apply_action(state, cell)
        return state

    @property
    def compiled(self) -> GameKernels[Board]:
        return GameKernels(
            name=self.name,
            num_actions=9,
            words=2,
            max_plies=9,
            observation_shape=(2, 9),
            legal_mask=_legal_mask,
            play=_play,
            result=_result,
            observe=_observe,
            encode=lambda state: np.array([state.mover, state.other], np.uint64),
            decode=lambda words: Board(int(words[0]), int(words[1])),
        )


def _wins(stones: int) -> bool:
    return any(stones & line == line for line in LINES)
