"""The text variant of the controller: its judge reads what the question says.

A ridge regression on the question's vector predicts the reward of every step, and the prediction
for a step stands beside its answer where the trail is judged. In training it is out of fold, so
that the judge learns how far to trust it. n is the number of questions, D the width of a vector,
M the number of steps.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from trimtab.agents.cascades import Candidate, Outcomes
from trimtab.domains.tables import Floats, RecordedSteps
from trimtab.errors import ConfigError, InputError
from trimtab.training.controller import FOLDS, cross_ridge
from trimtab.training.promotion import fit_ridge

RIDGE = 10.0
"""Penalty on the weights of the vectors, which have unit length."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TextScores:
    """Predicts the reward of every step from the question's vector.

    Attributes:
        weights: `[1 + D, M]`, the intercept first.
    """

    weights: Floats

    def read(self, steps: RecordedSteps) -> RecordedSteps:
        """Return the steps with the predictions as the one signal of their answers."""
        x = _vectors(steps)
        if x.shape[1] != len(self.weights):
            raise InputError(
                f"questions are {x.shape[1] - 1} wide, the scores were fitted on "
                f"{len(self.weights) - 1}; use the same embedder"
            )
        return _with_scores(steps, x @ self.weights)


@dataclass(frozen=True, slots=True, kw_only=True)
class TextCandidate:
    """A candidate that reads the question as well; runs as :class:`Candidate` does."""

    candidate: Candidate
    scores: TextScores

    def run(self, steps: RecordedSteps) -> Outcomes:
        """Return what the cascade does on recorded questions."""
        return self.candidate.run(self.scores.read(steps))


def fit_text(
    steps: RecordedSteps, *, lambdas: Sequence[float], rng: np.random.Generator
) -> list[TextCandidate]:
    """Return the controller of each λ whose judge reads the question.

    Args:
        steps: training questions with their vectors.
        lambdas: values of a US dollar.
        rng: draws the folds.

    Raises:
        ConfigError: fewer questions than folds.
        InputError: the questions have no vectors.
    """
    if steps.n < FOLDS:
        raise ConfigError(f"{steps.n} training questions are fewer than {FOLDS} folds; give more")
    fold = rng.permutation(np.arange(steps.n) % FOLDS).astype(np.int64)
    right = steps.correct.T.astype(np.float64)
    weights, out_of_fold = cross_ridge(_vectors(steps), right, fold, ridge=RIDGE)
    scored = _with_scores(steps, out_of_fold)
    scores = TextScores(weights=weights)
    return [
        TextCandidate(candidate=one, scores=scores)
        for one in fit_ridge(scored, lambdas=lambdas, rng=rng, signals=True)
    ]


def _vectors(steps: RecordedSteps) -> Floats:
    """Return `[n, 1 + D]` vectors with a leading 1."""
    if steps.questions is None:
        raise InputError("questions is None; give the vectors of an embedder, one per question")
    return np.column_stack([np.ones(steps.n), steps.questions])


def _with_scores(steps: RecordedSteps, scores: Floats) -> RecordedSteps:
    return replace(steps, signals=scores.T[None].copy())
