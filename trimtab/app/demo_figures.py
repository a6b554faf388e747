"""Figures that the demo shows: shares with intervals, tiers, verbatim answers."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from trimtab.datasets.tables import LabelledText
from trimtab.graphs.nodes import DecideNodes
from trimtab.graphs.state import DecideContext
from trimtab.records import Decision, Prediction, Usage
from trimtab.stats import proportion

VERBATIM = 3


def is_right(decision: Decision, row: LabelledText) -> bool:
    """Return whether the shown answer is the row's label."""
    return decision.answer == row.label


def llm_figures(
    asked: Sequence[LabelledText],
    decisions: Sequence[Decision],
    says: Callable[[Prediction, LabelledText], bool],
) -> dict[str, Any]:
    """Return how the LLM and the small models did on the same requests, and at what price.

    A request without a readable answer counts as wrong, and what it cost is counted.
    """
    answers = [d.predictions[-1] for d in decisions if d.route.agent == "llm"]
    small = sum((d.predictions[0].usage for d in decisions), Usage())
    usage = sum((d.usage for d in decisions), Usage())
    n = len(decisions)
    return {
        "model": answers[0].tier if answers else None,
        "n": n,
        "unreadable": n - len(answers),
        "llm": rate(
            d.route.agent == "llm" and is_right(d, row)
            for row, d in zip(asked, decisions, strict=True)
        ),
        "small_models": rate(
            says(d.predictions[0], row) for row, d in zip(asked, decisions, strict=True)
        ),
        "usd_per_1000": 1000 * (usage.cost_usd - small.cost_usd) / n,
        "latency_s": (usage.latency_s - small.latency_s) / n,
    }


def graph_path(nodes: DecideNodes, domain: str, text: str) -> list[str]:
    """Return the nodes of the compiled graph that one request runs through."""
    from trimtab.graphs.decide import build

    path: list[str] = []
    context = DecideContext(domain=domain)
    for update in build(nodes).stream({"text": text}, context=context, stream_mode="updates"):
        path += update
    return path


def by_tier(answers: Sequence[Prediction], right: Sequence[bool]) -> dict[str, dict[str, Any]]:
    """Return share, CPU time and quality of each tier, the busiest first."""
    places: dict[str, list[int]] = {}
    for place, answer in enumerate(answers):
        places.setdefault(answer.tier, []).append(place)
    return {
        tier: {
            "n": len(own),
            "share": len(own) / len(answers),
            "cpu_ms": 1e3 * float(np.mean([answers[i].usage.cpu_s for i in own])),
            **rate(right[i] for i in own),
        }
        for tier, own in sorted(places.items(), key=lambda item: -len(item[1]))
    }


def rate(right: Iterable[bool]) -> dict[str, Any]:
    """Return the share of right answers with its 95 % interval, None where there is none."""
    flags = list(right)
    if not flags:
        return {"accuracy": None, "low": None, "high": None}
    share = proportion(sum(flags), len(flags))
    return {"accuracy": share.value, "low": share.low, "high": share.high}


def verbatim(answered: list[tuple[LabelledText, Decision]]) -> list[Mapping[str, Any]]:
    """Return a few requests with the LLM's answer, one that it got wrong among them if any."""
    wrong = [pair for pair in answered if pair[1].answer != pair[0].label][:1]
    others = [pair for pair in answered if pair not in wrong][: VERBATIM - len(wrong)]
    return [
        {"text": row.text, "answer": decision.answer, "truth": row.label}
        for row, decision in (*others, *wrong)
    ]
