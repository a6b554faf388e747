"""P(a step's answer is right | the trail): one linear model per trail, and its scalar twin.

n is the number of questions, s of steps in a trail S, F of its features φ(S).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from trimtab.agents.trail_features import agreements, members, trail_features
from trimtab.domains.tables import Bools, Codes, Floats, RecordedSteps, Rows
from trimtab.errors import InputError


@dataclass(frozen=True, slots=True)
class Seen:
    """What a controller may read of questions: answers, who agrees, signals; never the truth.

    Attributes:
        codes: `[M, n]` answers, see :func:`trimtab.domains.tables.answer_codes`.
        same: `[M, M, n]` whether two steps agree.
        signals: `[J, M, n]` signals of the answers.
    """

    codes: Codes
    same: Bools
    signals: Floats

    @property
    def n(self) -> int:
        """Return the number of questions."""
        return int(self.codes.shape[1])

    def take(self, rows: Rows | Bools) -> Seen:
        """Return the questions of these rows."""
        return Seen(self.codes[:, rows], self.same[:, :, rows], self.signals[:, :, rows])


def see(steps: RecordedSteps, *, signals: bool) -> Seen:
    """Return what may be read of recorded steps; without ``signals`` J is 0."""
    kept = steps.signals if signals else steps.signals[:0]
    return Seen(steps.codes, agreements(steps.codes), kept)


@dataclass(frozen=True, slots=True, kw_only=True)
class TrailModel:
    """Judges the answers of a trail.

    Attributes:
        names: of the M steps, in the order of the bits.
        weights: `[F, s]` for each trail that can be judged; none for the empty one.
        exact: bit set of the steps that check what they answer: probability 1 where they answer.
        reads_signals: whether φ holds the answers' signals.
    """

    names: tuple[str, ...]
    weights: Mapping[int, Floats]
    exact: int
    reads_signals: bool

    def see(self, steps: RecordedSteps) -> Seen:
        """Return what the model reads of recorded steps.

        Raises:
            InputError: the steps are others than those that the model was fitted on.
        """
        if steps.names != self.names:
            raise InputError(
                f"the steps are {list(steps.names)}, the model was fitted on {list(self.names)}; "
                f"give the same in the same order"
            )
        return see(steps, signals=self.reads_signals)

    def features(self, trail: int, seen: Seen) -> Floats:
        """Return `[n, F]` φ of one trail."""
        return trail_features(trail, seen.codes, seen.same, seen.signals)

    def judge(self, trail: int, seen: Seen, features: Floats | None = None) -> Floats:
        """Return `[n, s]` the probability that each answer of the trail is right."""
        if trail not in self.weights:
            raise InputError(f"the trail {self.spelled(trail)} cannot be reached by this model")
        x = self.features(trail, seen) if features is None else features
        return probabilities(x @ self.weights[trail], trail, seen.codes, exact=self.exact)

    def sure(self, trail: int, seen: Seen) -> Bools:
        """Return `[n]` whether an exact step of the trail has answered: nothing can be gained."""
        ran = [step for step in members(trail) if self.exact >> step & 1]
        found: Bools = np.any(seen.codes[ran] >= 0, axis=0)
        return found

    def spelled(self, trail: int) -> list[str]:
        """Return the names of the steps of a trail."""
        return [self.names[step] for step in members(trail)]


def probabilities(scores: Floats, trail: int, codes: Codes, *, exact: int) -> Floats:
    """Return `[n, s]` probabilities of linear scores; no answer has 0, an exact step's answer 1.

    Args:
        scores: `[n, s]`.
        trail: the s steps.
        codes: `[M, n]`.
        exact: bit set of the steps that check what they answer.
    """
    ran = list(members(trail))
    given = codes[ran].T >= 0
    q = np.where(given, np.clip(scores, 0.0, 1.0), 0.0)
    sure = np.array([bool(exact >> step & 1) for step in ran])
    found: Floats = np.where(given & sure, 1.0, q)
    return found


def best_answer(q: Floats, trail: int, prices: Floats) -> tuple[Codes, Floats]:
    """Return `[n]` steps with the likeliest answers, and their probabilities.

    Ties go to the cheapest step, then to the first.
    """
    ran = np.array(members(trail))
    order = np.lexsort((ran, prices[ran]))
    column = order[q[:, order].argmax(axis=1)]
    return ran[column].astype(np.int64), q[np.arange(len(q)), column]
