"""How well confidence ranks and states correctness: AUROC, reliability, calibration error.

n is a number of items.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from trimtab.stats.intervals import Estimate, paired
from trimtab.stats.resampling import interval


@dataclass(frozen=True, slots=True, kw_only=True)
class ReliabilityBin:
    """The items whose confidence lies in ``(lower, upper]`` (the first bin holds 0 too)."""

    lower: float
    upper: float
    n: int
    confidence: float
    accuracy: float


def auroc(scores: ArrayLike, positive: ArrayLike) -> float:
    """Return P(score of a positive > score of a negative), ties counted as one half.

    Source: Hanley and McNeil 1982, "The meaning and use of the area under a ROC curve",
    Radiology 143 (the Mann-Whitney form).

    Raises:
        ValueError: a score is NaN, or one of the classes is empty.
    """
    s, labels = paired(scores, positive)
    is_positive = labels > 0
    n_positive = int(is_positive.sum())
    n_negative = s.size - n_positive
    if n_positive == 0 or n_negative == 0:
        raise ValueError(f"AUROC needs both classes, not {n_positive} of {s.size} positive")
    _, place, counts = np.unique(s, return_inverse=True, return_counts=True)
    midranks = np.cumsum(counts) - (counts - 1) / 2.0
    rank_sum = float(midranks[place][is_positive].sum())
    return (rank_sum - n_positive * (n_positive + 1) / 2.0) / (n_positive * n_negative)


def auroc_difference(
    first: ArrayLike,
    second: ArrayLike,
    positive: ArrayLike,
    *,
    rng: np.random.Generator,
    resamples: int = 1000,
    confidence: float = 0.95,
) -> Estimate:
    """Return auroc(first) - auroc(second) on the same items with its paired interval.

    Positives and negatives are resampled apart, so that every draw holds both classes.
    """
    a, b = paired(first, second)
    _, labels = paired(first, positive)
    yes, no = np.flatnonzero(labels > 0), np.flatnonzero(labels <= 0)

    def difference(items: NDArray[np.int64]) -> float:
        return auroc(a[items], labels[items]) - auroc(b[items], labels[items])

    value = difference(np.arange(a.size))
    draws = [
        difference(np.concatenate([rng.choice(yes, yes.size), rng.choice(no, no.size)]))
        for _ in range(resamples)
    ]
    low, high = interval(draws, confidence=confidence)
    return Estimate(value=value, low=low, high=high, n=a.size)


def reliability(
    confidence: ArrayLike, correct: ArrayLike, *, bins: int = 15
) -> list[ReliabilityBin]:
    """Return the non-empty ones of ``bins`` equal-width bins of confidence in [0, 1].

    Source: Guo et al. 2017, "On calibration of modern neural networks", §2.
    """
    c, right = paired(confidence, correct)
    if c.min() < 0.0 or c.max() > 1.0:
        raise ValueError(f"confidence must lie in [0, 1], not [{c.min()}, {c.max()}]")
    place = np.clip(np.ceil(c * bins).astype(np.int64) - 1, 0, bins - 1)
    found = []
    for index in np.unique(place):
        inside = place == index
        found.append(
            ReliabilityBin(
                lower=float(index / bins),
                upper=float((index + 1) / bins),
                n=int(inside.sum()),
                confidence=float(c[inside].mean()),
                accuracy=float(right[inside].mean()),
            )
        )
    return found


def ece(confidence: ArrayLike, correct: ArrayLike, *, bins: int = 15) -> float:
    """Return the expected calibration error over equal-width bins.

    Source: Naeini, Cooper and Hauskrecht 2015, "Obtaining well calibrated probabilities using
    Bayesian binning"; Guo et al. 2017, §2, equation 3.
    """
    found = reliability(confidence, correct, bins=bins)
    total = sum(b.n for b in found)
    return sum(b.n * abs(b.accuracy - b.confidence) for b in found) / total
