"""What was promised in a domain, what the promise costs, and whether audits still bear it out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

import numpy as np

from trimtab.agents.issued import Issued, Withdrawal
from trimtab.agents.promise import Certificate
from trimtab.agents.routing import PromiseRule
from trimtab.agents.slices import Slice
from trimtab.evals.curve import Curve, Floats, Swept, mean_with_bounds, sweep
from trimtab.evals.items import LLM
from trimtab.evals.pairs import Pair
from trimtab.evals.policies import resamples_for, saved_fraction
from trimtab.evals.promise_life import Life
from trimtab.evals.promise_slices import by_category, promise_slices
from trimtab.evals.terms import Bools, measured_gains, shown_cheap
from trimtab.records import Decision
from trimtab.stats import Estimate, bootstrap_means, interval, proportion

State = Literal["none", "uncertified", "failed", "certified", "refused", "withdrawn"]

_NOT_ROUTED = ("uncertified", "forced", "human", "spending")
"""Reasons of decisions that no certificate routed, and no audit was drawn for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bill:
    """What the certificate's rule costs on the uniform requests, audits included.

    Attributes:
        usd_per_1000: US dollars per 1,000 requests.
        saved_usd_per_1000: less than always asking the LLM; below 0 where it costs more.
        fraction: the part of the bill of always asking that is saved; None where that is 0.
    """

    usd_per_1000: Estimate
    saved_usd_per_1000: Estimate
    fraction: Estimate | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Audits:
    """What was routed, refused and audited since the certificate, or at all without one.

    Attributes:
        since: end of the certificate's window; None without a certificate.
        decisions: routed by a rule, on the same bundle.
        n: of them audited.
        share: the same as a share; None without decisions.
        answered: audits that the LLM answered.
        unlabelled: of them those whose right answer must be known and is not.
        loss: paired net loss of the shown answers against the LLM's; None while labels are
            missing, or without audits.
        loss_low, loss_high: 95 % bounds, whatever the missing labels may say; None without audits.
        refused: decisions that the small models answered because the LLM is refused.
        llm_share: decisions that asked the LLM while the caller waited; None without decisions.
    """

    since: datetime | None
    decisions: int
    n: int
    share: Estimate | None
    answered: int
    unlabelled: int
    loss: float | None
    loss_low: float | None
    loss_high: float | None
    refused: int
    llm_share: Estimate | None


@dataclass(frozen=True, slots=True, kw_only=True)
class PromiseReport:
    """The promise of one domain.

    Attributes:
        state: ``none``: not asked for; ``uncertified``: asked for, without a certificate yet;
            ``failed``: tried and not certified; ``certified``; ``refused``: never asking the LLM
            is certified; ``withdrawn``: certified, and taken back by an alarm.
        certificate: what was shown; None in the first two states.
        asked: confidence that was asked for.
        bundle_id: the weights that the promise, or the newest decision, is about.
        current: whether the newest decision is of these weights.
        first, last: when the window's requests were decided.
        uniform: requests drawn uniformly on which both answers are known.
        unlabelled: of them those whose right answer must be known and is not.
        llm_share: share of the uniform requests on which the certificate's rule asks the LLM.
        bill: of that rule.
        audits: what came after.
        withdrawal: the alarm that took the certificate back; None while it is in force.
        alarms: how many took one back so far, on these weights.
        slices: the promise by category or by the small models' answer, on requests drawn uniformly
            after the certificate's window; empty without a certificate.
        sliced_by: which of the two.
        life: its windows; None where nothing is known of them.
    """

    state: State
    certificate: Certificate | None
    asked: float | None
    bundle_id: str
    current: bool
    first: datetime | None
    last: datetime | None
    uniform: int
    unlabelled: int
    llm_share: Estimate | None
    bill: Bill | None
    audits: Audits
    withdrawal: Withdrawal | None = None
    alarms: int = 0
    slices: tuple[Slice, ...] = ()
    life: Life | None = None
    sliced_by: Literal["category", "answer"] = "answer"


def promise_report(
    decisions: Sequence[Decision],
    pairs: Sequence[Pair],
    *,
    issued: Issued | None,
    life: Life | None = None,
    rng: np.random.Generator,
) -> PromiseReport:
    """Return what is promised and what came of it.

    Args:
        decisions: of one domain, oldest first, at least one.
        pairs: its uniform pairs of the bundle that the promise is about.
        issued: its certificate, if there is one.
        life: its windows, if they are known.
        rng: of the bootstrap.
    """
    bundle_id = decisions[-1].bundle_id if issued is None else issued.bundle_id
    audits = _audits(decisions, pairs, issued, bundle_id)
    gains = measured_gains(pairs, issued)
    # what a controller would have done on other rows is not read off a score
    asked = None if issued is None or issued.is_controller else ~shown_cheap(pairs, issued)
    bill = None
    if asked is not None and len(asked):
        bill = _bill(pairs, asked, 0.0 if audits.share is None else audits.share.value, rng)
    return PromiseReport(
        state="uncertified" if issued is None and life is not None else _state(decisions, issued),
        certificate=None if issued is None else issued.certificate,
        asked=None if issued is None else issued.asked,
        bundle_id=bundle_id,
        current=decisions[-1].bundle_id == bundle_id,
        first=None if issued is None else issued.first,
        last=None if issued is None else issued.last,
        uniform=len(pairs),
        unlabelled=int(np.isnan(gains).sum()),
        llm_share=None
        if asked is None or not len(asked)
        else proportion(float(asked.sum()), len(asked)),
        bill=bill,
        audits=audits,
        withdrawal=None if issued is None else issued.withdrawn,
        alarms=0 if issued is None else len(issued.withdrawals),
        slices=() if issued is None else promise_slices(pairs, issued),
        life=life,
        sliced_by="category" if by_category(pairs) else "answer",
    )


