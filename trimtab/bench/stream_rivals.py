"""Rivals of the promise on a stream: rules on a score, at the same promised loss and audits.

Every rule sees the truth of a request where the strong model was asked, because it had to be or by
an audit; audits are uniform, at the same rate for all. S is the number of streams, n of requests,
K of thresholds.

How the e-process is read: Khosravi and Huo 2026, "Conformal Selective Acting" (arXiv 2605.20270)
keep one betting e-process per threshold of a fixed grid, share δ evenly over the grid, act at the
most liberal threshold that is certified now, and weigh subsampled labels by their inverse
probability. Of what is public we read the abstract and accounts of the algorithm. Here it bounds
the same mean net loss per request as the promise (the paper bounds the loss among acted requests,
which is harder), it starts on the table, and its capital is capped one nat above what certifies, so
that it can lose a certificate again; without the cap it would keep one for thousands of requests.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from trimtab.bench.stream_draw import Bools
from trimtab.bench.stream_scores import Scored
from trimtab.bench.stream_world import Floats

THRESHOLDS = 20
"""Thresholds of the e-process, one for each 5 % of the fitted scores."""
CAP = 1.0
"""Nats that an e-process may hold beyond what certifies."""
LARGEST_BET = 0.5
"""Bet of an e-process on labels of weight 1; with weights of 1/ε it is ε/2."""
RATE = 0.005
"""Step of adaptive conformal inference, as in the paper's experiments."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ridden:
    """What a rule did on all streams.

    Attributes:
        loss: `[S, n]` net loss of the shown answers.
        calls: `[S, n]` calls of the strong model, audits among them.
        usd: `[S, n]` price of all calls.
    """

    loss: Floats
    calls: Floats
    usd: Floats


def agreement_gate(seen: Scored, *, audit_rate: float) -> Ridden:
    """Return what asking the strong model where no majority agrees does; it promises nothing."""
    return _ridden(seen, ~seen.agree, audit_rate)


def split_conformal(seen: Scored, *, alpha: float, audit_rate: float) -> Ridden:
    """Return what a threshold calibrated once on the table does.

    Source: Angelopoulos et al. 2024, "Conformal risk control" (ICLR), section 2: the smallest
    threshold above which the risk, counting one more row of loss 1, is at most α.
    """
    asks = seen.scores < _calibrated(seen, alpha)[:, None]
    return _ridden(seen, asks, audit_rate)


def adaptive_conformal(seen: Scored, *, alpha: float, audit_rate: float) -> Ridden:
    """Return what a threshold moved by every loss that is seen does.

    Source: Gibbs and Candès 2021, "Adaptive conformal inference under distribution shift"
    (NeurIPS), section 2. The threshold is a rank among the fitted scores; a loss seen by an audit
    counts 1/ε times, a request answered by the strong model has none.
    """
    streams, n = seen.scores.shape
    ordered = np.sort(seen.fitted, axis=1)
    ranks = (
        np.stack(
            [np.searchsorted(a, b, side="right") for a, b in zip(ordered, seen.scores, strict=True)]
        )
        / ordered.shape[1]
    )
    start = _calibrated(seen, alpha)
    level = (
        np.array(
            [np.searchsorted(a, b) for a, b in zip(ordered, start, strict=True)], dtype=np.float64
        )
        / ordered.shape[1]
    )
    asks: Bools = np.zeros((streams, n), np.bool_)
    weight = np.where(seen.audit < audit_rate, 1.0 / audit_rate, 0.0)
    for t in range(n):
        asks[:, t] = ranks[:, t] <= level
        error = np.where(asks[:, t], 0.0, seen.losses[:, t] * weight[:, t])
        level += RATE * (error - alpha)  # free to leave [0, 1], as in the paper
    return _ridden(seen, asks, audit_rate)


def e_process(seen: Scored, *, alpha: float, delta: float, audit_rate: float) -> Ridden:
    """Return what one capped e-process per threshold does; see the module's text."""
    streams, n = seen.scores.shape
    shares = np.arange(THRESHOLDS) / THRESHOLDS
    # dear to cheap: the first shows the top 5 %, the last everything
    cuts = np.quantile(seen.fitted, shares[::-1], axis=1).T
    cuts[:, -1] = -np.inf
    needed = math.log(THRESHOLDS / delta)
    capital = np.zeros((streams, THRESHOLDS))
    for t in range(seen.known.shape[1]):
        shown = seen.known[:, t, None] >= cuts
        capital += np.log1p(LARGEST_BET * (alpha - shown * seen.known_losses[:, t, None]))
        np.minimum(capital, needed + CAP, out=capital)
    asks: Bools = np.ones((streams, n), np.bool_)
    audited = seen.audit < audit_rate
    places = np.arange(1, THRESHOLDS + 1)
    for t in range(n):
        certified = capital >= needed
        best = (certified * places).max(axis=1)  # 0: none
        cut = np.where(best > 0, cuts[np.arange(streams), best - 1], np.inf)
        score = seen.scores[:, t]
        asks[:, t] = score < cut
        weight = np.where(asks[:, t], 1.0, audited[:, t] / audit_rate)
        bet = np.where(best > 0, audit_rate / 2.0, LARGEST_BET)[:, None]
        estimate = (score[:, None] >= cuts) * (seen.losses[:, t] * weight)[:, None]
        capital += np.log1p(bet * (alpha - estimate))
        np.minimum(capital, needed + CAP, out=capital)
    return _ridden(seen, asks, audit_rate)


def _calibrated(seen: Scored, alpha: float) -> Floats:
    """Return `[S]` the smallest threshold above which the table's risk is at most α."""
    streams, m = seen.known.shape
    found = np.full(streams, np.inf)
    for s in range(streams):
        order = np.argsort(-seen.known[s], kind="stable")
        scores, losses = seen.known[s][order], seen.known_losses[s][order]
        risk = (np.cumsum(losses) + 1.0) / (m + 1.0)
        last = np.append(scores[1:] < scores[:-1], True)  # ties are shown together
        held = np.logical_and.accumulate((risk <= alpha) | ~last) & last
        if held.any():
            found[s] = scores[np.flatnonzero(held)[-1]]
    return found


def _ridden(seen: Scored, asks: Bools, audit_rate: float) -> Ridden:
    extra = (seen.audit < audit_rate) & ~asks
    calls = (asks | extra).astype(np.float64)
    return Ridden(
        loss=np.where(asks, 0.0, seen.losses),
        calls=calls,
        usd=seen.cheap_usd + calls * seen.strong_usd,
    )
