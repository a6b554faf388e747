"""Streams that begin with a cold start and go on under the certificate it gave."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from tests.evals.traffic import LABELS, Row, decision, llm, outcome, small
from trimtab.agents.promise import certify, share_thresholds
from trimtab.agents.routing import PromiseRule
from trimtab.evals.pairs import uniform_pairs
from trimtab.evals.terms import read_issued


def cold_start(
    n: int,
    *,
    seed: int = 0,
    domain: str = "promised",
    llm_right: float = 0.95,
    labelled: bool = True,
) -> list[Row]:
    """Return n decisions that all asked the LLM; only where the answers differ is a label."""
    rng = np.random.default_rng(seed)
    rows: list[Row] = []
    for number in range(n):
        confidence = float(rng.uniform(0.3, 1.0))
        right = int(rng.integers(len(LABELS)))
        wrong = (right + 1) % len(LABELS)
        own = small(right if rng.random() < confidence else wrong, confidence=confidence)
        expert = llm(
            right if rng.random() < llm_right else wrong,
            usd=float(rng.uniform(1.5e-4, 2.5e-4)),
            latency_s=float(rng.lognormal(-0.5, 0.4)),
        )
        made = decision(
            own, expert, shown="llm", number=number, domain=domain, reason="uncertified"
        )
        needed = labelled and own.action != expert.action
        rows.append((made, outcome(made, right) if needed else None))
    return rows


def certificate(
    rows: list[Row], *, loss: float = 0.05, against: str = "gold", confidence: float = 0.95
) -> dict[str, Any]:
    """Return the JSON of the certificate that a cold start gives."""
    pairs = uniform_pairs(rows, canonical=lambda action: LABELS[int(action)])
    gains = [float(p.differs) if against.startswith("agreement") else p.gain for p in pairs]
    found = certify(
        [pair.cheap.confidence or 0.0 for pair in pairs],
        gains,
        loss=loss,
        confidence=confidence,
        thresholds=share_thresholds(np.linspace(0.3, 1.0, 200)),
        differs=[pair.differs for pair in pairs],
        against=against,
    )
    return {
        "schema": "trimtab.certificate/1",
        "domain": rows[0][0].domain,
        "bundle_id": rows[0][0].bundle_id,
        "llm": rows[0][0].predictions[-1].tier,
        "certificate": found.to_json(),
        "gain": None,
        "window": {
            "first": rows[0][0].created_at.isoformat(),
            "last": rows[-1][0].created_at.isoformat(),
            "n": len(rows),
            "planned": len(rows),
            "unlabelled": 0,
        },
        "attempt": 1,
        "asked": found.confidence,
    }


def kept(
    n: int, plain: dict[str, Any], *, seed: int = 1, audit_rate: float = 0.1, **how: Any
) -> list[Row]:
    """Return n decisions that a certificate routes, after those it was given for."""
    issued = read_issued(plain, domain=plain["domain"])
    rule = PromiseRule(certificate=issued.certificate, audit_rate=audit_rate, seed=seed)
    first = int(plain["window"]["n"])
    rows: list[Row] = []
    for made, given in cold_start(first + n, seed=seed, domain=plain["domain"], **how)[first:]:
        own, expert = made.predictions
        route = rule.route([own])
        audit = rule.admit(made.decision_id).audit
        asked = audit or route.agent == "llm"
        shown = next(p for p in (own, expert) if p.agent == route.agent)
        trail = made.predictions if asked else (own,)
        later = replace(
            made,
            action=shown.action,
            answer=LABELS[int(shown.action)],
            route=route,
            predictions=trail,
            usage=trail[0].usage + trail[1].usage if asked else own.usage,
            audit=audit,
            propensity=audit_rate if audit else 1.0 - audit_rate,
        )
        judged = asked and given is not None and given.reference is not None
        rows.append(
            (
                later,
                outcome(later, LABELS.index(str(given.reference))) if judged and given else None,
            )
        )
    return rows


def promises() -> tuple[list[Row], dict[str, dict[str, Any]]]:
    """Return a domain with a certificate, one that refuses the LLM, and their certificates."""
    rows: list[Row] = []
    found: dict[str, dict[str, Any]] = {}
    for domain, llm_right, later in (("promised", 0.95, 300), ("refusing", 0.3, 100)):
        start = cold_start(300, domain=domain, llm_right=llm_right)
        found[domain] = certificate(start)
        rows += [*start, *kept(later, found[domain], llm_right=llm_right)]
    return rows, found
