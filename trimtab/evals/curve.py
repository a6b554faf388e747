"""Cost against quality along the LLM's share: what each share would have cost and scored.

Requests are ranked by the score that routes them; at LLM share s the ⌈(1 − s)·n⌋ surest show the
small models' answer, equal scores in expectation, so that no order of rows leaks in. n is the
number of requests, k of points.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from trimtab.stats import Estimate, bootstrap_means, interval, upper_bound

Floats = NDArray[np.float64]

SHARES = tuple(step / 20 for step in range(20, -1, -1))
"""LLM shares of the points, dear to cheap."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CurvePoint:
    """One way of routing on the curve's requests.

    Attributes:
        llm_share: share of requests that ask the LLM.
        difference: quality minus that of always asking; None where a label is missing.
        quality: mean reward; None where not every answer of the LLM is judged.
        usd_per_1000: US dollars per 1,000 requests, all agents that ran, without audits.
    """

    llm_share: float
    difference: Estimate | None
    quality: float | None
    usd_per_1000: Estimate


@dataclass(frozen=True, slots=True, kw_only=True)
class Curve:
    """Cost against quality on requests drawn uniformly.

    Attributes:
        score: what ranks the requests: a certificate's ``gain`` model, or the ``confidence``.
        against: what the loss is measured against.
        n: requests.
        unlabelled: those whose right answer must be known and is not.
        points: by falling LLM share.
        operating: where the certificate's rule stands; None without a certificate.
        never: the small models alone.
        always: the LLM alone.
        random: the LLM alone with the operating point's probability (one half without one), else
            the small models alone, in expectation.
    """

    score: str
    against: str
    n: int
    unlabelled: int
    points: tuple[CurvePoint, ...]
    operating: CurvePoint | None
    never: CurvePoint
    always: CurvePoint
    random: CurvePoint


@dataclass(frozen=True, slots=True, kw_only=True)
class Swept:
    """The requests of a curve, in the order of the ledger.

    Attributes:
        scores: `[n]` larger is surer.
        gains: `[n]` right(LLM) − right(cheap) in [-1, 1]; NaN where a label is needed.
        cheap_usd: `[n]` of the small models.
        llm_usd: `[n]` of asking the LLM.
        llm_right: mean reward of the LLM, None where not every answer is judged.
    """

    scores: Floats
    gains: Floats
    cheap_usd: Floats
    llm_usd: Floats
    llm_right: float | None


def sweep(
    swept: Swept,
    *,
    shown: NDArray[np.bool_] | None,
    score: str,
    against: str,
    rng: np.random.Generator,
    resamples: int,
) -> Curve:
    """Return the curve.

    Args:
        swept: the requests, at least one.
        shown: `[n]` where the certificate's rule shows the small models' answer; None without one.
        score: what the scores are.
        against: what the gains were measured against.
        rng: of the bootstrap.
        resamples: of the bootstrap.
    """
    cheap = [cheap_shares(swept.scores, share) for share in SHARES]
    asking = 0.5 if shown is None else 1.0 - float(shown.mean())
    none, mixed = np.zeros(len(swept.scores)), np.full(len(swept.scores), 1.0 - asking)
    if shown is not None:
        cheap.append(shown.astype(np.float64))
    # random and always leave the small models out where they ask the LLM
    alone = [(1.0 - w) * swept.llm_usd + w * swept.cheap_usd for w in (mixed, none)]
    usd = [swept.cheap_usd + (1.0 - w) * swept.llm_usd for w in cheap] + alone
    points = _points(swept, [*cheap, mixed, none], usd, rng=rng, resamples=resamples)
    return Curve(
        score=score,
        against=against,
        n=len(swept.scores),
        unlabelled=int(np.isnan(swept.gains).sum()),
        points=tuple(points[: len(SHARES)]),
        operating=None if shown is None else points[len(SHARES)],
        never=points[len(SHARES) - 1],
        always=points[-1],
        random=points[-2],
    )


def cheap_shares(scores: Floats, llm_share: float) -> Floats:
    """Return `[n]` the probability that each request shows the small models' answer.

    It is 1 for the surest and 0 for the least sure; those that tie at the border share what is
    left, so the mean is 1 − ``llm_share``.
    """
    ordered = np.sort(scores)
    above = len(scores) - np.searchsorted(ordered, scores, side="right")
    ties = len(scores) - np.searchsorted(ordered, scores, side="left") - above
    share: Floats = np.clip(((1.0 - llm_share) * len(scores) - above) / ties, 0.0, 1.0)
    return share


def mean_with_bounds(losses: Floats) -> Estimate:
    """Return the mean of `[n]` values in [-1, 1] with the 95 % bounds of the certifying bet.

    Unlike resampling it bounds a rare loss that no value shows yet.
    """
    mean = float(losses.mean())
    low, high = -upper_bound(-losses, delta=0.025), upper_bound(losses, delta=0.025)
    return Estimate(value=mean, low=min(low, mean), high=max(high, mean), n=len(losses))


def _points(
    swept: Swept,
    weights: Sequence[Floats],
    usd: Sequence[Floats],
    *,
    rng: np.random.Generator,
    resamples: int,
) -> list[CurvePoint]:
    draws = bootstrap_means(np.column_stack(usd) * 1000, rng=rng, resamples=resamples)
    points = []
    for place, weight in enumerate(weights):
        # a row that shows the LLM's answer loses nothing, whatever its label would say
        changes = np.where(weight > 0.0, -weight * swept.gains, 0.0)
        known = not np.isnan(changes).any()
        difference = mean_with_bounds(changes) if known else None
        if not weight.any():
            difference = Estimate(value=0.0, low=0.0, high=0.0, n=len(weight))
        quality = None
        if difference is not None and swept.llm_right is not None:
            quality = swept.llm_right + difference.value
        low, high = interval(draws[:, place])
        value = float(usd[place].mean()) * 1000
        points.append(
            CurvePoint(
                llm_share=1.0 - float(weight.mean()),
                difference=difference,
                quality=quality,
                usd_per_1000=Estimate(value=value, low=low, high=high, n=len(weight)),
            )
        )
    return points
