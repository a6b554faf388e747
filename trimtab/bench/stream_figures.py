"""The figures of one method on many streams. S is the number of streams, n of requests."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from trimtab.bench.result import Measure
from trimtab.bench.stream_draw import Ride
from trimtab.bench.stream_rivals import Ridden
from trimtab.bench.stream_world import Floats
from trimtab.stats import clopper_pearson, quantile

UNITS = {
    "broken_before": "streams whose mean net loss before the drift is above the promise",
    "loss_after": "mean net loss after the drift, blind window included",
    "kept_after": "share of streams with at most the promised loss after the drift",
    "delay": "requests from the drift to the first alarm, median",
    "false_alarms": "share of streams with a false alarm within the requests before the drift",
    "llm_share_before": "calls of the strong model per request, audits and canaries among them",
    "llm_share_after": "calls of the strong model per request, audits and canaries among them",
    "blind_loss": "part of loss_after that falls before the first alarm after the drift",
    "delay_allowed": "requests from the drift after which that part alone breaks the promise, "
    "at the mean net loss of a request before the alarm; none where that keeps the promise",
    "cost_before": "bill of always asking the strong model",
    "cost_after": "bill of always asking the strong model",
}


def stacked(rides: Sequence[Ride]) -> Ridden:
    """Return rides as one array of streams."""
    return Ridden(
        loss=np.stack([one.loss for one in rides]),
        calls=np.stack([one.calls for one in rides]),
        usd=np.stack([one.usd for one in rides]),
    )


def stream_figures(
    ridden: Ridden,
    *,
    strong_usd: Floats,
    drift_at: int,
    promise: float,
    alarms: Sequence[Sequence[tuple[int, str]]] | None = None,
) -> dict[str, Measure]:
    """Return the figures of a method.

    Args:
        ridden: what it did.
        strong_usd: `[S, n]` price of the strong model.
        drift_at: requests before the drift; n without one, then there are no figures after it.
        promise: the promised loss.
        alarms: of each stream; None for a method without alarms.
    """
    streams, n = ridden.loss.shape
    before, after = slice(0, drift_at), slice(drift_at, n)
    broken = int((ridden.loss[:, before].mean(axis=1) > promise).sum())
    values: dict[str, Measure] = {
        "broken_before": Measure(value=float(broken)),
        "llm_share_before": _mean(ridden.calls[:, before].mean(axis=1)),
        "cost_before": _mean(ridden.usd[:, before].sum(axis=1) / strong_usd[:, before].sum(axis=1)),
    }
    if alarms is not None:
        false = sum(any(at < drift_at for at, _ in one) for one in alarms)
        values["false_alarms"] = _share(false, streams)
    if drift_at < n:
        lost = ridden.loss[:, after].mean(axis=1)
        values["loss_after"] = _mean(lost)
        values["kept_after"] = _share(int((lost <= promise).sum()), streams)
        values["llm_share_after"] = _mean(ridden.calls[:, after].mean(axis=1))
        values["cost_after"] = _mean(
            ridden.usd[:, after].sum(axis=1) / strong_usd[:, after].sum(axis=1)
        )
        if alarms is not None:
            values["delay"] = _delay(alarms, drift_at=drift_at)
            values |= _blind(ridden.loss, alarms, drift_at=drift_at, promise=promise)
    return {
        key: Measure(value=one.value, low=one.low, high=one.high, unit=UNITS[key])
        for key, one in values.items()
    }


def _delay(alarms: Sequence[Sequence[tuple[int, str]]], *, drift_at: int) -> Measure:
    """Return the median delay; None where half of the streams never sound an alarm."""
    delays = [
        min((float(at - drift_at) for at, _ in one if at >= drift_at), default=np.inf)
        for one in alarms
    ]
    found = quantile(delays, 0.5)
    finite = [v if v is not None and np.isfinite(v) else None for v in (found.low, found.high)]
    value = found.value if np.isfinite(found.value) else None
    return Measure(value=value, low=finite[0], high=finite[1])


def _blind(
    loss: Floats, alarms: Sequence[Sequence[tuple[int, str]]], *, drift_at: int, promise: float
) -> dict[str, Measure]:
    """Return what was lost before the alarms, and how late these may come at that loss."""
    n = loss.shape[1]
    ends = [min((at + 1 for at, _ in one if at >= drift_at), default=n) for one in alarms]
    lost = np.array([row[drift_at:end].sum() for row, end in zip(loss, ends, strict=True)])
    each = float(lost.sum()) / sum(end - drift_at for end in ends)
    allowed = promise * (n - drift_at) / each if each > promise else None
    return {"blind_loss": _mean(lost / (n - drift_at)), "delay_allowed": Measure(value=allowed)}


def _mean(values: Floats) -> Measure:
    """Return the mean over streams with the middle 95 % of them."""
    low, high = np.quantile(values, [0.025, 0.975])
    return Measure(value=float(values.mean()), low=float(low), high=float(high))


def _share(successes: int, n: int) -> Measure:
    low, high = clopper_pearson(successes, n)
    return Measure(value=successes / n, low=low, high=high)
