"""Figures of the benchmark ``refusal``."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from trimtab.agents.issued import Issued
from trimtab.bench.choices_measures import as_measure
from trimtab.bench.result import Measure
from trimtab.domains.choices import Choices
from trimtab.records import Decision
from trimtab.settings import Settings
from trimtab.stats import paired_bootstrap, proportion


def refusal_measures(
    first: Sequence[Decision],
    found: Sequence[Decision],
    labels: Sequence[str],
    domain: Choices,
    issued: Issued,
    settings: Settings,
    rng: np.random.Generator,
) -> dict[str, Measure]:
    """Return what routing under the certificate cost and bought, audits included.

    Args:
        first: the decisions of the cold start.
        found: those under the certificate.
        labels: right answers of ``found``.
        domain: spells actions.
        issued: the certificate.
        settings: the audit rate.
        rng: for the bootstrap.
    """
    shown = np.array([d.answer == label for d, label in zip(found, labels, strict=True)], float)
    alone = np.array(
        [
            domain.canonical(d.predictions[0].action) == label
            for d, label in zip(found, labels, strict=True)
        ],
        float,
    )
    asked = [any(p.agent == "llm" for p in d.predictions) for d in found]
    waited = [d.route.agent == "llm" for d in found]
    spent = np.array([d.usage.cost_usd for d in found])
    answers = [
        p.usage.cost_usd for d in (*first, *found) for p in d.predictions if p.agent == "llm"
    ]
    gap = paired_bootstrap(alone, shown, rng=rng)
    always = float(np.mean(answers)) if answers else None
    return {
        "llm_share": _share(sum(asked), len(found)),
        "escalation": _share(sum(waited), len(found)),
        "audit_rate": Measure(value=settings.audit_rate, unit="share"),
        "accuracy": _share(int(shown.sum()), len(found)),
        "policy_accuracy": _share(int(alone.sum()), len(found)),
        "accuracy_gap": as_measure(gap, "share"),
        "saved": Measure(
            value=None if always is None else 1.0 - float(spent.mean()) / always,
            unit="share of always asking the LLM",
        ),
        "usd_per_1000": Measure(value=1000.0 * float(spent.mean()), unit="USD"),
        "certified": Measure(value=float(issued.certificate.certified), unit="0 or 1"),
        "refused": Measure(value=float(issued.certificate.refused), unit="0 or 1"),
        "labels": Measure(value=float(issued.certificate.labels), unit="requests"),
    }


def cold_measures(
    first: Sequence[Decision], labels: Sequence[str], domain: Choices
) -> dict[str, Measure]:
    """Return what the cold start says of the LLM and the small models."""
    answers = [d.predictions[-1] for d in first if d.predictions[-1].agent == "llm"]
    right = sum(
        domain.canonical(d.predictions[-1].action) == label
        for d, label in zip(first, labels, strict=True)
        if d.predictions[-1].agent == "llm"
    )
    return {
        "cold_start": Measure(value=float(len(first)), unit="requests"),
        "llm_accuracy": _share(right, len(answers)),
        "unreadable": Measure(value=float(len(first) - len(answers)), unit="requests"),
    }


def _share(k: int, n: int) -> Measure:
    return as_measure(proportion(k, n), "share") if n else Measure(value=None, unit="share")
