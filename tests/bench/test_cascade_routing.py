"""Cascade routing and the other rivals, where their best choice is known."""

import numpy as np

from tests.recorded_worlds import independent
from trimtab.agents.cascades import STOP
from trimtab.bench.cascade_routing import cascade_routing, fit_cascade_routing
from trimtab.training.agreement_chains import all_trails
from trimtab.training.controller import fit_judge


def test_a_quarrel_of_cheap_models_sends_the_question_on() -> None:
    steps = independent([0.8, 0.8, 0.99], usd=[1e-3, 1e-3, 0.1], n=600)
    rng = np.random.default_rng(0)
    judged = fit_judge(steps, trails=all_trails(3), rng=rng)
    router, estimates = fit_cascade_routing(judged, steps, rng=rng)
    agree = steps.codes[0] == steps.codes[1]
    choice = router.choose(0b011, estimates[0b011], [3.0])[:, 0]
    assert (choice[agree] == STOP).mean() > 0.95
    assert (choice[~agree] == 2).mean() > 0.95


def test_nothing_is_left_to_choose_after_all_models() -> None:
    steps = independent([0.8, 0.99], usd=[1e-3, 0.1], n=100)
    rng = np.random.default_rng(0)
    judged = fit_judge(steps, trails=all_trails(2), rng=rng)
    router, estimates = fit_cascade_routing(judged, steps, rng=rng)
    assert (router.choose(0b11, estimates[0b11], [1.0]) == STOP).all()


def test_a_dollar_worth_nothing_buys_the_best_and_one_worth_all_the_cheapest() -> None:
    steps = independent([0.6, 0.99], usd=[1e-3, 0.1], n=300)
    rng = np.random.default_rng(0)
    judged = fit_judge(steps, trails=all_trails(2), rng=rng)
    points = cascade_routing(judged, steps, steps, lambdas=[1e-6, 1e6], rng=rng)
    qualities = [point.test()[0] for point in points]
    assert qualities[0] > 0.95
    assert qualities[-1] < 0.7
