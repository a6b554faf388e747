"""The betting bound: its formula by hand, its laws, and its error rate at the border."""

import math
from collections.abc import Iterator

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trimtab.stats import bet, clopper_pearson, fixed_sequence, upper_bound

losses_of = st.lists(st.sampled_from([-1.0, 0.0, 1.0]), min_size=1, max_size=60).map(np.array)


def test_capital_follows_the_formula() -> None:
    losses = np.array([0.0, -1.0, 1.0, 0.0])
    alpha, delta = 0.1, 0.05
    capital, peak = 1.0, 1.0
    seen: list[float] = []
    for i, loss in enumerate(losses, start=1):
        means = [float(np.mean(seen[: j + 1])) for j in range(len(seen))]
        spread = sum((x - m) ** 2 for x, m in zip(seen, means, strict=True))
        variance = (0.25 + spread) / i
        share = min(0.5, math.sqrt(2 * math.log(1 / delta) / (len(losses) * variance)))
        capital *= 1 + share * (alpha - loss)
        peak = max(peak, capital)
        seen.append(loss)
    assert bet(losses, alpha=alpha, delta=delta).log_peak == pytest.approx(math.log(peak))


def test_zero_losses_certify_after_the_number_of_rows_that_the_largest_bet_needs() -> None:
    wealth = bet(np.zeros(1000), alpha=0.02, delta=0.05)
    least = math.ceil(math.log(20) / math.log1p(0.5 * 0.02))
    assert wealth.stopped_at is not None
    assert least <= wealth.stopped_at <= least + 15


def test_no_losses_certify_nothing() -> None:
    wealth = bet(np.zeros(0), alpha=0.5, delta=0.05)
    assert not wealth.certified
    assert wealth.log_peak == 0.0


def test_a_mean_at_the_border_is_certified_at_most_at_the_error_rate() -> None:
    rng = np.random.default_rng(1)
    draws = rng.choice([1.0, -1.0, 0.0], p=[0.06, 0.03, 0.91], size=(1000, 300))
    wrong = sum(bet(row, alpha=0.03, delta=0.1).certified for row in draws)
    assert clopper_pearson(wrong, 1000, confidence=0.99)[0] <= 0.1
    assert wrong > 10  # it is used, not just small


@given(losses_of, st.floats(0.01, 0.5), st.floats(0.01, 0.5))
def test_a_larger_promise_is_never_harder(losses: np.ndarray, first: float, second: float) -> None:
    small, large = sorted((first, second))
    less, more = (bet(losses, alpha=alpha, delta=0.05) for alpha in (small, large))
    assert more.log_peak >= less.log_peak
    assert more.certified or not less.certified


@given(losses_of)
def test_the_bound_separates_what_is_certified(losses: np.ndarray) -> None:
    bound = upper_bound(losses, delta=0.1)
    if bound < 0.99:
        assert bet(losses, alpha=bound + 1e-9, delta=0.1).certified
    if bound > -0.99:
        assert not bet(losses, alpha=min(bound, 0.999) - 2e-4, delta=0.1).certified


def test_bound_without_losses_is_one() -> None:
    assert upper_bound(np.zeros(0), delta=0.05) == 1.0


def test_sequence_stops_at_the_first_failure_and_reads_no_further() -> None:
    read = []

    def candidates() -> Iterator[np.ndarray]:
        for name, row in (("a", np.zeros(400)), ("b", np.ones(400)), ("c", np.zeros(400))):
            read.append(name)
            yield row

    results = fixed_sequence(candidates(), alpha=0.05, delta=0.05)
    assert [wealth.certified for wealth in results] == [True, False]
    assert read == ["a", "b"]


@pytest.mark.parametrize(
    ("losses", "alpha", "delta", "named"),
    [
        ([0.0], 1.0, 0.05, "alpha=1.0"),
        ([0.0], 0.1, 0.0, "delta=0.0"),
        ([1.5], 0.1, 0.05, "loss"),
        ([math.nan], 0.1, 0.05, "loss"),
    ],
)
def test_arguments_outside_their_range_are_named(
    losses: list[float], alpha: float, delta: float, named: str
) -> None:
    with pytest.raises(ValueError, match=named):
        bet(np.array(losses), alpha=alpha, delta=delta)
