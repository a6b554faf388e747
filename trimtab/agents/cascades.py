"""Cascades on recorded steps: which steps run on each question, and whose answer is shown.

All questions run at once: those that stand at the same trail are decided together. n is the number
of questions, M of steps.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from trimtab.agents.trail_features import agreements, members
from trimtab.agents.trail_model import Seen, TrailModel, best_answer
from trimtab.domains.tables import Bools, Codes, Floats, RecordedSteps

STOP = -1


class Cascade(Protocol):
    """Runs steps on recorded questions; never reads ``correct``."""

    @property
    def name(self) -> str:
        """Return what a reader calls it."""
        ...

    def run(self, steps: RecordedSteps) -> tuple[Codes, Codes]:
        """Return `[n]` trails (bit sets) and `[n]` places of the steps whose answers are shown."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcomes:
    """What a cascade did on each of n questions.

    Attributes:
        trail: `[n]` bit sets of the steps that ran.
        shown: `[n]` places of the steps whose answers are shown.
        correct: `[n]` whether the shown answer is right.
        cost_usd: `[n]` price of all steps that ran.
        asked_strong: `[n]` whether the strong step ran.
        confidence: `[n]` predicted probability that the shown answer is right.
    """

    trail: Codes
    shown: Codes
    correct: Bools
    cost_usd: Floats
    asked_strong: Bools
    confidence: Floats


@dataclass(frozen=True, slots=True, kw_only=True)
class Single:
    """Always runs one step and shows its answer."""

    step: int
    name: str

    def run(self, steps: RecordedSteps) -> tuple[Codes, Codes]:
        """Return the same trail for every question."""
        shown = np.full(steps.n, self.step, dtype=np.int64)
        return np.int64(1) << shown, shown


@dataclass(frozen=True, slots=True, kw_only=True)
class AgreementChain:
    """Runs steps in a fixed order until so many agree, and shows their answer.

    Where that never happens the answer with the largest support is shown; ties go to the step that
    ran last, which is the dearest in a chain that climbs. With ``last_decides`` the last step has
    no vote: it runs as soon as so many of the others can no longer agree, and its answer is shown.

    Attributes:
        order: the steps, in the order in which they run.
        needed: how many must agree, from 2 to their number.
        name: what a reader calls it.
        last_decides: whether the last step's answer is shown wherever it runs.
    """

    order: tuple[int, ...]
    needed: int
    name: str
    last_decides: bool = False

    def run(self, steps: RecordedSteps) -> tuple[Codes, Codes]:
        """Return each question's trail and the step whose answer is shown."""
        length = len(self.order)
        same = agreements(steps.codes[list(self.order)])
        # [length, n] largest support once so many steps have run
        support = np.stack([same[:k, :k].sum(axis=1).max(axis=0) for k in range(1, length + 1)])
        ran = _first(support >= self.needed, otherwise=length)
        prefixes = np.cumsum([1 << step for step in self.order]).astype(np.int64)
        order = np.array(self.order, dtype=np.int64)
        if self.last_decides:
            voters = length - 1
            open_after = support[:voters] + np.arange(voters)[::-1, None] >= self.needed
            lost = _first(~open_after, otherwise=length)
            defers = lost < length
            agreed = _largest(same, np.where(defers, 1, ran))
            trail = np.where(defers, prefixes[np.minimum(lost, voters) - 1], prefixes[ran - 1])
            trail = np.where(defers, trail | np.int64(1) << order[-1], trail)
            return trail, order[np.where(defers, voters, agreed)]
        return prefixes[ran - 1], order[_largest(same, ran)]


def _first(holds: Bools, *, otherwise: int) -> Codes:
    """Return `[n]` after how many steps a row of `[k, n]` holds for the first time."""
    found: Codes = np.where(holds.any(axis=0), holds.argmax(axis=0) + 1, otherwise)
    return found


def _largest(same: Bools, ran: Codes) -> Codes:
    """Return `[n]` the place of the largest support among the first ``ran`` of a chain.

    The last among equals.
    """
    length = len(same)
    alive = np.arange(length)[:, None] < ran
    support = np.where(alive, (same & alive).sum(axis=1), -1)
    place: Codes = length - 1 - support[::-1].argmax(axis=0)
    return place


