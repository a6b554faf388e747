"""The promise by slices of the traffic."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from tests.evals.promised import certificate, cold_start
from tests.evals.traffic import LABELS, Row
from trimtab.agents.slices import Slice
from trimtab.evals.pairs import uniform_pairs
from trimtab.evals.promise_slices import promise_slices
from trimtab.evals.report import build_report
from trimtab.evals.summary import headlines
from trimtab.evals.terms import read_issued


def before() -> dict[str, Any]:
    """Return a certificate for never asking the LLM, of a window before all that follows."""
    rows = cold_start(300, llm_right=0.2)
    plain = certificate(rows, loss=0.05)
    assert plain["certificate"]["refused"]
    return plain


def after(n: int, *, llm_right: float, labelled: bool = True) -> list[Row]:
    """Return uniform requests a year later."""
    rows = cold_start(n, seed=1, llm_right=llm_right, labelled=labelled)
    year = timedelta(days=365)
    return [
        (
            replace(
                made, decision_id=f"late-{made.decision_id}", created_at=made.created_at + year
            ),
            o,
        )
        for made, o in rows
    ]


def sliced(rows: list[Row], plain: dict[str, Any]) -> tuple[Slice, ...]:
    pairs = uniform_pairs(rows, canonical=lambda action: LABELS[int(action)])
    return promise_slices(pairs, read_issued(plain, domain="promised"))


def test_answers_that_lose_are_named_in_words() -> None:
    plain = before()
    rows = after(1800, llm_right=1.0)
    found = sliced(rows, plain)
    assert {one.verdict for one in found} == {"loses"}
    assert {one.category for one in found} == set(LABELS)
    report = build_report(
        rows, canonical={"promised": lambda a: LABELS[int(a)]}, certificates={"promised": plain}
    )
    said = " ".join(headlines(report.domains[0]))
    assert "more than 10 points below" in said
    assert all(f"{label} (n = " in said for label in LABELS)


def test_answers_that_lose_nothing_are_kept() -> None:
    assert {one.verdict for one in sliced(after(1800, llm_right=0.2), before())} == {"kept"}


@pytest.mark.parametrize("llm_right", [0.2, 1.0])
def test_missing_labels_leave_the_verdict_open(llm_right: float) -> None:
    found = sliced(after(1800, llm_right=llm_right, labelled=False), before())
    assert {one.verdict for one in found} == {"open"}


def test_few_requests_are_not_judged() -> None:
    assert {one.verdict for one in sliced(after(300, llm_right=1.0), before())} == {"too few"}


def test_requests_of_the_window_judge_nothing() -> None:
    rows = cold_start(1800, llm_right=0.2)
    assert sliced(rows, certificate(rows, loss=0.05)) == ()


def test_withdrawn_certificate_is_judged_by_the_rule_it_had() -> None:
    plain = before()
    taken = {"alarm": "A2", "at": "2027-02-01T00:00:00+00:00", "window": 1, "looked": 1}
    rows = after(1800, llm_right=1.0)
    assert sliced(rows, {**plain, "withdrawals": [taken]}) == sliced(rows, plain)


def test_where_callers_name_categories_the_promise_is_judged_by_them() -> None:
    rows = after(1800, llm_right=1.0)
    named = [
        (replace(made, category="bills" if place % 2 else ""), outcome)
        for place, (made, outcome) in enumerate(rows)
    ]
    plain = before()
    found = sliced(named, plain)
    assert [(one.category, one.n) for one in found] == [("bills", 900), ("none", 900)]
    report = build_report(
        named, canonical={"promised": lambda a: LABELS[int(a)]}, certificates={"promised": plain}
    )
    assert "By category" in " ".join(headlines(report.domains[0]))
