"""Figures that the demo shows: shares with intervals, tiers, verbatim answers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from trimtab.datasets.tables import LabelledText
from trimtab.records import Decision, Prediction
from trimtab.stats import proportion

VERBATIM = 3


def is_right(decision: Decision, row: LabelledText) -> bool:
    """Return whether the shown answer is the row's label."""
    return decision.answer == row.label


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