@dataclass(frozen=True, slots=True, kw_only=True)
class ValueCascade:
    """Runs the step with the largest expected gain while it is above 0, then shows the likeliest.

    Attributes:
        judge: the probability that each answer of a trail is right.
        prices: `[M]` mean price of each step.
        value_of_usd: λ, the reward that a US dollar must bring.
        further: the steps that may follow each trail.
        gains: `[F, number of further steps]` weights of the expected gain, λ times price deducted.
    """

    judge: TrailModel
    prices: Floats
    value_of_usd: float
    further: Mapping[int, tuple[int, ...]]
    gains: Mapping[int, Floats]

    @property
    def name(self) -> str:
        """Return the name, which holds λ."""
        return f"value of computation, {self.value_of_usd:.4g} per USD"

    def run(self, steps: RecordedSteps) -> tuple[Codes, Codes]:
        """Return each question's trail and the step whose answer is shown."""
        seen = self.judge.see(steps)
        at = np.zeros(steps.n, dtype=np.int64)
        shown = np.zeros(steps.n, dtype=np.int64)
        for size in range(len(steps.names) + 1):
            for trail in np.unique(at[np.bitwise_count(at) == size]).tolist():
                here = np.flatnonzero(at == trail)
                of_trail = seen.take(here)
                x = self.judge.features(trail, of_trail)
                if trail:
                    q = self.judge.judge(trail, of_trail, x)
                    shown[here], _ = best_answer(q, trail, self.prices)
                if trail in self.gains:
                    step = self._next(trail, of_trail, x)
                    going = step != STOP
                    at[here[going]] |= np.int64(1) << step[going]
        return at, shown

    def _next(self, trail: int, seen: Seen, features: Floats) -> Codes:
        """Return `[n]` the step that follows the trail, or STOP."""
        gain = features @ self.gains[trail]
        step = np.array(self.further[trail], dtype=np.int64)[gain.argmax(axis=1)]
        # something has to be shown, so the first step is taken whatever it costs
        stop = (gain.max(axis=1) <= 0.0) & bool(trail) | self.judge.sure(trail, seen)
        return np.where(stop, STOP, step)


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A cascade that may be certified, with the judge of whatever trail it ends at.

    Attributes:
        cascade: what runs.
        judge: gives the probability that the shown answer is right.
        strong: name of the step that is asked where nothing cheaper will do.
    """

    cascade: Cascade
    judge: TrailModel
    strong: str

    @property
    def name(self) -> str:
        """Return what a reader calls it."""
        return self.cascade.name

    def run(self, steps: RecordedSteps) -> Outcomes:
        """Return what the cascade does on recorded questions."""
        trail, shown = self.cascade.run(steps)
        seen = self.judge.see(steps)
        confidence = np.zeros(steps.n)
        for one in np.unique(trail).tolist():
            here = np.flatnonzero(trail == one)
            q = self.judge.judge(one, seen.take(here))
            confidence[here] = of_shown(q, one, shown[here])
        return outcomes(steps, trail, shown, confidence, strong=self.strong)


def of_shown(q: Floats, trail: int, shown: Codes) -> Floats:
    """Return `[n]` the entries of the shown steps among `[n, s]` of a trail."""
    found: Floats = q[np.arange(len(q)), np.searchsorted(members(trail), shown)]
    return found


def outcomes(
    steps: RecordedSteps, trail: Codes, shown: Codes, confidence: Floats, *, strong: str
) -> Outcomes:
    """Return what these trails came to."""
    return Outcomes(
        trail=trail,
        shown=shown,
        correct=steps.correct[shown, np.arange(steps.n)],
        cost_usd=paid(steps, trail),
        asked_strong=(trail >> steps.index(strong) & 1).astype(np.bool_),
        confidence=confidence,
    )


def paid(steps: RecordedSteps, trail: Codes) -> Floats:
    """Return `[n]` the price of all steps of each trail."""
    ran = trail[None] >> np.arange(len(steps.names))[:, None] & 1
    total: Floats = (ran * steps.cost_usd).sum(axis=0)
    return total
