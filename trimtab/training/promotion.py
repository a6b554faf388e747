"""Promotion of a variant of the controller: only by winning a paired test on questions unseen.

Champion and challenger are fitted on the same folds of the training questions, at the same prices
of a dollar, and run on the questions left out. What counts is the reward less λ times the price of
what ran, so that a variant cannot win by spending more.

Source: Dietterich 1998, "Approximate statistical tests for comparing supervised classification
learning algorithms", §3 (tests on the same held-out items). n is the number of questions, L of
prices λ.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from trimtab.agents.cascades import Candidate, Outcomes
from trimtab.domains.tables import Floats, RecordedSteps
from trimtab.errors import ConfigError
from trimtab.stats import Estimate, paired_bootstrap
from trimtab.training.agreement_chains import agreement_chains, reachable_trails
from trimtab.training.cascade_pool import best_single, price_grid
from trimtab.training.controller import FOLDS, fit_cascades, fit_judge

SPACING = 4
"""Of the prices that a pool tries, every so many-th is compared."""


class Contender(Protocol):
    """What may be promoted: a :class:`trimtab.agents.cascades.Candidate`, or what runs as one."""

    def run(self, steps: RecordedSteps) -> Outcomes:
        """Return what it does on recorded questions; ``correct`` only fills the outcomes."""
        ...


class Fit(Protocol):
    """Fits one contender for each price of a dollar, on training questions alone."""

    def __call__(
        self, steps: RecordedSteps, *, lambdas: Sequence[float], rng: np.random.Generator
    ) -> Sequence[Contender]:
        """Return L contenders."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """Whether a challenger takes over.

    Attributes:
        gain: mean of its net reward less the champion's, as a share of a right answer.
        promoted: whether the whole interval lies above 0.
    """

    gain: Estimate
    promoted: bool


def promotion(
    steps: RecordedSteps,
    *,
    champion: Fit,
    challenger: Fit,
    rng: np.random.Generator,
    folds: int = FOLDS,
    confidence: float = 0.95,
) -> Verdict:
    """Return the verdict of a paired test over cross-fitted outcomes.

    Args:
        steps: training questions.
        champion: what runs now.
        challenger: what would take its place.
        rng: draws the folds, the fits and the resamples.
        folds: parts of the questions; each is left out once.
        confidence: of the interval.

    Raises:
        ConfigError: fewer questions than three in each fold.
    """
    if steps.n < 3 * folds:
        raise ConfigError(f"{steps.n} questions are too few for {folds} folds; give {3 * folds}")
    lambdas = price_grid(steps.cost_usd.mean(axis=1))[::SPACING]
    fold = rng.permutation(np.arange(steps.n) % folds)
    net = np.zeros((2, steps.n))
    for part in range(folds):
        rest, left_out = np.flatnonzero(fold != part), np.flatnonzero(fold == part)
        known, unseen = steps.take(rest), steps.take(left_out)
        for place, fit in enumerate((champion, challenger)):
            fitted = fit(known, lambdas=lambdas, rng=rng)
            net[place, left_out] = net_rewards([one.run(unseen) for one in fitted], lambdas)
    gain = paired_bootstrap(net[1], net[0], rng=rng, confidence=confidence)
    # a limit is None where the items cannot bound it: that wins nothing
    return Verdict(gain=gain, promoted=gain.low is not None and gain.low > 0.0)


def net_rewards(outcomes: Sequence[Outcomes], lambdas: Sequence[float]) -> Floats:
    """Return `[n]` reward − λ·price, the mean over the prices λ."""
    rows = [
        one.correct - value * one.cost_usd for one, value in zip(outcomes, lambdas, strict=True)
    ]
    mean: Floats = np.mean(rows, axis=0)
    return mean


def fit_ridge(
    steps: RecordedSteps,
    *,
    lambdas: Sequence[float],
    rng: np.random.Generator,
    signals: bool | None = None,
) -> list[Candidate]:
    """Return the controller by value of computation of each λ: the champion.

    Args:
        steps: training questions.
        lambdas: values of a US dollar.
        rng: draws the folds.
        signals: as :func:`trimtab.training.controller.fit_judge` reads it.
    """
    chains = agreement_chains(steps, lambdas=lambdas)
    judged = fit_judge(steps, trails=reachable_trails(steps, chains), rng=rng, signals=signals)
    strong = best_single(steps)
    return [
        Candidate(cascade=cascade, judge=judged.model, strong=strong)
        for cascade in fit_cascades(steps, judged, lambdas=lambdas)
    ]
