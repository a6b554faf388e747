from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trimtab.stats import (
    binomial_cdf,
    clopper_pearson,
    paired_proportion_difference,
    proportion,
    quantile,
    sign_test,
    wilson,
)

counts = st.integers(1, 400).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n)))


def exact_coverage(interval: list[tuple[float, float]], p: float) -> float:
    n = len(interval) - 1
    return sum(
        math.comb(n, k) * p**k * (1 - p) ** (n - k)
        for k, (low, high) in enumerate(interval)
        if low <= p <= high
    )


def test_wilson_matches_the_published_example() -> None:
    # Newcombe 1998, "Two-sided confidence intervals for the single proportion", table I: 81 of 263
    low, high = wilson(81, 263)
    assert (round(low, 4), round(high, 4)) == (0.2553, 0.3662)


def test_clopper_pearson_matches_the_published_example() -> None:
    low, high = clopper_pearson(81, 263)
    assert (round(low, 4), round(high, 4)) == (0.2527, 0.3676)


def test_clopper_pearson_without_a_success_is_the_closed_form() -> None:
    low, high = clopper_pearson(0, 20)
    assert low == 0.0
    assert high == pytest.approx(1 - 0.025 ** (1 / 20), abs=1e-12)


def test_wilson_covers_at_95_percent_on_average_over_p() -> None:
    intervals = [wilson(k, 60) for k in range(61)]
    coverage = [exact_coverage(intervals, p) for p in np.linspace(0.005, 0.995, 199)]
    assert 0.945 <= float(np.mean(coverage)) <= 0.965


def test_clopper_pearson_covers_at_95_percent_for_every_p() -> None:
    intervals = [clopper_pearson(k, 30) for k in range(31)]
    assert min(exact_coverage(intervals, p) for p in np.linspace(0.01, 0.99, 99)) >= 0.95


@given(counts)
def test_intervals_hold_the_proportion_and_stay_in_range(count: tuple[int, int]) -> None:
    k, n = count
    for low, high in (wilson(k, n), clopper_pearson(k, n)):
        assert 0.0 <= low <= k / n <= high <= 1.0


@given(counts)
def test_swapping_success_and_failure_mirrors_the_wilson_interval(count: tuple[int, int]) -> None:
    k, n = count
    low, high = wilson(k, n)
    assert wilson(n - k, n) == (pytest.approx(1 - high), pytest.approx(1 - low))


@pytest.mark.parametrize(("successes", "n"), [(1, 0), (-1, 5), (6, 5), (math.nan, 5)])
def test_an_impossible_count_is_refused(successes: float, n: int) -> None:
    with pytest.raises(ValueError, match="successes"):
        wilson(successes, n)


@pytest.mark.parametrize("confidence", [0.0, 1.0, -1.0, 95.0])
def test_a_confidence_outside_0_and_1_is_refused(confidence: float) -> None:
    with pytest.raises(ValueError, match="confidence"):
        wilson(1, 2, confidence=confidence)


def test_binomial_cdf_is_the_sum_of_the_mass() -> None:
    expected = sum(math.comb(12, k) * 0.3**k * 0.7 ** (12 - k) for k in range(5))
    assert binomial_cdf(4, 12, 0.3) == pytest.approx(expected, abs=1e-12)
    assert (binomial_cdf(-1, 12, 0.3), binomial_cdf(12, 12, 0.3)) == (0.0, 1.0)
    assert (binomial_cdf(0, 12, 0.0), binomial_cdf(11, 12, 1.0)) == (1.0, 0.0)


def test_proportion_names_its_n() -> None:
    estimate = proportion(3, 12)
    assert (estimate.value, estimate.n) == (0.25, 12)
    assert (estimate.low, estimate.high) == wilson(3, 12)


def test_paired_difference_covers_the_truth() -> None:
    rng = np.random.default_rng(7)
    draws, n, truth = 1500, 40, 0.1
    missed = 0
    for _ in range(draws):
        # both right .75, only first .15, only second .05, neither .05
        cell = rng.choice(4, size=n, p=[0.75, 0.15, 0.05, 0.05])
        found = paired_proportion_difference(np.isin(cell, (0, 1)), np.isin(cell, (0, 2)))
        assert found.low is not None
        assert found.high is not None
        missed += not found.low <= truth <= found.high
    assert binomial_cdf(missed - 1, draws, 0.05) < 0.999


def test_paired_difference_stays_wide_where_no_item_disagrees() -> None:
    found = paired_proportion_difference([1] * 40, [1] * 40)
    assert found.value == 0.0
    assert found.low is not None
    assert found.low < -0.05


def test_paired_difference_changes_sign_with_its_arguments() -> None:
    first, second = [1, 1, 0, 1, 1, 0, 1], [1, 0, 0, 1, 0, 1, 1]
    one, other = (
        paired_proportion_difference(first, second),
        paired_proportion_difference(second, first),
    )
    assert one.value == pytest.approx(-other.value)
    assert (one.low, one.high) == (pytest.approx(-other.high), pytest.approx(-other.low))


def test_paired_difference_refuses_scores_between_0_and_1() -> None:
    with pytest.raises(ValueError, match="paired_bootstrap"):
        paired_proportion_difference([0.5, 1.0], [1.0, 0.0])


def test_sign_test_is_the_binomial_closed_form() -> None:
    first, second = [1] * 9 + [0] + [1] * 30, [0] * 9 + [1] + [1] * 30
    assert sign_test(first, second) == pytest.approx(2 * (1 + 10) / 2**10)
    assert sign_test([1, 0, 1], [1, 0, 1]) == 1.0


def test_quantile_limits_are_the_tabled_order_statistics() -> None:
    # median of 20: the 6th and 15th values, the textbook 95.9 % interval
    found = quantile(range(1, 21), 0.5)
    assert (found.value, found.low, found.high) == (10, 6, 15)


def test_too_few_values_leave_the_upper_limit_of_a_percentile_open() -> None:
    found = quantile(range(20), 0.95)
    assert found.value == 18
    assert found.low is not None
    assert found.high is None


def test_quantile_interval_covers_the_truth() -> None:
    rng = np.random.default_rng(11)
    draws, missed = 1000, 0
    for _ in range(draws):
        found = quantile(rng.exponential(size=80), 0.5)
        assert found.low is not None
        assert found.high is not None
        missed += not found.low <= math.log(2) <= found.high
    assert binomial_cdf(missed - 1, draws, 0.05) < 0.999


def test_quantile_of_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="n=0"):
        quantile([], 0.5)
