from __future__ import annotations

import itertools
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.evals.traffic import decision, llm, small, stream
from trimtab.evals import plots
from trimtab.evals.drawing import BOTTOM, HEIGHT, TOP, round_values, spread
from trimtab.evals.report import build_report


@given(st.floats(-1e6, 1e6), st.floats(1e-7, 1e6))
def test_ticks_are_few_and_inside(low: float, width: float) -> None:
    ticks = round_values(low, low + width)
    assert len(ticks) <= 7
    slack = 1e-9 * max(abs(low), width, 1.0)
    assert all(low - slack <= tick <= low + width + slack for tick in ticks)


@given(st.lists(st.floats(0, 300), max_size=6))
def test_labels_stay_apart_and_never_move_up(heights: list[float]) -> None:
    moved = sorted(spread(heights))
    assert all(b - a >= 15.99 for a, b in itertools.pairwise(moved))
    assert all(new >= old for new, old in zip(spread(heights), heights, strict=True))


def test_every_policy_is_a_mark_of_its_own_shape() -> None:
    [domain] = build_report(stream(300)).domains
    drawn = ET.fromstring(plots.cost_quality(domain.comparison.rows, ["a", "b", "c", "d"]))
    marks = [node.get("d", "") for node in drawn.iter("path")]
    shapes = {"".join(letter for letter in mark if letter.isalpha()) for mark in marks}
    assert (len(marks), len(shapes)) == (4, 4)


def test_cost_against_quality_is_empty_without_outcomes() -> None:
    [domain] = build_report(stream(30, threshold=1.1, outcomes=False)).domains
    assert plots.cost_quality(domain.comparison.rows, ["a", "b", "c", "d"]) == ""


def test_costs_of_0_can_be_drawn() -> None:
    rows = [
        (decision(small(0, usd=0.0), llm(0, usd=0.0), shown="llm", number=n), None)
        for n in range(3)
    ]
    [domain] = build_report(rows).domains
    assert domain.usd_per_1000.value == 0.0
    assert plots.shares(domain.periods, [route.route for route in domain.routes])


def test_routes_without_any_time_are_not_drawn() -> None:
    rows = [(decision(llm(0, latency_s=0.0), shown="llm"), None)]
    [domain] = build_report(rows).domains
    assert plots.latency(domain.routes) == ""


def test_only_routes_that_were_timed_are_drawn() -> None:
    rows = [
        (decision(small(0), shown="policy"), None),
        (decision(small(0), llm(1, tier="simulated:0.95"), shown="llm", number=1), None),
    ]
    [domain] = build_report(rows).domains
    drawn = plots.latency(domain.routes)
    assert "policy" in drawn
    assert "simulated" not in drawn


def test_columns_over_time_fill_the_height() -> None:
    [domain] = build_report(stream(200)).domains
    drawn = ET.fromstring(plots.shares(domain.periods, [r.route for r in domain.routes]))
    columns: dict[str, float] = {}
    for block in drawn.iter("rect"):
        x = block.get("x", "")
        columns[x] = columns.get(x, 0.0) + float(block.get("height", "0"))
    heights = set(columns.values())
    assert all(h == pytest.approx(HEIGHT - TOP - BOTTOM, abs=0.1) for h in heights)
