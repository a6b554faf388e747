"""The controllers of single decisions, beside their twins on whole tables."""

from collections.abc import Callable

import numpy as np
import pytest

from tests.recorded_worlds import independent, steps_of
from trimtab.agents.meta_controller import CheapestFirst, ValueOfComputation
from trimtab.domains.tables import RecordedSteps
from trimtab.errors import IllegalAction, InputError
from trimtab.records import Budget, Prediction, Usage
from trimtab.training.agreement_chains import all_trails
from trimtab.training.controller import fit_judge, fit_values

FREE = Budget()


def _canonical(answer: int | str) -> str:
    if answer == "":
        raise IllegalAction("no answer")
    return str(answer)


def _controller(steps: RecordedSteps, value_of_usd: float = 1.0) -> ValueOfComputation:
    rng = np.random.default_rng(0)
    judged = fit_judge(steps, trails=all_trails(len(steps.names)), rng=rng)
    (fitted,) = fit_values(steps, judged, lambdas=[value_of_usd], rng=rng)
    return ValueOfComputation(cascade=fitted.cascade, canonical=_canonical)


def _prediction(agent: str, action: str = "x", *, usd: float = 0.0, s: float = 0.0) -> Prediction:
    usage = Usage(cost_usd=usd, latency_s=s)
    return Prediction(agent=agent, action=action, confidence=None, usage=usage)


def _play(
    controller: ValueOfComputation, steps: RecordedSteps, question: int
) -> tuple[set[str], str]:
    """Return the agents that ran on a recorded question, and the one shown."""
    trail: list[Prediction] = []
    left = list(steps.names)
    while (step := controller.next(trail, left, FREE)).agent is not None:
        left.remove(step.agent)
        code = int(steps.codes[steps.index(step.agent), question])
        trail.append(_prediction(step.agent, "" if code < 0 else str(code)))
    return {one.agent for one in trail}, controller.answer(trail)[0].agent


@pytest.mark.parametrize("value_of_usd", [0.1, 3.0, 100.0])
def test_one_decision_is_what_the_cascade_does_on_the_table(value_of_usd: float) -> None:
    rng = np.random.default_rng(0)
    steps = steps_of(
        [rng.random(200) < p for p in (0.5, 0.7, 0.8, 0.95)],
        usd=[1e-3, 2e-3, 4e-3, 0.1],
        wrong=3,
        rng=rng,
        exact=frozenset({"a"}),
    )
    controller = _controller(steps, value_of_usd)
    trail, shown = controller.cascade.run(steps)
    for question in range(steps.n):
        ran, answer = _play(controller, steps, question)
        assert ran == {n for m, n in enumerate(steps.names) if int(trail[question]) >> m & 1}
        assert answer == steps.names[int(shown[question])]


@pytest.fixture(scope="module")
def controller() -> ValueOfComputation:
    return _controller(independent([0.8, 0.8, 1.0], usd=[1e-3, 1e-3, 0.1], n=800), 3.0)


def test_a_quarrel_calls_for_the_dear_agent_and_says_what_it_gains(
    controller: ValueOfComputation,
) -> None:
    step = controller.next([_prediction("a", "1"), _prediction("b", "2")], ["c"], FREE)
    assert step.agent == "c"
    assert step.gains["c"] > 0.2
    assert step.prices == {"c": pytest.approx(0.1)}


def test_agreement_stops_and_says_what_more_would_have_lost(
    controller: ValueOfComputation,
) -> None:
    step = controller.next([_prediction("a", "1"), _prediction("b", "1")], ["c"], FREE)
    assert step.agent is None
    assert step.gains["c"] < 0.0


def test_agents_that_are_gone_are_not_chosen(controller: ValueOfComputation) -> None:
    assert controller.next([], ["c"], FREE).agent == "c"
    assert controller.next([], [], FREE).agent is None


@pytest.mark.parametrize(
    "budget", [Budget(usd=0.05), Budget(calls=2), Budget(seconds=3.0), Budget(usd=0.0)]
)
def test_a_budget_is_hard(controller: ValueOfComputation, budget: Budget) -> None:
    trail = [_prediction("a", "1", s=2.0), _prediction("b", "2", s=1.0)]
    assert controller.next(trail, ["c"], budget).agent is None


def test_the_answer_comes_with_its_probability(controller: ValueOfComputation) -> None:
    trail = [_prediction("a", "1"), _prediction("b", "2"), _prediction("c", "2")]
    shown, probability = controller.answer(trail)
    assert shown.action == "2"
    assert probability > 0.9


def test_two_agents_without_an_answer_do_not_agree(controller: ValueOfComputation) -> None:
    step = controller.next([_prediction("a", ""), _prediction("b", "")], ["c"], FREE)
    assert step.agent == "c"


@pytest.mark.parametrize(
    ("call", "named"),
    [
        (lambda c: c.next([], ["z"], FREE), "'z' is no step"),
        (lambda c: c.next([_prediction("a"), _prediction("a")], ["b"], FREE), "'a' twice"),
        (lambda c: c.answer([]), "the trail is empty"),
    ],
)
def test_what_cannot_be_judged_is_named(
    controller: ValueOfComputation, call: Callable[[ValueOfComputation], object], named: str
) -> None:
    with pytest.raises(InputError, match=named):
        call(controller)


def test_the_cheapest_agent_runs_first_within_the_budget() -> None:
    first = CheapestFirst(prices={"a": 0.2, "b": 0.1}, stop_at=0.9)
    assert first.next([], ["a", "b"], FREE).agent == "b"
    assert first.next([_prediction("b", s=9.0)], ["a"], Budget(seconds=5.0)).agent is None
    assert first.next([], ["a", "b"], Budget(usd=0.05)).agent is None
