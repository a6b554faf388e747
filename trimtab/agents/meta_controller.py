"""The meta-controller: which computation comes next, and when to stop."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from trimtab.agents.cascades import ValueCascade
from trimtab.agents.trail_features import agreements
from trimtab.agents.trail_model import Seen, TrailModel, best_answer
from trimtab.domains.tables import Codes, answer_codes
from trimtab.errors import IllegalAction, InputError
from trimtab.records import Budget, Prediction, Step

Canonical = Callable[[int | str], str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Ceilings:
    """What one prediction of an agent costs at most, where that is known; a budget counts on it.

    Attributes:
        usd: US dollars by agent; its expected price where it is missing.
        seconds: by agent; unknown where it is missing.
    """

    usd: Mapping[str, float] = field(default_factory=dict)
    seconds: Mapping[str, float] = field(default_factory=dict)


UNKNOWN = Ceilings()


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
class TrailReader:
    """Reads a trail of predictions as the fitted controllers do: a bit set, and a table of one.

    Attributes:
        judge: whose steps are the agents, by name.
        canonical: the one spelling of an answer, as the domain's; what it refuses with
            ``IllegalAction`` counts as no answer and agrees with nothing.
    """

    judge: TrailModel
    canonical: Canonical

    def read(self, trail: Sequence[Prediction]) -> tuple[int, Seen]:
        """Return which steps ran, and what they say.

        Raises:
            InputError: an agent is none of the steps, or ran twice.
        """
        names = self.judge.names
        answers: list[list[str | None]] = [[None] for _ in names]
        signals = np.zeros((1, len(names), 1))
        ran = 0
        for prediction in trail:
            place = self.place(prediction.agent)
            if ran >> place & 1:
                raise InputError(f"the trail holds {prediction.agent!r} twice; an agent runs once")
            ran |= 1 << place
            answers[place] = [self._answer(prediction)]
            signals[0, place] = np.log1p(prediction.usage.completion_tokens)
        codes: Codes = answer_codes(answers)
        kept = signals if self.judge.reads_signals else signals[:0]
        return ran, Seen(codes, agreements(codes), kept)

    def place(self, name: str) -> int:
        """Return the bit of an agent; raises ``InputError`` for one that is no step."""
        names = self.judge.names
        if name not in names:
            raise InputError(f"agent {name!r} is no step of the controller; use {list(names)}")
        return names.index(name)

    def predicted_by(self, step: int, trail: Sequence[Prediction]) -> Prediction:
        """Return the prediction of a step that ran."""
        return next(one for one in trail if one.agent == self.judge.names[step])

    def started(self, trail: Sequence[Prediction]) -> tuple[int, Seen]:
        """Return :meth:`read` of a trail whose answer is to be shown; none is an ``InputError``."""
        if not trail:
            raise InputError("the trail is empty; run an agent before an answer is shown")
        return self.read(trail)

    def _answer(self, prediction: Prediction) -> str | None:
        try:
            return self.canonical(prediction.action)
        except IllegalAction:
            return None


@dataclass(frozen=True, slots=True, kw_only=True)
class ValueOfComputation:
    """Runs the agent whose answer is expected to gain most over its price, while any gains.

    The agents are the steps of the cascade, by name. An exact step that answered ends the trail.

    Source: Russell and Wefald 1991, "Principles of metareasoning"; the gains are those of
    :mod:`trimtab.training.controller`.

    Attributes:
        cascade: what was fitted on recorded answers.
        canonical: see :class:`TrailReader`.
        ceilings: what the agents cost at most.
    """

    cascade: ValueCascade
    canonical: Canonical
    ceilings: Ceilings = UNKNOWN

    def next(self, trail: Sequence[Prediction], remaining: Sequence[str], budget: Budget) -> Step:
        """Return the agent with the largest expected gain, or None where none gains.

        The gains are in rewards, the price deducted. Something has to be shown, so the first agent
        runs even at a loss. Ties go to the agent that stands first among the cascade's steps; one
        that would exceed the budget is not run.

        Raises:
            InputError: an agent is none of the cascade's steps, or ran twice.
        """
        judge = self.cascade.judge
        ran, seen = self._reader.read(trail)
        names = judge.names
        places = [self._reader.place(name) for name in remaining]
        prices = {names[m]: float(self.cascade.prices[m]) for m in places}
        if ran not in self.cascade.gains or judge.sure(ran, seen)[0]:
            return Step(agent=None, prices=prices)
        expected = judge.features(ran, seen)[0] @ self.cascade.gains[ran]
        gains = {
            names[m]: float(gain)
            for m, gain in zip(self.cascade.further[ran], expected, strict=True)
            if m in places
        }
        fitting = {name: prices[name] for name in gains}
        payable = affordable(fitting, trail, budget, self.ceilings)
        best = max(payable, key=gains.__getitem__, default=None)
        if best is None or (trail and gains[best] <= 0.0):
            return Step(agent=None, gains=gains, prices=prices)
        return Step(agent=best, gains=gains, prices=prices)

    def answer(self, trail: Sequence[Prediction]) -> tuple[Prediction, float]:
        """Return the prediction to show, and the probability that it is right.

        Raises:
            InputError: nothing ran, or what ran cannot be judged.
        """
        ran, seen = self._reader.started(trail)
        q = self.cascade.judge.judge(ran, seen)
        step, probability = best_answer(q, ran, self.cascade.prices)
        return self._reader.predicted_by(int(step[0]), trail), float(probability[0])

    @property
    def _reader(self) -> TrailReader:
        return TrailReader(judge=self.cascade.judge, canonical=self.canonical)


def affordable(
    prices: Mapping[str, float],
    trail: Sequence[Prediction],
    budget: Budget,
    ceilings: Ceilings = UNKNOWN,
) -> tuple[str, ...]:
    """Return the agents that the rest of a budget pays for, in their order."""
    if budget.usd is None and budget.seconds is None and budget.calls is None:
        return tuple(prices)
    spent = sum(prediction.usage.cost_usd for prediction in trail)
    seconds = sum(prediction.usage.latency_s for prediction in trail)
    if budget.calls is not None and len(trail) >= budget.calls:
        return ()

    def fits(name: str) -> bool:
        most = ceilings.usd.get(name, prices[name])
        if budget.usd is not None and spent + most > budget.usd:
            return False
        if budget.seconds is None:
            return True
        if name in ceilings.seconds:
            return seconds + ceilings.seconds[name] <= budget.seconds
        # something has to be shown: what may take any time is run first or not at all
        return not trail or seconds < budget.seconds

    return tuple(name for name in prices if fits(name))
