"""The report on a ledger: per domain quality, LLM share, cost and latency, with 95 % intervals.

``trimtab.evals.page`` and ``trimtab.cli.report`` show it. Intervals: Wilson for shares and
quality, order statistics for latency, percentile bootstrap over items for money.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import timedelta
from typing import Any

import numpy as np

from trimtab.agents.issued import Issued
from trimtab.errors import InputError
from trimtab.evals.document import (
    Calibration,
    DomainReport,
    Monthly,
    Period,
    Report,
    RouteRow,
    report_to_json,
)
from trimtab.evals.items import SIMULATED, Canonical, Item, Row, read_items, shown_prediction
from trimtab.evals.judged import labels_selected
from trimtab.evals.pairs import uniform_pairs
from trimtab.evals.policies import Comparison, compare, resamples_for
from trimtab.evals.promise_life import Life, read_life
from trimtab.evals.promises import PromiseReport, promise_curve, promise_report
from trimtab.evals.recursions import sampled_recursions
from trimtab.evals.terms import read_issued
from trimtab.records import Prediction
from trimtab.stats import (
    Estimate,
    bootstrap_means,
    ece,
    interval,
    proportion,
    quantile,
    reliability,
    wilson,
)

SEED = 0
"""Seed of the bootstrap, so that the same ledger gives the same report."""
RELIABILITY_BINS = 10
TIME_BINS = 24


def build_report(
    rows: Iterable[Row],
    *,
    volume: int | None = None,
    always_llm: Mapping[str, Prediction] | None = None,
    canonical: Mapping[str, Canonical] | None = None,
    certificates: Mapping[str, Mapping[str, Any]] | None = None,
    lives: Mapping[str, Mapping[str, Any]] | None = None,
) -> Report:
    """Return the report on decisions and their outcomes.

    Args:
        rows: what ``Ledger.scan`` yields.
        volume: decisions per month and domain, for the monthly figures.
        always_llm: the LLM's answers by decision id, asked apart on a uniform draw of decisions.
        canonical: by domain, its ``canonical``; without it words come from the rows themselves.
        certificates: by domain, the JSON that ``trimtab certify`` wrote.
        lives: by domain, the state of its promise's windows.

    Raises:
        InputError: the volume is not positive, a row cannot be priced, or a certificate is none.
    """
    if volume is not None and volume <= 0:
        raise InputError(f"volume={volume} is not positive; give decisions per month, like 100000")
    by_domain: dict[str, list[Row]] = {}
    for row in rows:
        by_domain.setdefault(row[0].domain, []).append(row)
    issued = {
        domain: read_issued(plain, domain=domain) for domain, plain in (certificates or {}).items()
    }
    return Report(
        domains=tuple(
            _domain(
                by_domain[name],
                volume=volume,
                always_llm=always_llm or {},
                canonical=(canonical or {}).get(name),
                issued=issued.get(name),
                life=None if lives is None or name not in lives else read_life(lives[name]),
            )
            for name in sorted(by_domain)
        )
    )


def ledger_report(
    rows: Iterable[Row],
    *,
    volume: int | None = None,
    always_llm: Mapping[str, Prediction] | None = None,
    canonical: Mapping[str, Canonical] | None = None,
    certificates: Mapping[str, Mapping[str, Any]] | None = None,
    lives: Mapping[str, Mapping[str, Any]] | None = None,
) -> dict[str, Any]:
    """Return :func:`build_report` as one JSON object of schema ``trimtab.report/1``."""
    report = build_report(
        rows,
        volume=volume,
        always_llm=always_llm,
        canonical=canonical,
        certificates=certificates,
        lives=lives,
    )
    return report_to_json(report)


def _domain(
    rows: Sequence[Row],
    *,
    volume: int | None,
    always_llm: Mapping[str, Prediction],
    canonical: Canonical | None,
    issued: Issued | None,
    life: Life | None,
) -> DomainReport:
    rng = np.random.default_rng(SEED)
    items = read_items(rows, always_llm=always_llm, canonical=canonical)
    n = len(items)
    decisions = [item.decision for item in items]
    outcomes = [item.outcome for item in items if item.outcome is not None]
    usd = np.array([item.usd for item in items])
    low, high = interval(
        bootstrap_means(usd[:, None] * 1000, rng=rng, resamples=resamples_for(n))[:, 0]
    )
    usd_per_1000 = Estimate(value=float(usd.mean()) * 1000, low=low, high=high, n=n)
    comparison = compare(items, rng=rng)
    pairs = uniform_pairs(
        rows,
        canonical=canonical,
        bundle_id=decisions[-1].bundle_id if issued is None else issued.bundle_id,
        always_llm=always_llm,
    )
    promise = promise_report(decisions, pairs, issued=issued, life=life, rng=rng)
    stamps = [decision.created_at for decision in decisions]
    return DomainReport(
        domain=decisions[0].domain,
        n=n,
        first=min(stamps),
        last=max(stamps),
        bundles=dict(sorted(Counter(d.bundle_id for d in decisions).items())),
        outcomes=dict(sorted(Counter(outcome.source for outcome in outcomes).items())),
        quality=_quality(items),
        labels_selected=labels_selected(items),
        llm_share=proportion(sum(item.asked_llm for item in items), n),
        audited=sum(item.decision.audit for item in items),
        usd_per_1000=usd_per_1000,
        reasons=dict(sorted(Counter(d.route.reason for d in decisions).items())),
        parse_errors=sum(_parse_errors(item) for item in items),
        simulated=any(item.simulated for item in items),
        routes=_routes(items),
        calibration=_calibration(items),
        periods=_periods(items),
        comparison=comparison,
        promise=promise,
        curve=promise_curve(pairs, issued=issued, rng=rng),
        monthly=None if volume is None else _monthly(volume, usd_per_1000, comparison, promise),
        recursions=sampled_recursions(rows, rng=rng),
    )


def _quality(items: Sequence[Item]) -> Estimate | None:
    rewards = [item.outcome.reward for item in items if item.outcome is not None]
    return proportion(sum(rewards), len(rewards)) if rewards else None


def _parse_errors(item: Item) -> int:
    return int(sum(p.signals.get("parse_errors", 0.0) for p in item.decision.predictions))


def _routes(items: Sequence[Item]) -> tuple[RouteRow, ...]:
    groups: dict[str, list[Item]] = {}
    for item in items:
        groups.setdefault(item.route, []).append(item)
    rows = []
    for route, group in sorted(groups.items(), key=lambda entry: (-len(entry[1]), entry[0])):
        simulated = SIMULATED in route
        seconds = [] if simulated else [item.shown.latency_s for item in group]
        rows.append(
            RouteRow(
                route=route,
                n=len(group),
                share=proportion(len(group), len(items)),
                quality=_quality(group),
                p50_s=quantile(seconds, 0.5) if seconds else None,
                p95_s=quantile(seconds, 0.95) if seconds else None,
                simulated=simulated,
            )
        )
    return tuple(rows)


def _calibration(items: Sequence[Item]) -> Calibration | None:
    pairs = []
    for item in items:
        shown = shown_prediction(item.decision)
        if shown is not None and shown.confidence is not None and item.outcome is not None:
            pairs.append((shown.confidence, item.outcome.reward))
    if not pairs:
        return None
    confidence, right = zip(*pairs, strict=True)
    bins = reliability(confidence, right, bins=RELIABILITY_BINS)
    limits = [wilson(min(b.accuracy * b.n, b.n), b.n) for b in bins]
    return Calibration(
        n=len(pairs),
        ece=ece(confidence, right, bins=RELIABILITY_BINS),
        bins=tuple(bins),
        accuracy_low=tuple(low for low, _ in limits),
        accuracy_high=tuple(high for _, high in limits),
    )


def _periods(items: Sequence[Item]) -> tuple[Period, ...]:
    stamps = [item.decision.created_at for item in items]
    first, last = min(stamps), max(stamps)
    width = (last - first) / TIME_BINS or timedelta(microseconds=1)
    counts: dict[int, Counter[str]] = {}
    for item, stamp in zip(items, stamps, strict=True):
        index = min((stamp - first) // width, TIME_BINS - 1)
        counts.setdefault(index, Counter())[item.route] += 1
    return tuple(
        Period(
            start=first + index * width,
            end=first + (index + 1) * width,
            routes=dict(sorted(counts[index].items())),
        )
        for index in sorted(counts)
    )


def _monthly(
    volume: int, usd_per_1000: Estimate, comparison: Comparison, promise: PromiseReport
) -> Monthly:
    factor, savings, bill = volume / 1000, comparison.savings, promise.bill
    if bill is not None and promise.state in ("certified", "refused"):
        return Monthly(
            volume=volume,
            usd=_scaled(bill.usd_per_1000, factor),
            saved_usd=_scaled(bill.saved_usd_per_1000, factor),
            basis="promise",
        )
    return Monthly(
        volume=volume,
        usd=_scaled(usd_per_1000, factor),
        saved_usd=None if savings is None else _scaled(savings.usd_per_1000, factor),
        basis="routed",
    )


def _scaled(estimate: Estimate, factor: float) -> Estimate:
    low = None if estimate.low is None else estimate.low * factor
    high = None if estimate.high is None else estimate.high * factor
    return Estimate(value=estimate.value * factor, low=low, high=high, n=estimate.n)
