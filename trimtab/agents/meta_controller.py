"""The meta-controller: which computation comes next, and when to stop."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from trimtab.agents.cascades import ValueCascade
from trimtab.agents.trail_features import agreements
from trimtab.agents.trail_model import Seen, best_answer
from trimtab.domains.tables import Codes, answer_codes
from trimtab.errors import IllegalAction, InputError
from trimtab.records import Budget, Prediction, Step


@dataclass(frozen=True, slots=True, kw_only=True)
class CheapestFirst:
    """Runs the cheapest remaining agent until one is confident enough or none is left.

    Attributes:
        prices: expected price of one prediction in US dollars, by agent.
        stop_at: confidence in [0, 1] from which no further agent is run.
    """

    prices: Mapping[str, float]
    stop_at: float

    def next(self, trail: Sequence[Prediction], remaining: Sequence[str], budget: Budget) -> Step:
        """Return the cheapest remaining agent, or None where the trail is confident enough.

        Ties go to the agent that stands first in ``remaining``. An agent that would exceed the
        budget in calls or dollars is not run.
        """
        prices = {name: self.prices[name] for name in remaining}
        confident = any((p.confidence or 0.0) >= self.stop_at for p in trail)
        payable = affordable(prices, trail, budget)
        if confident or not payable:
            return Step(agent=None, prices=prices)
        return Step(agent=min(payable, key=prices.__getitem__), prices=prices)


@dataclass(frozen=True, slots=True, kw_only=True)
class ValueOfComputation:
    """Runs the agent whose answer is expected to gain most over its price, while any gains.

    The agents are the steps of the cascade, by name. An exact step that answered ends the trail.

    Source: Russell and Wefald 1991, "Principles of metareasoning"; the gains are those of
    :mod:`trimtab.training.controller`.

    Attributes:
        cascade: what was fitted on recorded answers.
        canonical: the one spelling of an answer, as the domain's; what it refuses with
            ``IllegalAction`` counts as no answer and agrees with nothing.
    """

    cascade: ValueCascade
    canonical: Callable[[int | str], str]

    def next(self, trail: Sequence[Prediction], remaining: Sequence[str], budget: Budget) -> Step:
        """Return the agent with the largest expected gain, or None where none gains.

        The gains are in rewards, the price deducted. Something has to be shown, so the first agent
        runs even at a loss. Ties go to the agent that stands first among the cascade's steps; one
        that would exceed the budget is not run.

        Raises:
            InputError: an agent is none of the cascade's steps, or ran twice.
        """
        ran, seen = self._read(trail)
        names = self.cascade.judge.names
        places = [self._place(name) for name in remaining]
        prices = {names[m]: float(self.cascade.prices[m]) for m in places}
        if ran not in self.cascade.gains or self.cascade.judge.sure(ran, seen)[0]:
            return Step(agent=None, prices=prices)
        expected = self.cascade.judge.features(ran, seen)[0] @ self.cascade.gains[ran]
        gains = {
            names[m]: float(gain)
            for m, gain in zip(self.cascade.further[ran], expected, strict=True)
            if m in places
        }
        payable = affordable({name: prices[name] for name in gains}, trail, budget)
        best = max(payable, key=gains.__getitem__, default=None)
        if best is None or (trail and gains[best] <= 0.0):
            return Step(agent=None, gains=gains, prices=prices)
        return Step(agent=best, gains=gains, prices=prices)

    def answer(self, trail: Sequence[Prediction]) -> tuple[Prediction, float]:
        """Return the prediction to show, and the probability that it is right.

        Raises:
            InputError: nothing ran, or what ran cannot be judged.
        """
        ran, seen = self._read(trail)
        if not ran:
            raise InputError("the trail is empty; run an agent before an answer is shown")
        q = self.cascade.judge.judge(ran, seen)
        step, probability = best_answer(q, ran, self.cascade.prices)
        name = self.cascade.judge.names[int(step[0])]
        shown = next(prediction for prediction in trail if prediction.agent == name)
        return shown, float(probability[0])

    def _read(self, trail: Sequence[Prediction]) -> tuple[int, Seen]:
        """Return the trail as a bit set, and what it says as a table of one question."""
        names = self.cascade.judge.names
        answers: list[list[str | None]] = [[None] for _ in names]
        signals = np.zeros((1, len(names), 1))
        ran = 0
        for prediction in trail:
            place = self._place(prediction.agent)
            if ran >> place & 1:
                raise InputError(f"the trail holds {prediction.agent!r} twice; an agent runs once")
            ran |= 1 << place
            answers[place] = [self._answer(prediction)]
            signals[0, place] = np.log1p(prediction.usage.completion_tokens)
        codes: Codes = answer_codes(answers)
        kept = signals if self.cascade.judge.reads_signals else signals[:0]
        return ran, Seen(codes, agreements(codes), kept)

    def _answer(self, prediction: Prediction) -> str | None:
        try:
            return self.canonical(prediction.action)
        except IllegalAction:
            return None

    def _place(self, name: str) -> int:
        names = self.cascade.judge.names
        if name not in names:
            raise InputError(f"agent {name!r} is no step of the controller; use {list(names)}")
        return names.index(name)


def affordable(
    prices: Mapping[str, float], trail: Sequence[Prediction], budget: Budget
) -> tuple[str, ...]:
    """Return the agents that the rest of a budget pays for, in their order."""
    spent = sum(prediction.usage.cost_usd for prediction in trail)
    seconds = sum(prediction.usage.latency_s for prediction in trail)
    # something has to be shown: no limit in seconds keeps the first agent from answering
    used_up = (budget.calls is not None and len(trail) >= budget.calls) or (
        budget.seconds is not None and bool(trail) and seconds >= budget.seconds
    )
    if used_up:
        return ()
    return tuple(
        name for name, usd in prices.items() if budget.usd is None or spent + usd <= budget.usd
    )
