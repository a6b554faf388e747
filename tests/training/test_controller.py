"""Fitted backward induction on recorded steps whose best policy is known."""

from dataclasses import replace

import numpy as np
import pytest

from tests.recorded_worlds import RIGHT, independent, silent, steps_of
from trimtab.agents.cascades import STOP, paid
from trimtab.domains.tables import RecordedSteps
from trimtab.errors import ConfigError
from trimtab.training.agreement_chains import all_trails
from trimtab.training.controller import Fitted, cross_ridge, fit_judge, fit_values, walk


def _fit(steps: RecordedSteps, value_of_usd: float, *, seed: int = 0) -> Fitted:
    rng = np.random.default_rng(seed)
    judged = fit_judge(steps, trails=all_trails(len(steps.names)), rng=rng)
    return fit_values(steps, judged, lambdas=[value_of_usd], rng=rng)[0]


def _quality(steps: RecordedSteps, shown: np.ndarray) -> float:
    return float(steps.correct[shown, np.arange(steps.n)].mean())


def test_a_dear_step_is_asked_only_where_the_cheap_ones_quarrel() -> None:
    # a and b agree only where both are right; where they do not, c knows
    steps = independent([0.8, 0.8, 1.0], usd=[1e-3, 1e-3, 0.1], n=1500)
    trail, shown = _fit(steps, 3.0).cascade.run(steps)
    agree = steps.codes[0] == steps.codes[1]
    assert (trail[agree] >> 2 & 1).mean() < 0.02
    assert (trail[~agree] >> 2 & 1).mean() > 0.98
    assert _quality(steps, shown) > 0.98


def test_induction_takes_a_step_that_pays_only_together_with_the_next() -> None:
    # a is right in 60 %; b is never right, but tells whether c is. After a, neither b nor c gains
    # its price by itself, so a controller that looks one step ahead stops there
    rng = np.random.default_rng(1)
    n = 3000
    right, heads = rng.random(n) < 0.6, rng.random(n) < 0.5
    codes = np.stack([np.where(right, RIGHT, 1), np.where(heads, 2, -2), np.where(heads, RIGHT, 3)])
    steps = RecordedSteps(
        names=("a", "b", "c"),
        codes=codes.astype(np.int64),
        correct=np.stack([right, np.zeros(n, np.bool_), heads]),
        cost_usd=np.repeat(np.array([[1e-3], [1e-3], [0.3]]), n, axis=1),
        signals=np.zeros((0, 3, n)),
    )
    judged = fit_judge(steps, trails=all_trails(3), rng=np.random.default_rng(0))
    after = {trail: _quality(steps, judged.shown[trail]) for trail in (0b001, 0b011, 0b101)}
    assert after[0b011] - after[0b001] < 1e-3
    assert after[0b101] - after[0b001] < 0.3
    trail, shown = fit_values(steps, judged, lambdas=[1.0], rng=rng)[0].cascade.run(steps)
    net = _quality(steps, shown) - float(paid(steps, trail).mean())
    # with b, and c where it shows heads: .6 + .5 * .4 - .002 - .5 * .3 = .648
    assert net > after[0b001] + 0.03


def test_a_price_above_every_gain_leaves_the_cheapest_step() -> None:
    steps = independent([0.5, 0.9], usd=[1e-3, 1.0], n=600)
    trail, _ = _fit(steps, 1e4).cascade.run(steps)
    assert (trail == 1).all()


def test_a_free_dollar_buys_the_best_step() -> None:
    steps = independent([0.5, 0.95], usd=[1e-3, 1.0], n=600)
    _, shown = _fit(steps, 1e-6).cascade.run(steps)
    assert _quality(steps, shown) >= 0.94


def test_random_cheap_steps_are_not_worth_their_price() -> None:
    steps = independent([0.02, 0.02, 0.95], usd=[1e-2, 1e-2, 0.1], n=600)
    trail, _ = _fit(steps, 1.0).cascade.run(steps)
    assert (trail == 0b100).mean() > 0.95


def test_a_strong_step_that_is_worse_than_the_ensemble_is_never_asked() -> None:
    steps = independent([0.9, 0.9, 0.9, 0.6], usd=[1e-3, 1e-3, 1e-3, 0.1], n=900)
    trail, shown = _fit(steps, 1.0).cascade.run(steps)
    assert (trail >> 3 & 1).mean() < 0.02
    assert _quality(steps, shown) > 0.93


