"""The grids of a recursive net, out of a ledger's traces and into a report."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np

from tests.evals.traffic import decision
from trimtab.evals.document import report_from_json, report_to_json
from trimtab.evals.page import render_page
from trimtab.evals.recursions import recursion_cells, recursions_of, sampled_recursions
from trimtab.evals.report import build_report
from trimtab.records import Decision, Outcome, Prediction

QUESTION = "1..4"
GRIDS = ("1234", "1224", "1224", "1324")


def solved(number: int, grids: tuple[str, ...] = GRIDS, *, kept: int = 3) -> Decision:
    """Return a decision whose net ran once per grid."""
    trace = {"grids": list(grids), "q": [float(n) for n in range(len(grids))], "kept": kept}
    net = Prediction(agent="trm", action=grids[kept - 1], confidence=0.9, trace=trace)
    return replace(decision(net, shown="trm", number=number, domain="puzzle"), state=QUESTION)


def told(one: Decision, reward: float) -> Outcome:
    return Outcome(decision_id=one.decision_id, reward=reward, source="checker", reference="1324")


def test_changed_cells_and_givens_are_told_apart() -> None:
    [shown] = recursions_of(solved(0, kept=4))
    steps = dict(recursion_cells(shown))
    looks = {number: [cell.look for row in rows for cell in row] for number, rows in steps.items()}
    assert looks[1] == ["given", "", "", "given"]
    assert looks[2] == ["given", "", "changed", "given"]
    assert looks[4] == ["given", "changed", "", "given"]
    assert [[cell.text for cell in row] for row in steps[2]] == [["1", "2"], ["2", "4"]]


def test_recursion_that_changes_nothing_is_drawn_only_if_it_is_kept() -> None:
    [kept] = recursions_of(solved(0, kept=3))
    [passed] = recursions_of(solved(0, kept=4))
    assert [number for number, _ in recursion_cells(kept)] == [1, 2, 3]
    assert [number for number, _ in recursion_cells(passed)] == [1, 2, 4]


def test_longest_and_a_few_others_are_shown_and_untraced_ones_never() -> None:
    rows = [(solved(n, GRIDS[: n % 3 + 1], kept=1), None) for n in range(20)]
    untraced = [(replace(d, predictions=()), None) for d, _ in rows]
    drawn = sampled_recursions([*rows, *untraced], rng=np.random.default_rng(0))
    assert len(drawn) == 3
    assert len({one.decision_id for one in drawn}) == 3
    assert len(drawn[0].grids) == 3
    assert sampled_recursions(untraced, rng=np.random.default_rng(0)) == ()


def test_report_draws_them_and_reads_back() -> None:
    first, second = solved(0), solved(1, ("<b>4",), kept=1)
    report = build_report([(first, told(first, 0.0)), (second, told(second, 0.0))])
    page = render_page(report)
    assert "step 2, q 1.0" in page
    assert '<td class="changed">2</td>' in page
    assert "4 recursions, number 3 kept, confidence 90" in page
    assert "<b>4" not in page
    plain = json.loads(json.dumps(report_to_json(report)))
    assert report_from_json({"schema": plain["schema"], "domains": plain["domains"]}) == report
