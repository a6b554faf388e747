"""The pool of cascades that compete: value of computation, agreement chains, and single steps.

Plain agreement chains are nearly as good as a learned controller and need no fitting, so they are
candidates beside it. What a candidate did on the training questions is measured out of fold where
it was fitted. Whoever certifies a candidate does so on other questions: choosing on the questions
that certify voids the certificate. M is the number of steps.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from trimtab.agents.cascades import Candidate, Cascade, Single, paid
from trimtab.domains.tables import Codes, Floats, RecordedSteps
from trimtab.training.agreement_chains import agreement_chains, reachable_trails
from trimtab.training.controller import Judged, fit_judge, fit_values

PRICES = 24
"""Prices λ that are tried, evenly on a log scale."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tried:
    """A candidate and what it did on the training questions, out of fold where it was fitted.

    Attributes:
        candidate: fitted on all of them.
        quality: share of right answers shown.
        cost_usd: mean price of a question.
    """

    candidate: Candidate
    quality: float
    cost_usd: float


def fit_pool(
    steps: RecordedSteps, *, strong: str | None = None, rng: np.random.Generator
) -> list[Candidate]:
    """Return the candidates that no other beats on the training questions, dear to cheap.

    The first is always the strong step alone, whatever it costs: nothing is lost with it. Then
    falls the cost on the training questions, and with it their quality.

    Args:
        steps: training questions; none of them may be among those that certify.
        strong: the step that a promise is measured against; the best single one if None.
        rng: draws the folds.

    Raises:
        ConfigError: fewer questions than folds.
        InputError: no such step.
    """
    tried, _ = fit_candidates(steps, strong=strong, rng=rng)
    always, rest = tried[0], tried[1:]
    kept: list[Tried] = []
    for one in sorted(rest, key=lambda t: (t.cost_usd, -t.quality)):
        if not kept or one.quality > kept[-1].quality:
            kept.append(one)
    return [always.candidate, *(one.candidate for one in reversed(kept))]


def fit_candidates(
    steps: RecordedSteps, *, strong: str | None = None, rng: np.random.Generator
) -> tuple[list[Tried], Judged]:
    """Return every candidate, the strong step alone first, and the judgements they share.

    Arguments and errors are those of :func:`fit_pool`.
    """
    chosen = best_single(steps) if strong is None else strong
    place = steps.index(chosen)
    lambdas = price_grid(steps.cost_usd.mean(axis=1))
    chains = agreement_chains(steps, lambdas=lambdas)
    judged = fit_judge(steps, trails=reachable_trails(steps, chains), rng=rng)
    order = [place, *(m for m in range(len(steps.names)) if m != place)]
    plain: list[Cascade] = [Single(step=m, name=f"always {steps.names[m]}") for m in order]
    found = [
        _tried(steps, judged, one, *one.run(steps), strong=chosen) for one in [*plain, *chains]
    ]
    for fit in fit_values(steps, judged, lambdas=lambdas):
        found.append(_tried(steps, judged, fit.cascade, fit.trail, fit.shown, strong=chosen))
    return found, judged


def best_single(steps: RecordedSteps) -> str:
    """Return the step with the most right answers; ties go to the cheapest, then to the first."""
    order = np.lexsort((steps.cost_usd.mean(axis=1), -steps.correct.mean(axis=1)))
    return steps.names[int(order[0])]


def price_grid(prices: Floats) -> list[float]:
    """Return the prices λ to try: from hardly any thrift to none but the cheapest steps.

    Args:
        prices: `[M]` mean price of each step in US dollars.
    """
    paid_for = prices[prices > 0.0]
    if not len(paid_for):
        return [0.0]
    return [
        float(value) for value in np.geomspace(1e-3 / paid_for.max(), 0.5 / paid_for.min(), PRICES)
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
    return Tried(
        candidate=Candidate(cascade=cascade, judge=judged.model, strong=strong),
        quality=float(steps.correct[shown, np.arange(steps.n)].mean()),
        cost_usd=float(paid(steps, trail).mean()),
    )
