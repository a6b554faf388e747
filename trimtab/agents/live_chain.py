"""Fitted candidates that decide one request at a time, as they did on whole tables.

:class:`trimtab.agents.meta_controller.ValueOfComputation` is the live form of the cascades by value
of computation; agreement chains and single steps have theirs here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from trimtab.agents.cascades import AgreementChain, Candidate, Single, ValueCascade, of_shown
from trimtab.agents.meta_controller import (
    UNKNOWN,
    Canonical,
    Ceilings,
    TrailReader,
    ValueOfComputation,
    affordable,
)
from trimtab.agents.trail_features import supports
from trimtab.agents.trail_model import Seen, TrailModel
from trimtab.errors import InputError
from trimtab.records import Budget, Prediction, Step


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveChain:
    """Runs agents in a fixed order until so many agree; a single step is a chain of one.

    Where an agent may not run (it is not among the remaining, or beyond the budget), the next one
    does. It expects no gains, so its steps name prices alone.

    Attributes:
        judge: the probability that each answer of a trail is right.
        order, needed, last_decides: see :class:`trimtab.agents.cascades.AgreementChain`.
        prices: expected price of each step in US dollars, by name.
        canonical: see :class:`TrailReader`.
        ceilings: what the agents cost at most.
    """

    judge: TrailModel
    order: tuple[int, ...]
    needed: int
    last_decides: bool
    prices: Mapping[str, float]
    canonical: Canonical
    ceilings: Ceilings = UNKNOWN

    def next(self, trail: Sequence[Prediction], remaining: Sequence[str], budget: Budget) -> Step:
        """Return the next agent of the order, or None once it is settled which answer is shown.

        Raises:
            InputError: an agent is none of the steps, or ran twice.
        """
        ran, seen = self._reader.read(trail)
        places = {name: self._reader.place(name) for name in remaining}
        prices = {name: self.prices[name] for name in remaining}
        payable = affordable(prices, trail, budget, self.ceilings)
        wanted = (self.judge.names[step] for step in self._wanted(ran, seen))
        chosen = (
            name
            for name in wanted
            if name in payable and ran | 1 << places[name] in self.judge.weights
        )
        return Step(agent=next(chosen, None), prices=prices)

    def answer(self, trail: Sequence[Prediction]) -> tuple[Prediction, float]:
        """Return the prediction to show, and the probability that it is right.

        Raises:
            InputError: nothing of the chain ran, or what ran cannot be judged.
        """
        ran, seen = self._reader.started(trail)
        alive = [step for step in self.order if ran >> step & 1]
        if not alive:
            raise InputError(f"{self.judge.spelled(ran)} are no steps of the chain; run one of it")
        shown = alive[-1]
        if not (self.last_decides and shown == self.order[-1]):
            support = supports(alive, seen.same)[:, 0]
            # ties go to the step that ran last
            shown = alive[len(alive) - 1 - int(support[::-1].argmax())]
        q = of_shown(self.judge.judge(ran, seen), ran, np.array([shown]))
        return self._reader.predicted_by(shown, trail), float(q[0])

    def _wanted(self, ran: int, seen: Seen) -> list[int]:
        """Return the steps that may follow, the one that should first."""
        voters = self.order[:-1] if self.last_decides else self.order
        last = self.order[-1]
        voted = [step for step in voters if ran >> step & 1]
        left = [step for step in voters if not ran >> step & 1]
        support = int(supports(voted, seen.same).max()) if voted else 0
        if support >= self.needed or (self.last_decides and ran >> last & 1):
            return []
        if self.last_decides and support + len(left) < self.needed:
            return [last]
        return [*left, last] if self.last_decides else left

    @property
    def _reader(self) -> TrailReader:
        return TrailReader(judge=self.judge, canonical=self.canonical)


def live_controller(
    candidate: Candidate,
    *,
    prices: Mapping[str, float],
    canonical: Canonical,
    ceilings: Ceilings = UNKNOWN,
) -> ValueOfComputation | LiveChain:
    """Return what decides as a candidate does, one request at a time.

    Args:
        candidate: fitted on recorded answers.
        prices: expected price of each step in US dollars, by name; a cascade by value of
            computation brings its own.
        canonical: see :class:`TrailReader`.
        ceilings: what the agents cost at most.

    Raises:
        InputError: a price is missing, or the candidate is of another kind.
    """
    cascade, judge = candidate.cascade, candidate.judge
    if isinstance(cascade, ValueCascade):
        return ValueOfComputation(cascade=cascade, canonical=canonical, ceilings=ceilings)
    missing = sorted(set(judge.names) - set(prices))
    if missing:
        raise InputError(f"prices lacks {missing}; give the expected price of every step")
    if isinstance(cascade, AgreementChain):
        order, needed, last_decides = cascade.order, cascade.needed, cascade.last_decides
    elif isinstance(cascade, Single):
        order, needed, last_decides = (cascade.step,), 1, False
    else:
        raise InputError(f"candidate {candidate.name!r} has no live form; fit it with fit_pool")
    return LiveChain(
        judge=judge,
        order=order,
        needed=needed,
        last_decides=last_decides,
        prices=prices,
        canonical=canonical,
        ceilings=ceilings,
    )


def renamed(candidate: Candidate, names: Mapping[str, str]) -> Candidate:
    """Return the candidate with other names for some of its steps.

    Raises:
        InputError: two steps would have one name.
    """
    new = tuple(names.get(name, name) for name in candidate.judge.names)
    if len(set(new)) < len(new):
        raise InputError(f"steps {list(new)} share a name; rename a model of the table")
    judge = replace(candidate.judge, names=new)
    cascade = candidate.cascade
    if isinstance(cascade, ValueCascade):
        cascade = replace(cascade, judge=judge)
    strong = names.get(candidate.strong, candidate.strong)
    return Candidate(cascade=cascade, judge=judge, strong=strong)
