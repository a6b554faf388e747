"""Bootstrap intervals; every draw takes a Generator. n is a number of items, B of resamples."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike

from trimtab.stats.intervals import Estimate, Floats, checked, paired

_CHUNK = 4_000_000  # resampled entries held at once: 32 MB of indices


def bootstrap_means(
    columns: ArrayLike, *, rng: np.random.Generator, resamples: int = 2000
) -> Floats:
    """Return `[B, k]` means of resampled items; all k columns share one draw of items.

    Whatever is computed from one row (a difference, a ratio of means) is therefore paired.

    Source: Efron and Tibshirani 1993, "An introduction to the bootstrap", §6 and §13.3.

    Args:
        columns: `[n, k]` finite values, one row an item.
        rng: source of the draws.
        resamples: B.
    """
    values = np.asarray(columns, dtype=np.float64)
    if values.ndim != 2 or values.shape[0] == 0 or not np.isfinite(values).all():
        raise ValueError(f"columns must be finite [n, k] with n > 0, not shape {values.shape}")
    n = values.shape[0]
    means = np.empty((resamples, values.shape[1]))
    step = max(1, _CHUNK // n)
    for start in range(0, resamples, step):
        size = min(step, resamples - start)
        flat = rng.integers(n, size=(size, n)) + np.arange(size)[:, None] * n
        counts = np.bincount(flat.ravel(), minlength=size * n).reshape(size, n)
        means[start : start + size] = counts @ values / n
    return means


def interval(draws: ArrayLike, *, confidence: float = 0.95) -> tuple[float, float]:
    """Return the central interval of bootstrap draws (the percentile method)."""
    tail = (1.0 - checked(confidence)) / 2.0
    low, high = np.quantile(np.asarray(draws, dtype=np.float64), [tail, 1.0 - tail])
    return float(low), float(high)


def bootstrap(
    values: ArrayLike,
    statistic: Callable[[Floats], float],
    *,
    rng: np.random.Generator,
    resamples: int = 2000,
    confidence: float = 0.95,
) -> Estimate:
    """Return any statistic of items with its percentile bootstrap interval.

    Args:
        values: `[n]` or `[n, k]`, one row an item; the statistic sees resampled rows.
        statistic: a function of such an array.
        rng: source of the draws.
        resamples: B.
        confidence: of the interval.
    """
    rows = np.asarray(values, dtype=np.float64)
    n = rows.shape[0]
    if n == 0:
        raise ValueError("no values to resample")
    draws = [statistic(rows[rng.integers(n, size=n)]) for _ in range(resamples)]
    low, high = interval(draws, confidence=confidence)
    return Estimate(value=statistic(rows), low=low, high=high, n=n)


def paired_bootstrap(
    first: ArrayLike,
    second: ArrayLike,
    *,
    rng: np.random.Generator,
    resamples: int = 2000,
    confidence: float = 0.95,
) -> Estimate:
    """Return mean(first - second) over the same items with its bootstrap interval."""
    a, b = paired(first, second)
    draws = bootstrap_means((a - b)[:, None], rng=rng, resamples=resamples)[:, 0]
    low, high = interval(draws, confidence=confidence)
    return Estimate(value=float((a - b).mean()), low=low, high=high, n=a.size)
