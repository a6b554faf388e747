"""The pool of cascades that compete: value of computation, agreement chains, and single steps.

Plain agreement chains are nearly as good as a learned controller and need no fitting, so they are
candidates beside it. What a candidate did on the training questions is measured out of fold where
it was fitted. Whoever certifies a candidate does so on other questions: choosing on the questions
that certify voids the certificate. M is the number of steps.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from trimtab.agents.cascades import Candidate, Cascade, Outcomes, Single, of_shown, outcomes
from trimtab.domains.tables import Codes, Floats, RecordedSteps
from trimtab.training.agreement_chains import agreement_chains, reachable_trails
from trimtab.training.controller import Judged, fit_judge, fit_values

PRICES = 24
"""Prices λ that are tried, evenly on a log scale."""


CAUTION = 2.0
"""Standard errors that are added to a loss measured in training."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tried:
    """A candidate and what it did on the training questions, out of fold where it was fitted."""

    candidate: Candidate
    outcomes: Outcomes

    @property
    def quality(self) -> float:
        """Return the share of right answers shown."""
        return float(self.outcomes.correct.mean())

    @property
    def cost_usd(self) -> float:
        """Return the mean price of a question."""
        return float(self.outcomes.cost_usd.mean())

    @property
    def expected_quality(self) -> float:
        """Return the mean of the measured quality and of the predicted one, out of fold.

        Among many candidates the best measured one was lucky; predictions tell two rules apart by
        all questions, not only by the few on which they differ.
        """
        return (self.quality + float(self.outcomes.confidence.mean())) / 2.0

    def cautious_loss(self, strong: int, steps: RecordedSteps) -> float:
        """Return the loss against the strong step, ``CAUTION`` standard errors added.

        The variance is taken as large as the share of answers that differ from the strong step's,
        as if each of them were a loss: how often a rule differs is known far better than how often
        that was a mistake.

        Args:
            strong: place of the strong step.
            steps: the training questions.
        """
        rows = np.arange(steps.n)
        losses = steps.correct[strong].astype(np.float64) - self.outcomes.correct
        answers = steps.codes[self.outcomes.shown, rows]
        differs = (self.outcomes.shown != strong) & (
            (answers != steps.codes[strong]) | (answers < 0)
        )
        # one more difference than was seen: none in few rows does not mean never
        variance = (float(differs.sum()) + 1.0) / (steps.n + 1.0)
        return float(losses.mean()) + CAUTION * math.sqrt(variance / steps.n)


def fit_pool(
    steps: RecordedSteps, *, strong: str | None = None, rng: np.random.Generator
) -> list[Candidate]:
    """Return the candidates worth certifying, dear to cheap, the strong step alone first.

    The others do not always ask the strong step and cost no more than it on the training questions.
    Each of them has a smaller cautious loss than every one that costs less: a rule that seldom
    differs from the strong step is kept beside one that happened to do well.

    Args:
        steps: training questions; none of them may be among those that certify.
        strong: the step that a promise is measured against; the best single one if None.
        rng: draws the folds.

    Raises:
        ConfigError: fewer questions than folds.
        InputError: no such step.
    """
    (always, *rest), _ = fit_candidates(steps, strong=strong, rng=rng)
    place = steps.index(always.candidate.strong)
    kept: list[tuple[float, Candidate]] = []
    for one in sorted(rest, key=lambda t: t.cost_usd):
        saves = one.cost_usd <= always.cost_usd and not one.outcomes.asked_strong.all()
        loss = one.cautious_loss(place, steps)
        if saves and (not kept or loss < kept[-1][0]):
            kept.append((loss, one.candidate))
    return [always.candidate, *(candidate for _, candidate in reversed(kept))]


def fit_candidates(
    steps: RecordedSteps,
    *,
    strong: str | None = None,
    rng: np.random.Generator,
    prices: int = PRICES,
) -> tuple[list[Tried], Judged]:
    """Return every candidate, the strong step alone first, and the judgements they share.

    Args:
        steps: as for :func:`fit_pool`, and so are the errors.
        strong: likewise.
        rng: likewise.
        prices: number of controllers by value of computation, one for each λ; 0 for none.
    """
    chosen = best_single(steps) if strong is None else strong
    place = steps.index(chosen)
    lambdas = price_grid(steps.cost_usd.mean(axis=1), max(prices, 1))
    chains = agreement_chains(steps, lambdas=lambdas)
    judged = fit_judge(steps, trails=reachable_trails(steps, chains), rng=rng)
    order = [place, *(m for m in range(len(steps.names)) if m != place)]
    plain: list[Cascade] = [Single(step=m, name=f"always {steps.names[m]}") for m in order]
    found = [
        _tried(steps, judged, one, *one.run(steps), strong=chosen) for one in [*plain, *chains]
    ]
    for fit in fit_values(steps, judged, lambdas=lambdas, rng=rng) if prices else ():
        found.append(_tried(steps, judged, fit.cascade, fit.trail, fit.shown, strong=chosen))
    return found, judged


def best_single(steps: RecordedSteps) -> str:
    """Return the step with the most right answers; ties go to the cheapest, then to the first."""
    order = np.lexsort((steps.cost_usd.mean(axis=1), -steps.correct.mean(axis=1)))
    return steps.names[int(order[0])]


def price_grid(prices: Floats, count: int = PRICES) -> list[float]:
    """Return the prices λ to try: from hardly any thrift to none but the cheapest steps.

    Args:
        prices: `[M]` mean price of each step in US dollars.
        count: how many.
    """
    paid_for = prices[prices > 0.0]
    if not len(paid_for):
        return [0.0]
    return [
        float(value) for value in np.geomspace(1e-3 / paid_for.max(), 0.5 / paid_for.min(), count)
    ]


def _tried(
    steps: RecordedSteps,
    judged: Judged,
    cascade: Cascade,
    trail: Codes,
    shown: Codes,
    *,
    strong: str,
) -> Tried:
    confidence = np.zeros(steps.n)
    for one in np.unique(trail).tolist():
        here = np.flatnonzero(trail == one)
        confidence[here] = of_shown(judged.q[one][here], one, shown[here])
    return Tried(
        candidate=Candidate(cascade=cascade, judge=judged.model, strong=strong),
        outcomes=outcomes(steps, trail, shown, confidence, strong=strong),
    )
