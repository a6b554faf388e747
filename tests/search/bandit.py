"""A bandit of four arms as a compiled game: right with .5, .5, .5 and .7.

After the arm comes a corridor of forced moves, longer than any search of 500 simulations, and at
its end one of ten moves decides: a random playout draws the arm's reward, and no tree gets there.
"""

from __future__ import annotations

import numba
import numpy as np

from trimtab.domains.compiled import GameKernels
from trimtab.protocols import ONGOING, Array, Words

CORRIDOR = 510
WINS = np.array([5, 5, 5, 7])
_PLY = np.uint64(0xFFFF)
_DECIDED = np.uint64(1 << 32)


@numba.njit
def _legal_mask(state: Words) -> np.uint64:
    ply = state[0] & _PLY
    if state[0] >= _DECIDED:
        return np.uint64(0)
    if ply == np.uint64(0):
        return np.uint64(0b1111)
    return np.uint64(0b1 if ply < np.uint64(CORRIDOR) else 0b1111111111)


@numba.njit
def _play(state: Words, action: int, out: Words) -> None:
    ply = state[0] & _PLY
    word = state[0] + np.uint64(1)
    if ply == np.uint64(0):
        word |= np.uint64(action) << np.uint64(16)
    elif ply == np.uint64(CORRIDOR):
        word |= np.uint64(action + 1) << np.uint64(32)
    out[0] = word


@numba.njit
def _result(state: Words) -> float:
    if state[0] < _DECIDED:
        return ONGOING
    arm = np.int64((state[0] >> np.uint64(16)) & np.uint64(3))
    drawn = np.int64(state[0] >> np.uint64(32)) - 1
    first = 1.0 if drawn < WINS[arm] else -1.0
    return first if (state[0] & _PLY) % np.uint64(2) == np.uint64(0) else -first


@numba.njit
def _observe(state: Words, out: Array) -> None:
    out[0] = state[0]


BANDIT: GameKernels[int] = GameKernels(
    name="bandit",
    num_actions=10,
    words=1,
    max_plies=CORRIDOR + 1,
    observation_shape=(1,),
    legal_mask=_legal_mask,
    play=_play,
    result=_result,
    observe=_observe,
    encode=lambda state: np.array([state], np.uint64),
    decode=lambda words: int(words[0]),
)


class Rewards:
    """A leaf function that draws the arm's reward, with equal priors."""

    def __init__(self, seed: int) -> None:
        self._rng = np.random.default_rng(seed)

    def __call__(self, rows: Words) -> tuple[Array, Array]:
        ply = (rows[:, 0] & _PLY).astype(np.int64)
        arm = (rows[:, 0] >> np.uint64(16) & np.uint64(3)).astype(np.int64)
        priors = np.zeros((len(rows), 10), np.float32)
        priors[ply == 0, :4] = 0.25
        priors[ply > 0, 0] = 1.0
        priors[ply == CORRIDOR] = 0.1
        first = np.where(self._rng.random(len(rows)) < WINS[arm] / 10, 1.0, -1.0)
        return priors, np.where(ply % 2 == 0, first, -first).astype(np.float32)
