"""Random playouts, compiled, and the generator that draws their moves.

The generator is SplitMix64 (Steele, Lea & Flood 2014, "Fast splittable pseudorandom number
generators", figure 17): its state is a counter, so that two draws do not wait for each other.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import types
from numba.extending import intrinsic

from trimtab.protocols import Words
from trimtab.search.compiled import Kernel, Rules, kernel

GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_MIX_1 = np.uint64(0xBF58476D1CE4E5B9)
_MIX_2 = np.uint64(0x94D049BB133111EB)
ONE = np.uint64(1)
ZERO = np.uint64(0)
_BYTE = np.uint64(255)
_EIGHT = np.uint64(8)
_HALF = np.uint64(32)
# [byte, k]: the place of the k-th set bit of a byte; [byte, 8]: how many there are
_PLACES = np.zeros((256, 9), np.uint8)
for _byte in range(256):
    _set = [_place for _place in range(8) if _byte >> _place & 1]
    _PLACES[_byte, : len(_set)] = _set
    _PLACES[_byte, 8] = len(_set)


@intrinsic
def _popcount(typing: Any, mask: Any) -> Any:  # noqa: ANN401 - numba's own protocol
    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:  # noqa: ANN401
        return builder.ctpop(arguments[0])

    return types.uint64(types.uint64), generate


@kernel
def bit_count(mask: np.uint64) -> np.uint64:
    """Return the number of set bits."""
    counted: np.uint64 = _popcount(mask)  # type: ignore[call-arg]  # numba adds the first one
    return counted


@kernel
def mixed(counter: np.uint64) -> np.uint64:
    """Return the random number that belongs to a counter; the next counter is ``+ GOLDEN``."""
    z = (counter ^ (counter >> np.uint64(30))) * _MIX_1
    z = (z ^ (z >> np.uint64(27))) * _MIX_2
    return z ^ (z >> np.uint64(31))


@kernel
def draw_bit(mask: np.uint64, counter: np.uint64) -> int:
    """Return the place of a set bit, drawn evenly (to 2^-32); the mask must not be 0."""
    k = ((mixed(counter) >> _HALF) * bit_count(mask)) >> _HALF
    place = 0
    while k >= _PLACES[mask & _BYTE, 8]:
        k -= np.uint64(_PLACES[mask & _BYTE, 8])
        mask >>= _EIGHT
        place += 8
    return place + int(_PLACES[mask & _BYTE, k])


def build_playout(rules: Rules) -> Kernel:
    """Return ``playout(words, counter)``, which plays random moves from ``words`` to the end.

    ``words`` is overwritten. It returns the value for the player who was to move, and the next
    counter.
    """
    legal_mask, play, result = rules

    @kernel
    def playout(words: Words, counter: np.uint64) -> tuple[float, np.uint64]:
        sign = 1.0
        mask = legal_mask(words)
        while mask != ZERO:
            counter += GOLDEN
            play(words, draw_bit(mask, counter), words)
            sign = -sign
            mask = legal_mask(words)
        return sign * result(words), counter

    return playout


def build_recorded_playout(rules: Rules) -> Kernel:
    """Return a playout that also returns the masks of what the mover and the opponent played."""
    legal_mask, play, result = rules

    @kernel
    def playout(words: Words, counter: np.uint64) -> tuple[float, np.uint64, np.uint64, np.uint64]:
        sign, mine, theirs = 1.0, ZERO, ZERO
        mask = legal_mask(words)
        while mask != ZERO:
            counter += GOLDEN
            action = draw_bit(mask, counter)
            play(words, action, words)
            mine |= ONE << np.uint64(action)
            mine, theirs = theirs, mine
            sign = -sign
            mask = legal_mask(words)
        if sign < 0.0:
            mine, theirs = theirs, mine
        return sign * result(words), counter, mine, theirs

    return playout
