"""Intervals of proportions, of paired differences and of quantiles in closed form; exact tests.

n is a number of items.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """A figure from ``n`` items with its interval; a limit is None where n cannot bound it."""

    value: float
    low: float | None
    high: float | None
    n: int


def wilson(successes: float, n: int, *, confidence: float = 0.95) -> tuple[float, float]:
    """Return the score interval of a proportion.

    A sum of scores in [0, 1] may stand for the successes: their variance is at most that of a
    proportion with the same mean, so the interval is then conservative.

    Source: Wilson 1927, "Probable inference, the law of succession, and statistical inference",
    JASA 22; Brown, Cai and DasGupta 2001, "Interval estimation for a binomial proportion", §3.1.

    Raises:
        ValueError: n is not positive, or the successes lie outside [0, n].
    """
    _check_count(successes, n)
    z = _z(confidence)
    p = successes / n
    scale = 1.0 + z * z / n
    centre = (p + z * z / (2 * n)) / scale
    half = z / scale * math.sqrt(p * (1 - p) / n + z * z / (4 * n * n))
    low = 0.0 if successes == 0 else max(0.0, centre - half)
    return low, 1.0 if successes == n else min(1.0, centre + half)


def clopper_pearson(successes: int, n: int, *, confidence: float = 0.95) -> tuple[float, float]:
    """Return the exact interval of a proportion: it covers at least at the stated confidence.

    Source: Clopper and Pearson 1934, "The use of confidence or fiducial limits illustrated in
    the case of the binomial", Biometrika 26.
    """
    _check_count(successes, n)
    tail = (1.0 - checked(confidence)) / 2.0

    def solve(k: int, target: float) -> float:
        low, high = 0.0, 1.0
        for _ in range(60):  # P(X <= k) falls as p grows
            middle = (low + high) / 2
            if binomial_cdf(k, n, middle) > target:
                low = middle
            else:
                high = middle
        return (low + high) / 2

    lower = 0.0 if successes == 0 else solve(successes - 1, 1.0 - tail)
    return lower, 1.0 if successes == n else solve(successes, tail)


def proportion(successes: float, n: int, *, confidence: float = 0.95) -> Estimate:
    """Return a proportion with its :func:`wilson` interval."""
    low, high = wilson(successes, n, confidence=confidence)
    return Estimate(value=successes / n, low=low, high=high, n=n)


def paired_proportion_difference(
    first: ArrayLike, second: ArrayLike, *, confidence: float = 0.95
) -> Estimate:
    """Return mean(first) - mean(second) of paired 0/1 scores with a score interval.

    It stays wide where few items disagree, unlike a bootstrap, which then has no spread at all.

    Source: Newcombe 1998, "Improved confidence intervals for the difference between binomial
    proportions based on paired data", Statistics in Medicine 17, method 10 (square and add with
    the correlation phi, continuity-corrected).

    Args:
        first: `[n]` 0/1 scores.
        second: `[n]` 0/1 scores of the same items.
        confidence: of the interval.

    Raises:
        ValueError: a score is neither 0 nor 1.
    """
    a, b = paired(first, second)
    if not np.isin(a, (0.0, 1.0)).all() or not np.isin(b, (0.0, 1.0)).all():
        raise ValueError("scores must be 0 or 1; use paired_bootstrap for others")
    n = a.size
    both, only_a, only_b = (
        float((a * b).sum()),
        float((a * (1 - b)).sum()),
        float((b * (1 - a)).sum()),
    )
    neither = n - both - only_a - only_b
    p, q = (both + only_a) / n, (both + only_b) / n
    (p_low, p_high), (q_low, q_high) = (
        wilson(s, n, confidence=confidence) for s in (both + only_a, both + only_b)
    )
    product = (both + only_a) * (only_b + neither) * (both + only_b) * (only_a + neither)
    determinant = both * neither - only_a * only_b
    if determinant > 0:
        determinant = max(determinant - n / 2, 0.0)
    phi = determinant / math.sqrt(product) if product > 0 else 0.0
    down, up = (p - p_low, q_high - q), (p_high - p, q - q_low)

    def spread(x: float, y: float) -> float:
        return math.sqrt(max(0.0, x * x - 2 * phi * x * y + y * y))

    return Estimate(value=p - q, low=p - q - spread(*down), high=p - q + spread(*up), n=n)


def sign_test(first: ArrayLike, second: ArrayLike) -> float:
    """Return the exact two-sided p-value that neither of two paired scores is larger.

    On 0/1 scores this is McNemar's exact test; ties carry no information and are left out.

    Source: McNemar 1947, "Note on the sampling error of the difference between correlated
    proportions or percentages", Psychometrika 12; exact form: Conover 1999, §3.4.
    """
    a, b = paired(first, second)
    wins, losses = int((a > b).sum()), int((a < b).sum())
    return min(1.0, 2.0 * binomial_cdf(min(wins, losses), wins + losses, 0.5))


def quantile(values: ArrayLike, q: float, *, confidence: float = 0.95) -> Estimate:
    """Return the q-quantile (an order statistic) with a distribution-free interval.

    The limits are order statistics too: the number of values below the true quantile is
    Binomial(n, q). Too few values leave a limit None.

    Source: David and Nagaraja 2003, "Order statistics", §7.1.
    """
    ordered = np.sort(np.asarray(values, dtype=np.float64))
    n = ordered.size
    if n == 0 or not 0.0 < q < 1.0 or np.isnan(ordered).any():
        raise ValueError(f"need values without NaN and 0 < q < 1, not n={n}, q={q}")
    tail = (1.0 - checked(confidence)) / 2.0
    below = np.cumsum(binomial_pmf(n, q))  # below[j] = P(at most j values under the quantile)
    rank_low = int(np.searchsorted(below, tail, side="right"))  # P(X <= rank_low - 1) <= tail
    rank_high = int(np.searchsorted(below, 1.0 - tail, side="left")) + 1
    return Estimate(
        value=float(ordered[max(0, math.ceil(q * n) - 1)]),
        low=float(ordered[rank_low - 1]) if rank_low >= 1 else None,
        high=float(ordered[rank_high - 1]) if rank_high <= n else None,
        n=n,
    )


def binomial_cdf(k: int, n: int, p: float) -> float:
    """Return P(X <= k) for X ~ Binomial(n, p)."""
    if k < 0:
        return 0.0
    if k >= n:
        return 1.0
    return float(min(1.0, binomial_pmf(n, p)[: k + 1].sum()))


def binomial_pmf(n: int, p: float) -> Floats:
    """Return `[n + 1]` probabilities of Binomial(n, p)."""
    if p <= 0.0 or p >= 1.0:
        pmf = np.zeros(n + 1)
        pmf[0 if p <= 0.0 else n] = 1.0
        return pmf
    logs = np.concatenate([[0.0], np.cumsum(np.log(np.arange(1, n + 1)))])
    k = np.arange(n + 1)
    log_pmf: Floats = logs[n] - logs[k] - logs[n - k] + k * math.log(p) + (n - k) * math.log1p(-p)
    return np.asarray(np.exp(log_pmf))


def paired(first: ArrayLike, second: ArrayLike) -> tuple[Floats, Floats]:
    """Return both as `[n]` float64; raises ValueError for other shapes, no items or NaN."""
    a, b = np.asarray(first, dtype=np.float64), np.asarray(second, dtype=np.float64)
    if a.ndim != 1 or a.shape != b.shape or a.size == 0:
        raise ValueError(f"need two equally long sequences, not shapes {a.shape} and {b.shape}")
    if np.isnan(a).any() or np.isnan(b).any():
        raise ValueError("NaN among the values")
    return a, b


def checked(confidence: float) -> float:
    """Return the confidence; raises ValueError outside (0, 1)."""
    if not 0.0 < confidence < 1.0:
        raise ValueError(f"confidence must lie in (0, 1), not {confidence}")
    return confidence


def _check_count(successes: float, n: int) -> None:
    if n <= 0 or not 0 <= successes <= n:
        raise ValueError(f"need 0 <= successes <= n and n > 0, not {successes} of {n}")


def _z(confidence: float) -> float:
    return NormalDist().inv_cdf(0.5 + checked(confidence) / 2.0)
