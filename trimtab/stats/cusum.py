"""Betting CUSUM: an alarm that the mean of a stream has risen above a bound.

For each bet b the capital against "the mean is at most the bound" is multiplied by
``1 + b·(x - bound)``; where it falls below 1 it starts again from 1, so that a change is seen
whenever it comes. The alarm sounds when the mean capital over the bets reaches a level c. Started
at any one time, such a capital exceeds c with probability at most 1/c while the mean of each value,
given those before, is at most the bound; the CUSUM is at most the sum over all starts. So the alarm
is false within N values with probability at most N/c.

Source: Shin, Ramdas and Rinaldo 2024, "E-detectors: a nonparametric framework for sequential change
detection" (New England Journal of Statistics in Data Science), sections 2 and 4.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

BET_SHARES = (0.9, 0.45, 0.2, 0.08, 0.03)
"""Bets as shares of the largest that cannot lose everything: it is not known how large a change
will be, so all of them are placed at once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CusumRule:
    """A bound to watch, and the capital at which it is taken to be broken.

    Attributes:
        bound: largest mean that is no reason for an alarm.
        lowest: smallest possible value, below the bound; the largest is 1.
        level: capital c that sounds the alarm, above 1.

    Raises:
        ValueError: the three do not fit.
    """

    bound: float
    lowest: float
    level: float

    def __post_init__(self) -> None:
        if not -1.0 <= self.lowest < self.bound < 1.0 or not self.level > 1.0:
            raise ValueError(
                f"need -1 <= lowest < bound < 1 < level, not lowest={self.lowest}, "
                f"bound={self.bound}, level={self.level}"
            )

    @property
    def bets(self) -> tuple[float, ...]:
        """Return the bets; each keeps some capital at the smallest value."""
        return tuple(share / (self.bound - self.lowest) for share in BET_SHARES)

    def step(self, capitals: Sequence[float], value: float) -> tuple[float, ...]:
        """Return the capitals, one per bet, after one more value; all start from 1.

        Raises:
            ValueError: the value is outside [lowest, 1].
        """
        if not self.lowest <= value <= 1.0:
            raise ValueError(f"value={value} is outside [{self.lowest}, 1]")
        gain = value - self.bound
        ceiling = 1e300  # capital beyond any level; keeps the product finite
        return tuple(
            min(ceiling, max(1.0, capital) * (1.0 + bet * gain))
            for capital, bet in zip(capitals, self.bets, strict=True)
        )

    def sounds(self, capitals: Sequence[float]) -> bool:
        """Return whether these capitals sound the alarm."""
        return sum(capitals) >= self.level * len(capitals)

    def first_alarm(self, values: Floats) -> int | None:
        """Return the place of the value that sounds the alarm, starting from capital 1.

        Args:
            values: `[n]` in [lowest, 1].
        """
        if not len(values):
            return None
        capitals = np.zeros(len(values))
        for bet in self.bets:
            growth = np.concatenate(([0.0], np.cumsum(np.log1p(bet * (values - self.bound)))))
            least = np.minimum.accumulate(growth[:-1])
            capitals += np.exp(np.minimum(growth[1:] - least, 600.0))
        reached = np.flatnonzero(capitals >= self.level * len(self.bets))
        return int(reached[0]) if len(reached) else None


def level_for(*, false_alarms: float, values: float) -> float:
    """Return the capital that sounds falsely within so many values with at most this probability.

    Args:
        false_alarms: probability in (0, 1).
        values: number of values it is allowed within.
    """
    if not 0.0 < false_alarms < 1.0 or not values >= 1.0 or math.isinf(values):
        raise ValueError(f"need false_alarms in (0, 1), values >= 1: {false_alarms}, {values}")
    return values / false_alarms
