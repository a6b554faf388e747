"""Betting bounds on a mean, and fixed-sequence testing with them.

Sources: Waudby-Smith & Ramdas 2024, "Estimating means of bounded random variables by betting"
(JRSS B), section 4; Angelopoulos et al. 2025, "Learn then Test" (Annals of Applied Statistics),
section on fixed-sequence testing.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

LARGEST_BET = 0.5
"""A bet of b risks the share ``b·(1 − α)`` of the capital at the worst loss of 1."""
PRIOR_VARIANCE = 0.25
"""Variance that the first bet assumes; any value fixed beforehand keeps the bound valid."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wealth:
    """How a bet against "the mean loss is at least α" went.

    Attributes:
        log_peak: log of the largest capital on the way, starting from 0 (capital 1).
        needed: log of the capital that certifies, ``log(1/δ)``.
        n: losses seen in all.
        stopped_at: losses seen when the capital first sufficed, None if it never did.
    """

    log_peak: float
    needed: float
    n: int
    stopped_at: int | None

    @property
    def certified(self) -> bool:
        """Return whether the mean loss lies below α with confidence 1 − δ."""
        return self.stopped_at is not None


def bet(losses: Floats, *, alpha: float, delta: float, planned: int | None = None) -> Wealth:
    """Return how betting against "the mean loss is at least α" went.

    If the losses are drawn independently with mean ≥ α, the capital reaches 1/δ at any time with
    probability at most δ (Ville's inequality): the bets look only at losses already seen.

    Args:
        losses: `[n]` in [-1, 1], in the order in which they were drawn.
        alpha: the mean loss that is promised not to be reached, in (-1, 1).
        delta: probability in (0, 1) with which the promise may be wrong.
        planned: losses that the bets are sized for, fixed before the first is seen; n if None.
            With the same plan more losses may be added and looked at as often as one likes.

    Raises:
        ValueError: an argument is outside its range.
    """
    _check(losses, alpha, delta)
    n = len(losses)
    if planned is not None and planned < n:
        raise ValueError(f"planned={planned} is fewer than the {n} losses")
    needed = math.log(1.0 / delta)
    if n == 0:
        return Wealth(log_peak=0.0, needed=needed, n=0, stopped_at=None)
    growth = np.log1p(_bets(losses, delta, planned or n) * (alpha - losses))
    capital = np.cumsum(growth)
    reached = np.flatnonzero(capital >= needed)
    return Wealth(
        log_peak=max(0.0, float(capital.max())),
        needed=needed,
        n=n,
        stopped_at=int(reached[0]) + 1 if len(reached) else None,
    )


def upper_bound(losses: Floats, *, delta: float, resolution: float = 1e-4) -> float:
    """Return the smallest mean loss on a grid that :func:`bet` certifies, 1 if there is none."""
    low, high = -1.0, 1.0
    if not len(losses):
        return high
    while high - low > resolution:
        middle = (low + high) / 2.0
        if bet(losses, alpha=middle, delta=delta).certified:
            high = middle
        else:
            low = middle
    return high


def fixed_sequence(
    candidates: Iterable[Floats], *, alpha: float, delta: float, planned: int | None = None
) -> list[Wealth]:
    """Return the bets on candidates in their order, up to the first that is not certified.

    The order must be fixed before the losses are looked at; then all certified candidates hold
    at once with confidence 1 − δ, because testing stops at the first failure.
    """
    results = []
    for losses in candidates:
        results.append(bet(losses, alpha=alpha, delta=delta, planned=planned))
        if not results[-1].certified:
            break
    return results


def _bets(losses: Floats, delta: float, planned: int) -> Floats:
    """Return `[n]` predictable bets ``min(.5, sqrt(2 log(1/δ) / (planned · v)))``."""
    counts = np.arange(1, len(losses) + 1)
    means = np.cumsum(losses) / counts
    # squared deviations from the running mean, of the losses before each one
    deviations = np.concatenate(([0.0], np.cumsum((losses - means) ** 2)[:-1]))
    variance = (PRIOR_VARIANCE + deviations) / counts
    return np.minimum(LARGEST_BET, np.sqrt(2.0 * math.log(1.0 / delta) / (planned * variance)))


def _check(losses: Floats, alpha: float, delta: float) -> None:
    if not -1.0 < alpha < 1.0:
        raise ValueError(f"alpha={alpha} is not in (-1, 1)")
    if not 0.0 < delta < 1.0:
        raise ValueError(f"delta={delta} is not in (0, 1)")
    if len(losses) and not (np.abs(losses) <= 1.0).all():
        raise ValueError("a loss is not in [-1, 1]")