def promise_curve(
    pairs: Sequence[Pair], *, issued: Issued | None, rng: np.random.Generator
) -> Curve | None:
    """Return cost against quality over the uniform pairs, None where there are none.

    Where labels are missing on requests after a certificate's window, that window is taken.
    """
    chosen = list(pairs)
    if issued is not None and np.isnan(measured_gains(chosen, issued)).any():
        within = [p for p in chosen if issued.first <= p.decision.created_at <= issued.last]
        chosen = within or chosen
    if not chosen:
        return None
    rule = PromiseRule() if issued is None else issued.rule()
    right = [pair.llm_right for pair in chosen]
    judged = [value for value in right if value is not None]
    swept = Swept(
        scores=np.array([rule.score(pair.cheap) for pair in chosen]),
        gains=measured_gains(chosen, issued),
        cheap_usd=np.array([pair.cheap_usd for pair in chosen]),
        llm_usd=np.array([pair.llm_usd for pair in chosen]),
        llm_right=sum(judged) / len(judged) if len(judged) == len(right) else None,
    )
    return sweep(
        swept,
        shown=None if issued is None or issued.is_controller else shown_cheap(chosen, issued),
        score="confidence" if rule.gain is None else "gain",
        against="outcomes" if issued is None else issued.certificate.against,
        rng=rng,
        resamples=resamples_for(len(chosen)),
    )


def _state(decisions: Sequence[Decision], issued: Issued | None) -> State:
    if issued is None:
        waiting = any(decision.route.reason == "uncertified" for decision in decisions)
        return "uncertified" if waiting else "none"
    if issued.withdrawn is not None:
        return "withdrawn"
    if issued.certificate.refused:
        return "refused"
    return "certified" if issued.certificate.certified else "failed"


def _audits(
    decisions: Sequence[Decision], pairs: Sequence[Pair], issued: Issued | None, bundle_id: str
) -> Audits:
    routed = [
        decision
        for decision in decisions
        if decision.bundle_id == bundle_id
        and decision.route.reason not in _NOT_ROUTED
        and (issued is None or decision.created_at > issued.last)
    ]
    ids = {decision.decision_id for decision in routed if decision.audit}
    answered = [pair for pair in pairs if pair.decision.decision_id in ids]
    own = np.array([pair.decision.route.agent == LLM for pair in answered], dtype=np.bool_)
    losses = np.where(own, 0.0, measured_gains(answered, issued))
    missing = np.isnan(losses)
    least = mean_with_bounds(np.where(missing, -1.0, losses)) if len(losses) else None
    most = mean_with_bounds(np.where(missing, 1.0, losses)) if len(losses) else None
    return Audits(
        since=None if issued is None else issued.last,
        decisions=len(routed),
        n=len(ids),
        share=proportion(len(ids), len(routed)) if routed else None,
        answered=len(answered),
        unlabelled=int(missing.sum()),
        loss=None if least is None or missing.any() else least.value,
        loss_low=None if least is None else least.low,
        loss_high=None if most is None else most.high,
        refused=sum(decision.route.reason == "refused" for decision in routed),
        llm_share=proportion(sum(d.route.agent == LLM for d in routed), len(routed))
        if routed
        else None,
    )


def _bill(
    pairs: Sequence[Pair],
    asked: Bools,
    audit_rate: float,
    rng: np.random.Generator,
) -> Bill:
    always = np.array([pair.llm_usd for pair in pairs])
    usd = np.array([pair.cheap_usd for pair in pairs]) + np.where(asked, 1.0, audit_rate) * always
    n = len(pairs)
    draws = bootstrap_means(
        np.column_stack([usd, always]) * 1000, rng=rng, resamples=resamples_for(n)
    )
    return Bill(
        usd_per_1000=_money(usd, draws[:, 0]),
        saved_usd_per_1000=_money(always - usd, draws[:, 1] - draws[:, 0]),
        fraction=saved_fraction(usd, always, draws[:, 0], draws[:, 1]),
    )


def _money(usd: Floats, draws: Floats) -> Estimate:
    low, high = interval(draws)
    return Estimate(value=float(usd.mean()) * 1000, low=low, high=high, n=len(usd))
