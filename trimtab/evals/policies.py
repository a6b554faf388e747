"""What routing, never asking, always asking and asking at random did on the same items."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from trimtab.evals.items import Item
from trimtab.evals.judged import Floats, Judged, PolicyName, judge
from trimtab.stats import (
    Estimate,
    bootstrap_means,
    interval,
    paired_bootstrap,
    paired_proportion_difference,
    proportion,
    quantile,
)

RESAMPLES = 2000
_MAX_DRAWS = 20_000_000  # resamples times items: keeps a million rows within seconds
_FEWEST_RESAMPLES = 400


NO_OUTCOMES = (
    "No outcomes yet, so quality is not known; report what became of decisions with "
    "client.feedback(decision_id, answer=…)."
)
NOT_JUDGED = (
    "No decision compared here has an outcome that judges every answer; give the right answer "
    "with client.feedback(decision_id, answer=…), not only a reward."
)
ONLY_DIFFERING = (
    "Mostly requests on which the answers differ were judged: differences in quality are known, "
    "the quality of all traffic is not."
)
LABELS_MISSING = (
    "Mostly requests on which the answers differ were judged, and not all of these, so neither "
    "the quality of all traffic nor a difference is known; run: trimtab label."
)
NO_SMALL_ANSWER = (
    "Some items compared here have no answer without the LLM (mode llm_only), so never asking "
    "and asking at random are not known."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyRow:
    """One policy on the compared items; None is a figure that is not known.

    ``llm_share`` is the share of items on which the caller waited for the LLM.
    """

    policy: PolicyName
    quality: Estimate | None
    llm_share: Estimate
    usd_per_1000: Estimate
    p50_s: Estimate | None
    p95_s: Estimate | None
    simulated: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Savings:
    """Baseline minus ours, paired by item; below 0 where routing costs more.

    Attributes:
        usd_per_1000: US dollars saved per 1,000 decisions.
        fraction: the part of the baseline's bill that is saved; None where that bill is 0.
        quality_difference: routed minus always asking; None without outcomes.
        quality_over_random: routed minus random at equal share; None where either is not known.
    """

    usd_per_1000: Estimate
    fraction: Estimate | None
    quality_difference: Estimate | None
    quality_over_random: Estimate | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """Policies on the same items; without a baseline ``rows`` is empty and ``missing`` says why.

    Attributes:
        sample: ``all`` decisions, or a ``uniform`` draw of them.
        n: items compared.
        n_quality: those of them on which every policy's answer could be judged.
        rows: one per policy; ``never_llm`` and ``random`` only where the small models answered.
        savings: against always asking the LLM.
        missing: what is not known and how to learn it; empty if nothing.
    """

    sample: Literal["all", "uniform", "none"]
    n: int
    n_quality: int
    rows: tuple[PolicyRow, ...]
    savings: Savings | None
    missing: str


def compare(items: Sequence[Item], *, rng: np.random.Generator) -> Comparison:
    """Return the policies on the items where the LLM's answer is known without selection.

    Those are all items if the LLM answered each (degraded ones aside), else the uniform draw:
    audits and answers asked apart, or the cold start while there are none of these. Audits are
    charged to routing at the rate at which they occur. Random routing asks only the LLM with the
    probability at which ours did, else only the small models; it is taken in expectation, so it
    adds no noise of its own.
    """
    chosen, sample = _sample(items)
    if not chosen:
        missing = _why_no_baseline(items)
        return Comparison(sample="none", n=0, n_quality=0, rows=(), savings=None, missing=missing)
    share = _mean([item.asked_llm for item in chosen])
    # no audits are drawn in a cold start, so it does not dilute their rate
    audits = [i.decision.audit for i in items if i.decision.route.reason != "uncertified"]
    usd = _usd(chosen, share=share, audit_rate=_mean(audits))
    judged = judge(chosen, share=share)
    means = bootstrap_means(
        np.column_stack(list(usd.values())), rng=rng, resamples=resamples_for(len(chosen))
    )
    draws = dict(zip(usd, means.T, strict=True))
    return Comparison(
        sample=sample,
        n=len(chosen),
        n_quality=judged.paired["routed"].size,
        rows=tuple(_row(name, chosen, usd[name], draws[name], judged, share) for name in usd),
        savings=_savings(usd, draws, judged.paired, rng),
        missing=" ".join(_gaps(chosen, usd, judged)),
    )


def resamples_for(n: int) -> int:
    """Return how many bootstrap resamples of n items are drawn."""
    return max(_FEWEST_RESAMPLES, min(RESAMPLES, _MAX_DRAWS // max(n, 1)))


def saved_fraction(
    usd: Floats, always: Floats, usd_draws: Floats, always_draws: Floats
) -> Estimate | None:
    """Return the part of the bill of always asking that is saved; None where that bill is 0.

    Args:
        usd: `[n]` US dollars of what is compared.
        always: `[n]` of always asking the LLM.
        usd_draws: `[B]` bootstrap means of the first.
        always_draws: `[B]` of the second, on the same resamples.
    """
    if always.sum() <= 0:
        return None
    paid = always_draws > 0
    low, high = interval(1.0 - usd_draws[paid] / always_draws[paid])
    value = float((always - usd).sum() / always.sum())
    return Estimate(value=value, low=low, high=high, n=usd.size)


def _sample(items: Sequence[Item]) -> tuple[list[Item], Literal["all", "uniform", "none"]]:
    known = [item for item in items if item.llm is not None]
    if known and all(i.llm or i.decision.route.reason == "degraded" for i in items):
        return known, "all"
    uniform = [item for item in known if item.uniform]
    # a cold start asks the LLM on every request, later audits ask on few: mixed, they would show
    # the cold start many times too large
    later = [item for item in uniform if item.decision.route.reason != "uncertified"]
    return (later or uniform, "uniform") if uniform else ([], "none")


def _why_no_baseline(items: Sequence[Item]) -> str:
    asked = sum(item.llm is not None for item in items)
    remedy = (
        "Ask it on a uniform sample of these decisions, by audits or apart, "
        "and hand its answers in: ledger_report(rows, always_llm=…)."
    )
    if asked == 0:
        return (
            "The LLM was never asked, so what always asking it would cost and score is not known. "
            + remedy
        )
    return (
        f"The LLM answered {asked:,} of {len(items):,} decisions, picked because they needed it; "
        f"they say nothing about the others, so always asking it has no known price. {remedy}"
    )


def _usd(items: Sequence[Item], *, share: float, audit_rate: float) -> dict[PolicyName, Floats]:
    """Return `[n]` US dollars of each policy; the keys are the policies that are known."""
    always = np.array([item.llm.usd for item in items if item.llm is not None])
    audited = np.array([0.0 if item.asked_llm else audit_rate for item in items])
    routed = np.array([item.shown.usd for item in items]) + audited * always
    small = [item.without_llm.usd for item in items if item.without_llm is not None]
    if len(small) < len(items):
        return {"routed": routed, "always_llm": always}
    never = np.array(small)
    random = (1 - share) * never + share * always
    return {"routed": routed, "always_llm": always, "never_llm": never, "random": random}


def _row(
    policy: PolicyName,
    items: Sequence[Item],
    usd: Floats,
    draws: Floats,
    judged: Judged,
    share: float,
) -> PolicyRow:
    scores = judged.right[policy]
    n = len(items)
    shares: dict[PolicyName, Estimate] = {
        "routed": proportion(sum(item.asked_llm for item in items), n),
        "always_llm": Estimate(value=1.0, low=None, high=None, n=n),
        "never_llm": Estimate(value=0.0, low=None, high=None, n=n),
        "random": Estimate(value=share, low=None, high=None, n=n),
    }
    latency = {
        "routed": [item.shown.latency_s for item in items],
        "always_llm": [item.llm.latency_s for item in items if item.llm],
        "never_llm": [item.without_llm.latency_s for item in items if item.without_llm],
    }.get(policy)
    low, high = interval(draws * 1000)
    return PolicyRow(
        policy=policy,
        quality=proportion(min(float(scores.sum()), scores.size), scores.size)
        if scores.size
        else None,
        llm_share=shares[policy],
        usd_per_1000=Estimate(value=float(usd.mean()) * 1000, low=low, high=high, n=n),
        p50_s=quantile(latency, 0.5) if latency else None,
        p95_s=quantile(latency, 0.95) if latency else None,
        simulated=policy != "never_llm" and any(item.simulated for item in items),
    )


def _savings(
    usd: dict[PolicyName, Floats],
    draws: dict[PolicyName, Floats],
    paired: dict[PolicyName, Floats],
    rng: np.random.Generator,
) -> Savings:
    random, judged = paired.get("random"), paired["routed"].size
    n = usd["routed"].size
    saved = usd["always_llm"] - usd["routed"]
    low, high = interval((draws["always_llm"] - draws["routed"]) * 1000)
    return Savings(
        usd_per_1000=Estimate(value=float(saved.mean()) * 1000, low=low, high=high, n=n),
        fraction=saved_fraction(
            usd["routed"], usd["always_llm"], draws["routed"], draws["always_llm"]
        ),
        quality_difference=_difference(paired["routed"], paired["always_llm"], rng)
        if judged
        else None,
        quality_over_random=None
        if random is None or not judged
        else paired_bootstrap(paired["routed"], random, rng=rng, resamples=resamples_for(judged)),
    )


def _difference(first: Floats, second: Floats, rng: np.random.Generator) -> Estimate:
    if np.isin(np.concatenate([first, second]), (0.0, 1.0)).all():
        return paired_proportion_difference(first, second)
    return paired_bootstrap(first, second, rng=rng, resamples=resamples_for(first.size))


def _gaps(items: Sequence[Item], usd: dict[PolicyName, Floats], judged: Judged) -> list[str]:
    gaps = []
    if judged.selected:
        gaps.append(LABELS_MISSING if judged.paired["routed"].size == 0 else ONLY_DIFFERING)
    elif judged.right["routed"].size == 0:
        any_outcome = any(item.outcome is not None for item in items)
        gaps.append(NOT_JUDGED if any_outcome else NO_OUTCOMES)
    if "never_llm" not in usd:
        gaps.append(NO_SMALL_ANSWER)
    return gaps


def _mean(flags: Sequence[bool]) -> float:
    return sum(flags) / len(flags) if flags else 0.0
