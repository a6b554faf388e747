"""Operating points of cascades: those worth choosing, the area below them, the price of a quality.

Points are chosen on one set of questions and measured on another; between two chosen points
questions are divided at random, which any quality between theirs can be had with. K is the number
of points.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]


def upper_hull(usd: ArrayLike, quality: ArrayLike) -> list[int]:
    """Return the places of the points on the upper concave hull, from the cheapest to the best.

    Points that are neither cheaper nor better than another are left out; among equal ones the
    first stays.

    Args:
        usd: `[K]` cost of each point.
        quality: `[K]` quality of each point.
    """
    c, q = np.asarray(usd, dtype=np.float64), np.asarray(quality, dtype=np.float64)
    if c.ndim != 1 or c.shape != q.shape or not len(c):
        raise ValueError(f"need equally long lists of at least one point, not {c.shape}, {q.shape}")
    kept: list[int] = []
    for place in np.lexsort((-q, c)).tolist():
        if kept and q[place] <= q[kept[-1]]:
            continue
        while len(kept) > 1 and _is_below(c[[*kept[-2:], place]], q[[*kept[-2:], place]]):
            kept.pop()
        kept.append(place)
    return kept


def _is_below(c: Floats, q: Floats) -> bool:
    """Return whether the second of three points is not above the line of the others."""
    return bool((q[1] - q[0]) * (c[2] - c[0]) <= (q[2] - q[0]) * (c[1] - c[0]))


def area(usd: ArrayLike, quality: ArrayLike, *, low_usd: float, high_usd: float) -> float:
    """Return the mean quality over cost between two costs.

    The points are taken in their order; one that turns out cheaper than the one before is held to
    cost as much. Left of the first point its quality counts, right of the last point that of the
    last: the best that was chosen, whatever else there is to pay.

    Args:
        usd: `[K]` measured cost of the chosen points, in the order of the choice.
        quality: `[K]` their measured quality.
        low_usd: where the mean begins.
        high_usd: where it ends, above ``low_usd``.
    """
    if not low_usd < high_usd:
        raise ValueError(f"no interval from {low_usd} to {high_usd}")
    x, y = _forward(usd, quality)
    x = np.concatenate(([min(low_usd, x[0])], x, [max(high_usd, x[-1])]))
    y = np.concatenate(([y[0]], y, [y[-1]]))
    total = 0.0
    for x0, x1, y0, y1 in zip(x[:-1], x[1:], y[:-1], y[1:], strict=True):
        start, end = max(x0, low_usd), min(x1, high_usd)
        if end > start:
            middle = (start + end) / 2.0
            total += (end - start) * (y0 + (y1 - y0) * (middle - x0) / (x1 - x0))
    return float(total / (high_usd - low_usd))


def cost_at(usd: ArrayLike, quality: ArrayLike, target: float) -> float | None:
    """Return the smallest cost of this quality on the line through the points, or None."""
    x, y = _forward(usd, quality)
    reached = np.flatnonzero(y >= target - 1e-12)
    if not len(reached):
        return None
    k = int(reached[0])
    if k == 0:
        return float(x[0])
    return float(x[k - 1] + (x[k] - x[k - 1]) * (target - y[k - 1]) / (y[k] - y[k - 1]))


def _forward(usd: ArrayLike, quality: ArrayLike) -> tuple[Floats, Floats]:
    x, y = np.asarray(usd, dtype=np.float64), np.asarray(quality, dtype=np.float64)
    if x.ndim != 1 or x.shape != y.shape or not len(x):
        raise ValueError(f"need equally long lists of at least one point, not {x.shape}, {y.shape}")
    held: Floats = np.maximum.accumulate(x)
    return held, y
