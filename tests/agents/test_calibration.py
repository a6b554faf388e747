"""Temperatures, gates and thresholds against cases whose right answer is known."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trimtab.agents.calibration import (
    CERTAIN,
    Gate,
    accept_threshold,
    fit_gate,
    fit_temperature,
    gate_features,
    skip_threshold,
)
from trimtab.stats import ece, wilson

ROWS = st.lists(st.tuples(st.integers(0, 20), st.booleans(), st.booleans()), min_size=1)


@pytest.mark.parametrize("factor", [0.25, 1.0, 3.0])
def test_temperature_undoes_a_known_factor(factor: float) -> None:
    rng = np.random.default_rng(0)
    logits = rng.normal(size=(20_000, 4)).astype(np.float32) * 2
    labels = (logits + rng.gumbel(size=logits.shape)).argmax(axis=1)  # softmax(logits) draws
    assert fit_temperature(logits * np.float32(factor), labels) == pytest.approx(factor, rel=0.05)


def test_temperature_is_finite_where_every_answer_is_right() -> None:
    logits = np.eye(3, dtype=np.float32)
    assert 0.0 < fit_temperature(logits, np.arange(3)) < 1.0


def test_gate_features_are_log_odds_margin_and_each_witness() -> None:
    probs = np.array([0.2, 0.5, 0.3], np.float32)
    agreeing, other = np.array([0.1, 0.8, 0.1]), np.array([0.75, 0.25, 0.0])
    found = gate_features(probs, 1, [agreeing.astype(np.float32), other.astype(np.float32)])
    expected = [0.0, 0.2, math.log(0.8 / 0.2), 1.0, math.log(0.25 / 0.75), 0.0]
    assert found == pytest.approx(expected, abs=1e-6)


def test_gate_is_calibrated_on_new_rows() -> None:
    rng = np.random.default_rng(1)
    truth = Gate((1.5, -0.5), 0.3)

    def draw(n: int) -> tuple[np.ndarray, np.ndarray]:
        features = rng.normal(size=(n, 2))
        right = rng.random(n) < [truth.confidence(list(row)) for row in features]
        return features, right

    gate = fit_gate(*draw(5000))
    features, right = draw(5000)
    assert gate.weights == pytest.approx(truth.weights, abs=0.15)
    assert ece([gate.confidence(list(row)) for row in features], right) < 0.03


@pytest.mark.parametrize("right", [[True] * 6, [False] * 6, [False] * 3 + [True] * 3])
def test_gate_stays_finite_where_rows_can_be_separated(right: list[bool]) -> None:
    features = np.arange(6.0)[:, None] * np.array([1.0, 0.0])
    gate = fit_gate(features, np.array(right))
    confidences = [gate.confidence(list(row)) for row in features]
    assert all(0.0 < c <= CERTAIN for c in confidences)
    assert confidences[0] <= confidences[-1]


@given(ROWS)
def test_accepted_part_reaches_the_target_or_nothing_is_accepted(
    rows: list[tuple[int, bool, bool]],
) -> None:
    confidence = np.array([c / 21 for c, _, _ in rows])
    correct = np.array([right for _, right, _ in rows])
    accepted = confidence >= accept_threshold(confidence, correct, target=0.6)
    if accepted.any():
        assert wilson(correct[accepted].sum(), int(accepted.sum()))[0] >= 0.6


def test_accept_threshold_takes_the_largest_part_that_reaches_the_target() -> None:
    confidence = np.linspace(0.0, 0.999, 1000)
    correct = confidence >= 0.4
    threshold = accept_threshold(confidence, correct)
    assert 0.36 < threshold < 0.4


def test_accept_threshold_is_one_where_no_part_reaches_the_target() -> None:
    assert accept_threshold(np.array([0.9, 0.8]), np.array([True, True])) == 1.0


@given(ROWS)
def test_skipped_rows_lose_nothing_where_they_were_fitted(
    rows: list[tuple[int, bool, bool]],
) -> None:
    confidence = np.array([c / 21 for c, _, _ in rows])
    correct = np.array([right for _, right, _ in rows])
    next_correct = np.array([right for _, _, right in rows])
    skipped = confidence >= skip_threshold(confidence, correct, next_correct)
    assert correct[skipped].sum() >= next_correct[skipped].sum()


def test_the_next_tier_is_always_asked_where_it_alone_is_right() -> None:
    confidence = np.linspace(0.1, 0.9, 9)
    assert skip_threshold(confidence, np.zeros(9, bool), np.ones(9, bool)) == 1.0


def test_the_next_tier_is_never_asked_where_both_are_always_right() -> None:
    confidence = np.linspace(0.1, 0.9, 9)
    assert skip_threshold(confidence, np.ones(9, bool), np.ones(9, bool)) == pytest.approx(0.1)
