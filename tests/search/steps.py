"""A "game" whose every move adds a stride: the least that tells the code of two games apart."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import numba
import numpy as np

from trimtab.domains.compiled import GameKernels
from trimtab.protocols import ONGOING, Array, Words
from trimtab.search.compiled import Kernel, Rules, cached, kernel


@cache
def game(stride: int) -> GameKernels[int]:
    @numba.njit
    def legal_mask(state: Words) -> np.uint64:
        return np.uint64(1)

    @numba.njit
    def play(state: Words, action: int, out: Words) -> None:
        out[0] = state[0] + np.uint64(stride)

    @numba.njit
    def result(state: Words) -> float:
        return ONGOING

    @numba.njit
    def observe(state: Words, out: Array) -> None:
        out[0] = state[0]

    encode: Callable[[int], Any] = lambda state: np.array([state], np.uint64)  # noqa: E731
    return GameKernels(
        name="steps",
        num_actions=1,
        words=1,
        max_plies=1_000,
        observation_shape=(1,),
        legal_mask=legal_mask,
        play=play,
        result=result,
        observe=observe,
        encode=encode,
        decode=lambda words: int(words[0]),
    )


def build_walk(rules: Rules) -> Kernel:
    play = rules.play

    # long and called from two places, or the compiler would inline it and need no name for it
    @kernel
    def step(state: Words, moves: int) -> None:
        for _ in range(moves):
            play(state, 0, state)
            for turn in range(1, 30):
                state[0] ^= state[0] << np.uint64(turn)
                state[0] ^= state[0] >> np.uint64(turn + moves)
                state[0] += state[0] // np.uint64(turn + 1)

    def walk(state: Words, moves: int) -> np.uint64:
        step(state, moves)
        step(state, moves + 1)
        return state[0]

    return cached(walk)
