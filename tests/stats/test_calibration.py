from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import roc_auc_score

from trimtab.stats import auroc, auroc_difference, binomial_cdf, ece, reliability

scored = st.lists(st.tuples(st.integers(0, 5), st.booleans()), min_size=2, max_size=60).filter(
    lambda rows: len({label for _, label in rows}) == 2
)


@given(scored)
def test_auroc_agrees_with_scikit_learn_ties_included(rows: list[tuple[int, bool]]) -> None:
    scores, labels = zip(*rows, strict=True)
    assert auroc(scores, labels) == pytest.approx(roc_auc_score(labels, scores), abs=1e-12)


@given(scored)
def test_auroc_is_the_share_of_pairs_in_order(rows: list[tuple[int, bool]]) -> None:
    yes = [score for score, label in rows if label]
    no = [score for score, label in rows if not label]
    pairs = [1.0 if a > b else 0.5 if a == b else 0.0 for a in yes for b in no]
    scores, labels = zip(*rows, strict=True)
    assert auroc(scores, labels) == pytest.approx(np.mean(pairs))


def test_all_scores_tied_are_a_coin() -> None:
    assert auroc([1.0] * 9, [1, 0, 0, 1, 0, 0, 0, 1, 0]) == 0.5


@pytest.mark.parametrize("labels", [[1, 1], [0, 0]])
def test_auroc_of_one_class_is_refused(labels: list[int]) -> None:
    with pytest.raises(ValueError, match="both classes"):
        auroc([0.1, 0.2], labels)


def test_auroc_refuses_nan() -> None:
    with pytest.raises(ValueError, match="NaN"):
        auroc([np.nan, 0.2], [0, 1])


def test_auroc_difference_covers_equal_scorers() -> None:
    rng = np.random.default_rng(4)
    draws, missed = 80, 0
    for _ in range(draws):
        labels = rng.random(80) < 0.5
        first, second = labels + rng.normal(size=(2, 80))
        found = auroc_difference(first, second, labels, rng=rng, resamples=150)
        assert found.low is not None
        assert found.high is not None
        missed += not found.low <= 0.0 <= found.high
    assert binomial_cdf(missed - 1, draws, 0.065) < 0.999


def test_auroc_difference_of_a_scorer_with_itself_is_0() -> None:
    scores, labels = [0.1, 0.4, 0.3, 0.9], [0, 1, 0, 1]
    found = auroc_difference(scores, scores, labels, rng=np.random.default_rng(0), resamples=20)
    assert (found.value, found.low, found.high) == (0.0, 0.0, 0.0)


def test_ece_is_the_weighted_gap_of_equal_width_bins() -> None:
    # two bins of ten: four at .25 with half right, two at .95 with all right
    confidence, correct = [0.25] * 4 + [0.95] * 2, [1, 1, 0, 0, 1, 1]
    assert ece(confidence, correct, bins=10) == pytest.approx((4 * 0.25 + 2 * 0.05) / 6)


def test_bins_close_above_and_the_first_holds_0() -> None:
    bins = reliability([0.0, 0.1, 0.1000001, 1.0], [0, 0, 1, 1], bins=10)
    assert [(b.lower, b.n) for b in bins] == [(0.0, 2), (0.1, 1), (0.9, 1)]


@settings(max_examples=50)
@given(st.lists(st.tuples(st.floats(0, 1), st.booleans()), min_size=1, max_size=80))
def test_bins_hold_every_item_once(rows: list[tuple[float, bool]]) -> None:
    confidence, correct = zip(*rows, strict=True)
    assert sum(b.n for b in reliability(confidence, correct, bins=7)) == len(rows)


def test_a_calibrated_forecast_has_little_error() -> None:
    rng = np.random.default_rng(0)
    confidence = rng.random(20_000)
    assert ece(confidence, rng.random(20_000) < confidence) < 0.02


def test_confidence_outside_0_and_1_is_refused() -> None:
    with pytest.raises(ValueError, match="confidence"):
        ece([1.2], [1])
