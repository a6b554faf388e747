"""Chosen operating points: the hull, the area below it, the price of a quality."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trimtab.evals.cost_quality import area, cost_at, upper_hull

POINT = st.tuples(st.floats(0.0, 10.0), st.floats(0.0, 1.0))


def test_points_below_the_line_of_others_are_not_chosen() -> None:
    assert upper_hull([1.0, 2.0, 3.0, 4.0], [0.2, 0.3, 0.6, 0.5]) == [0, 2]


def test_among_equal_points_the_first_is_chosen() -> None:
    assert upper_hull([1.0, 1.0], [0.5, 0.5]) == [0]


@given(st.lists(POINT, min_size=1, max_size=20))
def test_the_hull_rises_ever_more_slowly_and_no_point_lies_above_it(
    points: list[tuple[float, float]],
) -> None:
    usd, quality = [p[0] for p in points], [p[1] for p in points]
    kept = upper_hull(usd, quality)
    assert quality[kept[-1]] == max(quality)
    assert usd[kept[0]] == min(usd)
    for a, b in itertools.pairwise(kept):
        assert usd[a] < usd[b]
        assert quality[a] < quality[b]
        for x, y in points:
            if usd[a] <= x <= usd[b]:
                share = (x - usd[a]) / (usd[b] - usd[a])
                assert y <= quality[a] + share * (quality[b] - quality[a]) + 1e-9


def test_the_area_is_the_mean_quality_over_cost() -> None:
    assert area([1.0, 3.0], [0.0, 1.0], low_usd=1.0, high_usd=3.0) == pytest.approx(0.5)
    assert area([1.0, 2.0], [0.0, 1.0], low_usd=1.0, high_usd=3.0) == pytest.approx(0.75)


def test_what_lies_beyond_the_interval_does_not_count() -> None:
    assert area([0.0, 4.0], [0.0, 1.0], low_usd=1.0, high_usd=3.0) == pytest.approx(0.5)


def test_a_point_that_turns_out_cheaper_is_held_to_the_cost_before() -> None:
    assert area([1.0, 2.0, 1.5], [0.0, 0.0, 1.0], low_usd=1.0, high_usd=3.0) == pytest.approx(0.5)


def test_no_interval_is_an_error() -> None:
    with pytest.raises(ValueError, match="no interval"):
        area([1.0], [0.5], low_usd=2.0, high_usd=2.0)


def test_a_quality_between_points_is_had_by_dividing_questions() -> None:
    assert cost_at([1.0, 3.0], [0.0, 1.0], 0.25) == pytest.approx(1.5)
    assert cost_at([1.0, 3.0], [0.5, 1.0], 0.5) == 1.0
    assert cost_at([1.0, 3.0], [0.0, 0.9], 1.0) is None
