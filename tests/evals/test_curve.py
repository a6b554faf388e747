from __future__ import annotations

import itertools
from xml.etree import ElementTree as ET

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.evals.promised import certificate, cold_start, kept
from trimtab.evals.curve import Curve, Swept, cheap_shares, mean_with_bounds, sweep
from trimtab.evals.curve_plot import cost_difference
from trimtab.evals.report import build_report

SCORES = st.lists(st.integers(0, 4), min_size=1, max_size=30)


def swept(scores: list[float], gains: list[float]) -> Swept:
    n = len(scores)
    return Swept(
        scores=np.array(scores, dtype=np.float64),
        gains=np.array(gains),
        cheap_usd=np.full(n, 1e-6),
        llm_usd=np.full(n, 1e-3),
        llm_right=0.9,
    )


def drawn(found: Swept, shown: list[bool] | None = None) -> Curve:
    return sweep(
        found,
        shown=None if shown is None else np.array(shown),
        score="confidence",
        against="gold",
        rng=np.random.default_rng(0),
        resamples=200,
    )


@given(SCORES, st.floats(0, 1))
def test_shares_are_kept_and_ties_share_what_is_left(scores: list[int], share: float) -> None:
    found = cheap_shares(np.array(scores, dtype=np.float64), share)
    assert found.mean() == pytest.approx(1 - share, abs=1e-12)
    by_score = {score: value for score, value in zip(scores, found, strict=True)}
    assert all(by_score[s] == v for s, v in zip(scores, found, strict=True))
    assert all(by_score[a] <= by_score[b] for a, b in itertools.pairwise(sorted(by_score)))


@settings(deadline=None, max_examples=20)
@given(SCORES)
def test_the_order_of_tied_rows_does_not_matter(scores: list[int]) -> None:
    gains = [float(i % 3 - 1) for i in range(len(scores))]
    forward = drawn(swept([float(s) for s in scores], gains))
    back = drawn(swept([float(s) for s in reversed(scores)], gains[::-1]))
    for one, other in zip(forward.points, back.points, strict=True):
        assert one.difference is not None
        assert other.difference is not None
        assert one.difference.value == pytest.approx(other.difference.value, abs=1e-12)


def test_asking_on_every_request_loses_nothing_and_saves_nothing() -> None:
    curve = drawn(swept([0.1, 0.5, 0.9], [1.0, 0.0, -1.0]))
    first = curve.points[0]
    assert first.llm_share == 1.0
    assert first.difference is not None
    assert (first.difference.value, first.difference.low, first.difference.high) == (0, 0, 0)
    assert first.usd_per_1000.value > curve.always.usd_per_1000.value


def test_the_surest_are_shown_first() -> None:
    curve = drawn(swept([0.9, 0.1], [0.0, 1.0]))
    differences = [p.difference.value for p in curve.points if p.difference is not None]
    assert differences[len(differences) // 2] == 0.0
    assert differences[-1] == -0.5
    assert curve.points[-1].quality == pytest.approx(0.4)


def test_random_is_never_and_always_in_expectation() -> None:
    curve = drawn(swept([0.9, 0.1], [0.0, 1.0]), shown=[True, False])
    assert curve.operating is not None
    assert curve.random.llm_share == curve.operating.llm_share == 0.5
    assert curve.random.difference is not None
    assert curve.random.difference.value == pytest.approx(-0.25)
    assert curve.random.usd_per_1000.value == pytest.approx((1e-3 + 1e-6) / 2 * 1000)


def test_a_missing_label_hides_only_the_shares_that_would_need_it() -> None:
    curve = drawn(swept([0.9, 0.8, 0.2, 0.1], [0.0, 1.0, float("nan"), 0.0]))
    known = [p.llm_share for p in curve.points if p.difference is not None]
    assert min(known) == pytest.approx(0.5)
    assert curve.unlabelled == 1
    assert curve.never.difference is None


def test_bounds_of_no_loss_are_not_0() -> None:
    found = mean_with_bounds(np.zeros(50))
    assert found.low is not None
    assert found.high is not None
    assert found.low < 0 < found.high


def test_the_window_is_drawn_where_later_requests_lack_labels() -> None:
    rows = cold_start(200)
    plain = certificate(rows)
    later = [(made, None) for made, _ in kept(200, plain, audit_rate=0.5)]
    [found] = build_report([*rows, *later], certificates={"promised": plain}).domains
    assert found.promise.unlabelled > 0
    assert found.curve is not None
    assert (found.curve.n, found.curve.unlabelled) == (200, 0)


def test_the_drawing_marks_promise_operating_point_and_references() -> None:
    curve = drawn(swept([0.9, 0.1, 0.5], [0.0, 1.0, 0.0]), shown=[True, False, True])
    svg = ET.fromstring(cost_difference(curve, promised=0.02, simulated=True))
    words = [node.text for node in svg.iter("text")]
    for expected in (
        "by the certificate",
        "never the LLM",
        "always the simulated LLM expert",
        "random at equal share",
        "promised: -2.0 points",
    ):
        assert expected in words
    assert len(list(svg.iter("path"))) == 4
    assert len(list(svg.iter("polyline"))) == 1


def test_a_curve_without_labels_still_has_its_dear_end() -> None:
    [found] = build_report(cold_start(30, labelled=False)).domains
    assert found.curve is not None
    ET.fromstring(cost_difference(found.curve, promised=None, simulated=False))
