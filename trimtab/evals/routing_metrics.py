"""Cost-quality curves of routers, and the figures that are read off them.

A curve begins at the cheap end and ends at the dear one. Questions are sent to the strong model in
the falling order of a score; those of one score are sent in random order, taken in expectation: a
straight piece of the curve. n is the number of questions, K of the curve's points.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Curve:
    """Operating points from never to always asking the strong model.

    Attributes:
        shares: `[K]` share of questions that the strong model answers, from 0 to 1.
        quality: `[K]` mean score of the answers shown.
        usd: `[K]` mean cost of a question.
    """

    shares: Floats
    quality: Floats
    usd: Floats


def curve(
    scores: ArrayLike,
    *,
    cheap: ArrayLike,
    strong: ArrayLike,
    cheap_usd: ArrayLike,
    strong_usd: ArrayLike,
    both_run: bool,
) -> Curve:
    """Return the curve of a router.

    Args:
        scores: `[n]`; the strong model gets the largest first.
        cheap: `[n]` scores of the cheap answers.
        strong: `[n]` scores of the strong model's answers.
        cheap_usd: `[n]` cost of the cheap answers.
        strong_usd: `[n]` cost of the strong model's answers.
        both_run: whether the cheap side has always run before the strong model is asked (a
            cascade), so that both are paid for; else the question goes to one of them.
    """
    s = np.asarray(scores, dtype=np.float64)
    low, high, low_usd, high_usd = (
        np.asarray(values, dtype=np.float64) for values in (cheap, strong, cheap_usd, strong_usd)
    )
    if s.ndim != 1 or not len(s) or any(v.shape != s.shape for v in (low, high, low_usd, high_usd)):
        raise ValueError(f"need equally long arrays of at least one question, not {s.shape}")
    if np.isnan(s).any():
        raise ValueError("a score is NaN")
    order = np.argsort(-s, kind="stable")
    last_of_tie = np.append(np.diff(s[order]) != 0.0, True)
    ends = np.concatenate(([0], np.flatnonzero(last_of_tie) + 1))
    n = len(s)

    def summed(first: Floats, change: Floats) -> Floats:
        sums = np.concatenate(([0.0], np.cumsum(change[order])))
        means: Floats = (first.sum() + sums[ends]) / n
        return means

    return Curve(
        shares=ends / n,
        quality=summed(low, high - low),
        usd=summed(low_usd, high_usd if both_run else high_usd - low_usd),
    )


def apgr(points: Curve, *, weak: float, strong: float) -> float | None:
    """Return the mean of the performance gap recovered over the share of strong calls.

    0 is what the weak model alone scores, 1 what the strong one does; asking at random gives 1/2
    where the cheap answers are the weak model's. A router that knows where the cheap answer is the
    better one exceeds 1. None where the two models score the same.

    Source: Ong et al. 2024, "RouteLLM", §2.3.
    """
    if strong == weak:
        return None
    recovered = (points.quality - weak) / (strong - weak)
    return float(np.trapezoid(recovered, points.shares))


def priced_apgr(
    points: Curve, *, weak: float, strong: float, weak_usd: float, strong_usd: float
) -> float | None:
    """Return the mean of the gap recovered over the bill, all calls priced.

    The bill goes from the weak model alone (0) to the strong model alone (1). Between the weak
    model alone and the curve's cheap end, questions are divided at random. What a router could
    only reach beyond the bill of the strong model alone does not count.

    None where the models score the same or the strong one is not dearer.
    """
    if strong == weak or strong_usd <= weak_usd:
        return None
    bill = np.concatenate(([weak_usd], points.usd))
    x = (bill - weak_usd) / (strong_usd - weak_usd)
    y = (np.concatenate(([weak], points.quality)) - weak) / (strong - weak)
    # a point that is dearer and comes earlier would fold the curve back
    x = np.maximum.accumulate(x)
    if x[-1] < 1.0:
        x, y = np.append(x, 1.0), np.append(y, 1.0)
    inside = x < 1.0
    x_cut = np.append(x[inside], 1.0)
    y_cut = np.append(y[inside], np.interp(1.0, x, y))
    return float(np.trapezoid(y_cut, x_cut))


def share_at(points: Curve, quality: float) -> float | None:
    """Return the smallest share of strong calls with at least this quality, None if none has it."""
    reached = np.flatnonzero(points.quality >= quality - 1e-12)
    if not len(reached):
        return None
    k = int(reached[0])
    if k == 0:
        return float(points.shares[0])
    (x0, x1), (y0, y1) = points.shares[k - 1 : k + 1], points.quality[k - 1 : k + 1]
    return float(x1 if y1 <= y0 else x0 + (x1 - x0) * min(1.0, (quality - y0) / (y1 - y0)))


def cpt(points: Curve, recovered: float, *, weak: float, strong: float) -> float | None:
    """Return the smallest share of strong calls that recovers this part of the performance gap.

    Source: Ong et al. 2024, "RouteLLM", §2.3 (call-performance threshold).
    """
    return share_at(points, weak + recovered * (strong - weak))