def test_an_exact_step_that_answered_ends_the_trail_with_certainty() -> None:
    rng = np.random.default_rng(0)
    n = 600
    steps = steps_of(
        [rng.random(n) < p for p in (0.5, 0.9)],
        usd=[1e-4, 0.05],
        rng=rng,
        exact=frozenset({"a"}),
    )
    found = _fit(steps, 1.0)
    trail, shown = found.cascade.run(steps)
    solved = steps.codes[0] >= 0
    assert (trail[solved] == 0b01).all()
    assert (shown[solved] == 0).all()
    assert (trail[~solved] == 0b11).all()
    q = found.cascade.judge.judge(0b01, found.cascade.judge.see(steps))
    assert set(q[:, 0].tolist()) == {0.0, 1.0}


def test_steps_that_never_answer_are_fitted_and_never_thought_right() -> None:
    steps = silent(3)
    found = _fit(steps, 1.0)
    assert (found.cascade.judge.judge(0b111, found.cascade.judge.see(steps)) == 0.0).all()


def test_out_of_fold_quality_does_not_flatter_noise() -> None:
    # nothing can be learned: what is right has nothing to do with who agrees
    out_of_fold, in_sample = [], []
    for seed in range(10):
        rng = np.random.default_rng(seed)
        shape = (5, 60)
        table = RecordedSteps(
            names=tuple("abcde"),
            codes=rng.integers(4, size=shape),
            correct=rng.random(shape) < 0.5,
            cost_usd=np.full(shape, 1e-6) * np.arange(1, 6)[:, None],
            signals=np.zeros((0, *shape)),
        )
        found = _fit(table, 1e-3)
        out_of_fold.append(_quality(table, found.shown))
        in_sample.append(_quality(table, found.cascade.run(table)[1]))
    assert abs(np.mean(out_of_fold) - 0.5) < 0.06
    assert np.mean(in_sample) > 0.6


def test_fewer_questions_than_folds_are_an_error() -> None:
    steps = independent([0.5, 0.9], usd=[1.0, 2.0], n=4)
    with pytest.raises(ConfigError, match="4 training questions are fewer than 5 folds"):
        fit_judge(steps, trails=all_trails(2), rng=np.random.default_rng(0))


def test_signals_are_read_only_of_many_questions() -> None:
    for n, read in ((1499, False), (1500, True)):
        few = independent([0.5, 0.9], usd=[1.0, 2.0], n=n)
        steps = RecordedSteps(
            names=few.names,
            codes=few.codes,
            correct=few.correct,
            cost_usd=few.cost_usd,
            signals=np.ones((1, 2, n)),
        )
        judged = fit_judge(steps, trails=[0b01], rng=np.random.default_rng(0))
        assert judged.model.reads_signals is read


def test_signals_are_read_by_the_inductions_that_measure_too() -> None:
    few = independent([0.5, 0.9], usd=[1.0, 2.0], n=1500)
    steps = replace(few, signals=np.ones((1, 2, few.n)))
    assert _fit(steps, 0.1).trail.shape == (few.n,)


def test_ridge_out_of_fold_is_ridge_fitted_without_the_fold() -> None:
    rng = np.random.default_rng(0)
    x = np.column_stack([np.ones(40), rng.normal(size=(40, 2))])
    y = rng.normal(size=(40, 1))
    folds = np.arange(40) % 4
    _, predicted = cross_ridge(x, y, folds, ridge=2.0)
    rest = folds != 1
    gram = x[rest].T @ x[rest] + np.diag([1e-6, 2.0, 2.0])
    by_hand = x[~rest] @ np.linalg.solve(gram, x[rest].T @ y[rest])
    assert predicted[~rest] == pytest.approx(by_hand)


def test_a_walk_follows_the_choices_to_an_end() -> None:
    choice = {0: np.array([0, 1, 1]), 0b10: np.array([STOP, STOP, 0])}
    shown = {0b01: np.array([0, 0, 0]), 0b10: np.array([1, 1, 1]), 0b11: np.array([0, 0, 0])}
    trail, last = walk(choice, shown, 3)
    assert trail.tolist() == [0b01, 0b10, 0b11]
    assert last.tolist() == [0, 1, 0]
