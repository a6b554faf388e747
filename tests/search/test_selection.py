"""The formulas against closed forms and the bounds that their papers state."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trimtab.errors import ConfigError
from trimtab.search import selection

VISITS = st.integers(1, 10_000)


@given(st.floats(-1, 1), VISITS, VISITS, st.floats(0, 5))
def test_ucb1_is_the_mean_and_c_times_the_root_of_ln_parent_by_visits(
    mean: float, visits: int, parent: int, c: float
) -> None:
    width = selection.ucb1_widths(parent, c)[parent]
    expected = mean + c * math.sqrt(math.log(parent) / visits)
    assert selection.ucb1(mean, visits, width) == pytest.approx(expected, abs=1e-12)


def test_puct_without_visits_follows_the_priors() -> None:
    assert selection.puct(0.0, 0.6, 0, 1, 1.25) == pytest.approx(0.75)
    assert selection.puct(0.5, 0.6, 3, 16, 1.25) == pytest.approx(0.5 + 1.25 * 0.6 * 4 / 4)


def test_a_leaf_on_its_way_counts_as_a_loss() -> None:
    assert selection.virtual_loss_mean(2.0, 4, 0) == 0.5
    assert selection.virtual_loss_mean(2.0, 4, 1) == pytest.approx(1.0 / 5.0)
    assert selection.virtual_loss_mean(0.0, 0, 3) == -1.0


@given(VISITS, VISITS, st.floats(0.01, 1.0))
def test_the_rave_weight_is_the_minimum_mse_schedule(n: int, m: int, b: float) -> None:
    weight = selection.rave_weight(n, m, b)
    assert weight == pytest.approx(m / (n + m + 4 * n * m * b * b))
    assert 0.0 < weight < 1.0
    assert weight <= 1.0 / (4 * n * b * b)


def test_the_rave_weight_is_whole_for_a_child_that_was_never_visited() -> None:
    assert selection.rave_weight(0, 12, 0.1) == 1.0
    assert selection.rave_weight(0, 0, 0.1) == 0.0
    # far above 1/37, the cap of a form that is often printed
    assert selection.rave_weight(1, 100, 0.1) > 0.9


@given(st.integers(1, 3_000), st.floats(0.5, 3.0), st.floats(0.1, 1.0))
def test_widening_holds_children_at_k_times_visits_to_alpha(
    visits: int, k: float, alpha: float
) -> None:
    children = 0
    for n in range(1, visits + 1):
        if selection.may_widen(children, n, k, alpha):
            children += 1
        assert children <= k * n**alpha + 1.0
    assert children >= 1
    if k <= 1.0:
        # from one visit to the next the bound grows by less than the one child that may come
        assert children >= k * visits**alpha


@pytest.mark.parametrize("considered", [1, 2, 3, 7, 16])
@pytest.mark.parametrize("simulations", [1, 2, 16, 50, 200])
def test_sequential_halving_gives_later_visits_to_ever_fewer_actions(
    considered: int, simulations: int
) -> None:
    schedule = selection.considered_visits(considered, simulations)
    assert len(schedule) == simulations
    visits = [0] * considered
    for wanted in schedule.tolist():
        # an action with the scheduled visits always exists
        visits[visits.index(wanted)] += 1
    assert visits == sorted(visits, reverse=True)
    # the best two get the same but for a rest
    assert considered < 2 or visits[0] - visits[1] <= 1


def test_sigma_grows_with_visits_and_maps_values_to_0_to_1() -> None:
    assert selection.sigma(-1.0, 7, 50.0, 1.0) == 0.0
    assert selection.sigma(1.0, 7, 50.0, 1.0) == 57.0


def test_dirichlet_noise_stays_on_legal_actions_and_keeps_the_sum() -> None:
    legal = np.array([True, False, True, True])
    priors = np.array([0.5, 0.0, 0.5, 0.0])
    rng = np.random.default_rng(0)
    mixed = selection.with_dirichlet(priors, legal, alpha=0.3, fraction=0.25, rng=rng)
    assert mixed.sum() == pytest.approx(1.0)
    assert mixed[1] == 0.0
    assert (mixed >= 0.75 * priors).all()


@given(st.lists(st.integers(0, 1000), min_size=2, max_size=9), st.floats(0.01, 3.0))
def test_tempered_visits_are_a_distribution_in_their_order(
    counts: list[int], temperature: float
) -> None:
    visits = np.array(counts, np.int32)
    if not visits.any():
        with pytest.raises(ConfigError, match="0 visits"):
            selection.tempered(visits, temperature)
        return
    probabilities = selection.tempered(visits, temperature)
    assert probabilities.sum() == pytest.approx(1.0)
    order = np.argsort(visits, kind="stable")
    assert (np.diff(probabilities[order]) >= 0.0).all()


@pytest.mark.parametrize("temperature", [0.0, -1.0, float("nan")])
def test_a_temperature_that_is_not_positive_is_refused(temperature: float) -> None:
    with pytest.raises(ConfigError, match="temperature"):
        selection.tempered(np.array([1, 2], np.int32), temperature)


def test_temperature_1_gives_the_shares_of_visits() -> None:
    probabilities = selection.tempered(np.array([1, 3, 0], np.int32), 1.0)
    assert probabilities.tolist() == pytest.approx([0.25, 0.75, 0.0])


def test_the_secure_bound_prefers_what_is_known_better() -> None:
    bounds = selection.secure_bound(np.array([0.5, 0.4]), np.array([4, 100], np.int32))
    assert bounds.tolist() == pytest.approx([0.0, 0.3])
