"""Small streams of decisions with known figures, for the tests of the report."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np

from trimtab.records import Decision, Outcome, Prediction, Reason, Route, Usage

START = datetime(2026, 1, 5, 9, 0, tzinfo=UTC)
LABELS = ("search", "summarise", "compare", "out_of_scope")
Row = tuple[Decision, Outcome | None]


def small(
    action: int, *, confidence: float = 0.9, usd: float = 1e-6, tier: str = "static"
) -> Prediction:
    usage = Usage(cpu_s=usd * 10, latency_s=0.0004, cost_usd=usd)
    return Prediction(agent="policy", action=action, confidence=confidence, usage=usage, tier=tier)


def llm(
    action: int | str,
    *,
    usd: float = 2e-4,
    latency_s: float = 0.8,
    tier: str = "gpt-4o-mini-2024-07-18",
) -> Prediction:
    usage = Usage(prompt_tokens=900, completion_tokens=8, latency_s=latency_s, cost_usd=usd)
    return Prediction(agent="llm", action=action, confidence=None, usage=usage, tier=tier)


def decision(
    *predictions: Prediction,
    shown: str,
    number: int = 0,
    domain: str = "assistant",
    reason: Reason = "confident",
    audit: bool = False,
    labels: tuple[str, ...] = LABELS,
) -> Decision:
    chosen = next(p for p in reversed(predictions) if p.agent == shown)
    answer = labels[chosen.action] if isinstance(chosen.action, int) else chosen.action
    return Decision(
        decision_id=f"{domain}-{number:05d}",
        domain=domain,
        state=f"request {number}",
        action=chosen.action,
        answer=answer,
        route=Route(agent=shown, reason=reason, confidence=chosen.confidence, threshold=0.7),
        predictions=predictions,
        usage=sum((p.usage for p in predictions), Usage()),
        bundle_id="b" * 64,
        propensity=0.02 if audit else 0.98,
        created_at=START + timedelta(seconds=37 * number),
        audit=audit,
    )


def outcome(given: Decision, right: int, labels: tuple[str, ...] = LABELS) -> Outcome:
    return Outcome(
        decision_id=given.decision_id,
        reward=float(given.answer == labels[right]),
        source="checker",
        reference=labels[right],
    )


def stream(
    n: int,
    *,
    seed: int = 0,
    domain: str = "assistant",
    threshold: float = 0.7,
    audit_rate: float = 0.1,
    llm_right: float = 0.95,
    llm_usd: float = 2e-4,
    tier: str = "gpt-4o-mini-2024-07-18",
    outcomes: bool = True,
    labels: tuple[str, ...] = LABELS,
) -> list[Row]:
    """Return n routed decisions: a calibrated small model in two tiers, an LLM, some audits."""
    rng = np.random.default_rng(seed)
    rows: list[Row] = []
    for number in range(n):
        confidence = float(rng.uniform(0.3, 1.0))
        right = int(rng.integers(len(labels)))
        wrong = (right + 1) % len(labels)
        rung, usd = ("static", 1e-6) if confidence > 0.8 else ("minilm", 8e-6)
        own = small(
            right if rng.random() < confidence else wrong, confidence=confidence, usd=usd, tier=rung
        )
        expert = llm(
            right if rng.random() < llm_right else wrong,
            usd=llm_usd * float(rng.uniform(0.8, 1.3)),
            latency_s=float(rng.lognormal(-0.5, 0.4)),
            tier=tier,
        )
        fails, audit = rng.random() < 0.02, bool(rng.random() < audit_rate)
        if confidence >= threshold:
            trail = (own, expert) if audit else (own,)
            made = decision(
                *trail, shown="policy", number=number, domain=domain, audit=audit, labels=labels
            )
        elif fails:
            made = decision(
                own, shown="policy", number=number, domain=domain, reason="degraded", labels=labels
            )
        else:
            made = decision(
                own,
                expert,
                shown="llm",
                number=number,
                domain=domain,
                reason="uncertain",
                audit=audit,
                labels=labels,
            )
        rows.append((made, outcome(made, right, labels) if outcomes else None))
    return rows
