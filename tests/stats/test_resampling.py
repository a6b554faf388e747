from __future__ import annotations

import numpy as np
import pytest

from trimtab.stats import (
    binomial_cdf,
    bootstrap,
    bootstrap_means,
    interval,
    paired_bootstrap,
    resampling,
)


def test_the_same_generator_gives_the_same_interval() -> None:
    first, second = np.arange(30.0), np.arange(30.0)[::-1]
    one = paired_bootstrap(first, second, rng=np.random.default_rng(3))
    assert one == paired_bootstrap(first, second, rng=np.random.default_rng(3))


def test_resampled_means_have_the_closed_form_mean_and_spread() -> None:
    values = np.random.default_rng(0).exponential(size=(200, 1))
    means = bootstrap_means(values, rng=np.random.default_rng(1), resamples=4000)
    assert means.mean() == pytest.approx(values.mean(), abs=0.01)
    assert means.std() == pytest.approx(values.std() / np.sqrt(200), rel=0.05)


def test_columns_share_their_draws() -> None:
    values = np.random.default_rng(0).normal(size=50)
    means = bootstrap_means(np.column_stack([values, values + 2]), rng=np.random.default_rng(1))
    assert np.allclose(means[:, 1] - means[:, 0], 2.0)


def test_chunks_do_not_change_the_draws(monkeypatch: pytest.MonkeyPatch) -> None:
    values = np.arange(40.0)[:, None]
    whole = bootstrap_means(values, rng=np.random.default_rng(5), resamples=64)
    monkeypatch.setattr(resampling, "_CHUNK", 100)
    assert np.array_equal(
        whole, bootstrap_means(values, rng=np.random.default_rng(5), resamples=64)
    )


def test_paired_bootstrap_covers_the_truth() -> None:
    rng = np.random.default_rng(2)
    draws, missed = 400, 0
    for _ in range(draws):
        item = rng.exponential(size=120)
        found = paired_bootstrap(item + rng.normal(0.3, 1.0, 120), item, rng=rng, resamples=400)
        assert found.low is not None
        assert found.high is not None
        missed += not found.low <= 0.3 <= found.high
    # the percentile method with 120 items misses a little more often than nominal
    assert binomial_cdf(missed - 1, draws, 0.065) < 0.999


def test_bootstrap_takes_any_statistic() -> None:
    values = np.random.default_rng(0).normal(size=100)
    found = bootstrap(values, lambda v: float(np.median(v)), rng=np.random.default_rng(1))
    assert found.value == pytest.approx(np.median(values))
    assert found.low is not None
    assert found.high is not None
    assert found.low < found.value < found.high


def test_interval_is_the_central_part_of_the_draws() -> None:
    assert interval(np.arange(1001.0), confidence=0.9) == pytest.approx((50.0, 950.0))


@pytest.mark.parametrize("bad", [np.empty((0, 2)), np.array([[np.nan]]), np.arange(3.0)])
def test_columns_that_cannot_be_resampled_are_refused(bad: np.ndarray) -> None:
    with pytest.raises(ValueError, match="columns"):
        bootstrap_means(bad, rng=np.random.default_rng(0))


def test_pairs_of_different_length_are_refused() -> None:
    with pytest.raises(ValueError, match="equally long"):
        paired_bootstrap([1.0, 2.0], [1.0], rng=np.random.default_rng(0))
