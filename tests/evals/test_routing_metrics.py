"""Curves of routers: closed forms, and ties counted in expectation."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trimtab.evals.routing_metrics import Curve, apgr, cpt, curve, priced_apgr, share_at


def _curve(scores: list[float], cheap: list[int], strong: list[int], **change: object) -> Curve:
    n = len(scores)
    arguments: dict[str, object] = {
        "cheap": cheap,
        "strong": strong,
        "cheap_usd": [1.0] * n,
        "strong_usd": [10.0] * n,
        "both_run": False,
        **change,
    }
    return curve(scores, **arguments)  # type: ignore[arg-type]


def test_a_perfect_order_recovers_the_gap_first() -> None:
    points = _curve([4, 3, 2, 1], [0, 0, 1, 1], [1, 1, 1, 1])
    assert points.shares.tolist() == [0.0, 0.25, 0.5, 0.75, 1.0]
    assert points.quality.tolist() == [0.5, 0.75, 1.0, 1.0, 1.0]
    assert points.usd.tolist() == [1.0, 3.25, 5.5, 7.75, 10.0]
    assert apgr(points, weak=0.5, strong=1.0) == pytest.approx(0.75)
    assert cpt(points, 0.5, weak=0.5, strong=1.0) == 0.25
    assert share_at(points, 0.95) == pytest.approx(0.45)


def test_equal_scores_are_a_straight_line_worth_a_half() -> None:
    points = _curve([7] * 4, [0, 0, 1, 1], [1, 1, 1, 1])
    assert points.shares.tolist() == [0.0, 1.0]
    assert apgr(points, weak=0.5, strong=1.0) == pytest.approx(0.5)
    assert cpt(points, 0.8, weak=0.5, strong=1.0) == pytest.approx(0.8)


@given(
    rows=st.lists(
        st.tuples(st.integers(0, 2), st.booleans(), st.booleans()), min_size=2, max_size=30
    ),
    seed=st.integers(0, 100),
)
def test_the_order_of_the_rows_does_not_matter(
    rows: list[tuple[int, bool, bool]], seed: int
) -> None:
    shuffled = np.random.default_rng(seed).permutation(len(rows))
    first, second = (
        _curve([r[0] for r in given], [r[1] for r in given], [r[2] for r in given])
        for given in (rows, [rows[i] for i in shuffled])
    )
    np.testing.assert_allclose(first.quality, second.quality, atol=1e-12)
    np.testing.assert_allclose(first.shares, second.shares)


def test_ties_count_as_the_mean_over_all_their_orders() -> None:
    rng = np.random.default_rng(0)
    scores = rng.integers(0, 4, 40).astype(float)
    cheap, strong = rng.integers(0, 2, 40), rng.integers(0, 2, 40)
    weak, dear = float(cheap.mean()), float(strong.mean())
    exact = apgr(_curve(list(scores), list(cheap), list(strong)), weak=weak, strong=dear)
    broken = [
        apgr(
            _curve(list(scores + 1e-3 * rng.random(40)), list(cheap), list(strong)),
            weak=weak,
            strong=dear,
        )
        for _ in range(3000)
    ]
    values = np.array(broken, dtype=float)
    assert exact == pytest.approx(values.mean(), abs=5 * values.std() / np.sqrt(3000))


def test_an_oracle_exceeds_one_where_the_cheap_answer_may_be_better() -> None:
    cheap, strong = [0, 0, 1, 1], [1, 1, 0, 1]
    oracle = _curve([1, 1, -1, 0], cheap, strong)
    value = apgr(oracle, weak=0.5, strong=0.75)
    assert value is not None
    assert value > 1.0


def test_no_gap_has_no_figure() -> None:
    points = _curve([1, 2], [0, 1], [1, 0])
    assert apgr(points, weak=0.5, strong=0.5) is None
    assert priced_apgr(points, weak=0.5, strong=0.5, weak_usd=1, strong_usd=2) is None
    assert priced_apgr(points, weak=0.4, strong=0.5, weak_usd=2, strong_usd=2) is None


def test_a_quality_that_is_not_reached_has_no_share() -> None:
    assert share_at(_curve([1, 2], [0, 0], [1, 0]), 0.9) is None


def test_a_quality_that_the_cheap_side_has_needs_no_call() -> None:
    assert share_at(_curve([1, 2], [1, 1], [1, 1]), 1.0) == 0.0


def test_the_bill_of_random_routing_is_worth_a_half() -> None:
    points = _curve([1, 1], [0, 1], [1, 1])
    value = priced_apgr(points, weak=0.5, strong=1.0, weak_usd=1.0, strong_usd=10.0)
    assert value == pytest.approx(0.5)


def test_a_cascade_pays_for_both_and_is_cut_at_the_strong_models_bill() -> None:
    points = _curve([2, 1], [1, 0], [1, 1], both_run=True, cheap_usd=[2.0, 2.0])
    assert points.usd.tolist() == [2.0, 7.0, 12.0]
    # bill 1…10: (1, 0) (2, .5) (7, .5) (10, .8), weak .0, strong 1
    value = priced_apgr(points, weak=0.0, strong=1.0, weak_usd=1.0, strong_usd=10.0)
    assert value == pytest.approx((0.25 + 5 * 0.5 + 3 * 0.65) / 9)


def test_arrays_of_unequal_length_are_an_error() -> None:
    with pytest.raises(ValueError, match="equally long"):
        _curve([1, 2], [0], [1, 1])


def test_a_score_that_is_not_a_number_is_an_error() -> None:
    with pytest.raises(ValueError, match="NaN"):
        _curve([1, float("nan")], [0, 1], [1, 1])
