"""The GRU variant of the controller, on recorded steps whose best policy is known."""

import numpy as np
import pytest

from tests.recorded_worlds import independent, silent
from trimtab.agents.cascades import Candidate
from trimtab.domains.tables import RecordedSteps
from trimtab.errors import ConfigError
from trimtab.training.agreement_chains import all_trails
from trimtab.training.controller import fit_judge
from trimtab.training.trail_gru import GruConfig, fit_gru, trail_levels, trail_targets

SHORT = GruConfig(hidden=8, rounds=2, updates=60, learning_rate=0.02)


def _fit(steps: RecordedSteps, value: float, config: GruConfig = SHORT) -> Candidate:
    (one,) = fit_gru(steps, lambdas=[value], rng=np.random.default_rng(0), config=config)
    return one


def test_a_dear_step_is_asked_only_where_the_cheap_ones_quarrel() -> None:
    steps = independent([0.8, 0.8, 1.0], usd=[1e-3, 1e-3, 0.1], n=600)
    did = _fit(steps, 3.0).run(steps)
    agree = steps.codes[0] == steps.codes[1]
    assert did.asked_strong[agree].mean() < 0.05
    assert did.asked_strong[~agree].mean() > 0.9


def test_a_price_above_every_gain_leaves_the_cheapest_step() -> None:
    steps = independent([0.5, 0.9], usd=[1e-3, 1.0], n=200)
    assert (_fit(steps, 1e4).run(steps).trail == 1).all()


def test_steps_that_never_answer_are_fitted_and_run() -> None:
    did = _fit(silent(2, n=30), 0.01, GruConfig(hidden=4, rounds=1, updates=2)).run(silent(2))
    assert not did.correct.any()


def test_the_same_seed_gives_the_same_nets() -> None:
    steps = independent([0.5, 0.9], usd=[1e-3, 0.1], n=60)
    tiny = GruConfig(hidden=4, rounds=1, updates=3)
    first, second = (_fit(steps, 1.0, tiny).run(steps) for _ in range(2))
    assert (first.trail == second.trail).all()
    assert (first.shown == second.shown).all()


def test_a_step_brings_the_value_after_it_less_the_reward_before() -> None:
    steps = independent([0.5, 0.9], usd=[1e-3, 0.1], n=50)
    judged = fit_judge(steps, trails=all_trails(2), rng=np.random.default_rng(0))
    found = trail_targets(steps, judged, [1.0], None)
    after = steps.correct[judged.shown[0b11], np.arange(50)].astype(float)
    assert found[1, :, 1, 0] == pytest.approx(after - steps.correct[0])
    assert np.isnan(found[1, :, 0]).all()
    assert np.isnan(found[3]).all()


def test_a_word_names_its_step_and_who_agrees_of_those_before() -> None:
    steps = independent([1.0, 1.0, 0.0], usd=[0.3, 0.1, 0.2], n=3)
    judged = fit_judge(
        independent([0.5, 0.5, 0.5], usd=[0.3, 0.1, 0.2], n=30),
        trails=all_trails(3),
        rng=np.random.default_rng(0),
    )
    levels = trail_levels(judged.model.see(steps), steps.cost_usd.mean(axis=1))
    # the pair a, b is read from the cheaper b: a speaks last, and b agrees
    assert levels[1].parents.tolist() == [1, 2, 1]
    assert levels[1].words[0, 0].tolist() == [1, 0, 0, 0, 0, 1, 0]


@pytest.mark.parametrize(
    "change", [{"hidden": 0}, {"rounds": 0}, {"learning_rate": 0.0}, {"weight_decay": -1.0}]
)
def test_a_recipe_outside_its_range_is_an_error(change: dict[str, float]) -> None:
    with pytest.raises(ConfigError, match="must be"):
        GruConfig(**change)  # type: ignore[arg-type]


def test_too_many_steps_are_an_error() -> None:
    shape = (9, 20)
    steps = RecordedSteps(
        names=tuple("abcdefghi"),
        codes=np.zeros(shape, dtype=np.int64),
        correct=np.ones(shape, dtype=np.bool_),
        cost_usd=np.ones(shape),
        signals=np.zeros((0, *shape)),
    )
    with pytest.raises(ConfigError, match="9 steps have too many trails"):
        _fit(steps, 1.0)
