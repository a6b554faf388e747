"""The methods that ``bench cascade`` compares, as lists of operating points.

Every method may divide questions at random between single models, so each list holds them. What a
point did on the training questions is measured out of fold where it was fitted; what it does on
the test questions is computed only for the points chosen. n is the number of questions, M of
models.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from trimtab.agents.cascades import AgreementChain, Single, paid
from trimtab.bench.routing_gate import fit_scores
from trimtab.domains.tables import Bools, Codes, Floats, RecordedSteps, Rows
from trimtab.training.cascade_pool import Tried
from trimtab.training.controller import FOLDS, cross_ridge

Measured = tuple[float, float]
"""Mean quality and mean cost in US dollars."""

LEVELS = 9
"""Thresholds of a FrugalGPT-like stage: quantiles of its scores on the training questions."""
LONGEST_FRUGAL = 3


@dataclass(frozen=True, slots=True)
class Point:
    """An operating point: what it did in training, and how to measure it on the test questions."""

    quality: float
    cost_usd: float
    test: Callable[[], Measured]


@dataclass(frozen=True, slots=True, kw_only=True)
class Split:
    """Training and test questions of one split.

    Attributes:
        texts: `[n]` all questions.
        features: `[n, F]` counts of their words.
        steps: `[n]` recorded answers.
        train: rows to learn and choose on.
        test: rows to measure on.
    """

    texts: Sequence[str]
    features: Floats
    steps: RecordedSteps
    train: Rows
    test: Rows

    @property
    def train_steps(self) -> RecordedSteps:
        """Return the recorded answers to the training questions."""
        return self.steps.take(self.train)

    @property
    def test_steps(self) -> RecordedSteps:
        """Return the recorded answers to the test questions."""
        return self.steps.take(self.test)


def of_pool(tried: Sequence[Tried], test: RecordedSteps, *, predicted: bool) -> list[Point]:
    """Return the points of candidates; with ``predicted`` their choice reads the judge as well."""

    def point(one: Tried) -> Point:
        quality = one.expected_quality if predicted else one.quality
        return Point(
            quality, one.cost_usd, lambda: measured(test, *one.candidate.cascade.run(test))
        )

    return [point(one) for one in tried]


def singles(tried: Sequence[Tried]) -> list[Tried]:
    """Return the single models of a pool."""
    return [one for one in tried if isinstance(one.candidate.cascade, Single)]


def agreement(tried: Sequence[Tried]) -> list[Tried]:
    """Return the agreement chains and single models of a pool."""
    kinds = (Single, AgreementChain)
    return [one for one in tried if isinstance(one.candidate.cascade, kinds)]


def measured(steps: RecordedSteps, trail: Codes, shown: Codes) -> Measured:
    """Return mean quality and cost of trails with the answers shown."""
    quality = steps.correct[shown, np.arange(steps.n)].mean()
    return float(quality), float(paid(steps, trail).mean())


def query_scores(split: Split, rng: np.random.Generator) -> Floats:
    """Return `[n, M]` predicted rewards of every model from the question alone.

    Those of training questions are out of fold.
    """
    right = split.steps.correct.T.astype(np.float64)
    scores = fit_scores(split.texts, split.features, right, split.train)
    fold = rng.permutation(np.arange(len(split.train)) % FOLDS)
    for k in range(FOLDS):
        out = fit_scores(split.texts, split.features, right, split.train[fold != k])
        scores[split.train[fold == k]] = out[split.train[fold == k]]
    return scores


def query_only(split: Split, scores: Floats, lambdas: Sequence[float]) -> list[Point]:
    """Return the points of a router that reads the question: argmax of reward − λ·price.

    Source: Ong et al. 2024, "RouteLLM", and Hu et al. 2024, "RouterBench", §4 (predictive routers).
    """
    prices = split.train_steps.cost_usd.mean(axis=1)
    return [
        _routed(split, (scores - value * prices).argmax(axis=1).astype(np.int64))
        for value in lambdas
    ]


def oracle(split: Split, lambdas: Sequence[float]) -> list[Point]:
    """Return the points of a router that knows which models are right, and every price."""
    steps = split.steps
    return [
        _routed(split, (steps.correct - value * steps.cost_usd).argmax(axis=0).astype(np.int64))
        for value in lambdas
    ]


def frugal(
    split: Split, scores: Floats, orders: Sequence[tuple[int, ...]], rng: np.random.Generator
) -> list[Point]:
    """Return the points of FrugalGPT-like chains: fixed order, a threshold per stage.

    Each stage scores its own answer (question, length, no answer); below its threshold the next
    model is asked. Thresholds are quantiles of the scores in training.

    Source: Chen et al. 2023, "FrugalGPT", §3 (LLM cascade).

    Args:
        split: the questions.
        scores: `[n, M]` of :func:`query_scores`.
        orders: the chains, see :func:`frugal_orders`.
        rng: draws the folds.
    """
    own = _own_scores(split, scores, rng)
    levels = np.linspace(0.0, 1.0, LEVELS + 2)[1:-1]
    cuts = np.quantile(own[split.train], levels, axis=0)
    points = []
    for order in orders:
        for places in itertools.product(range(LEVELS), repeat=len(order) - 1):
            limits = [cuts[k, m] for k, m in zip(places, order, strict=False)]
            points.append(_frugal_point(split, own, order, limits))
    return points


def frugal_orders(tried: Sequence[Tried]) -> list[tuple[int, ...]]:
    """Return the chains of at most ``LONGEST_FRUGAL`` models, those of the agreement chains."""
    orders: dict[tuple[int, ...], None] = {}
    for one in tried:
        cascade = one.candidate.cascade
        if isinstance(cascade, AgreementChain) and len(cascade.order) <= LONGEST_FRUGAL:
            orders.setdefault(cascade.order)
    return list(orders)


def _own_scores(split: Split, scores: Floats, rng: np.random.Generator) -> Floats:
    """Return `[n, M]` probabilities that each answer is right, from itself and its question."""
    steps = split.steps
    fold = rng.permutation(np.arange(len(split.train)) % FOLDS).astype(np.int64)
    own = np.empty(scores.shape)
    for m in range(len(steps.names)):
        x = np.column_stack(
            [np.ones(steps.n), scores[:, m], steps.codes[m] < 0, *steps.signals[:, m]]
        )
        target = steps.correct[m, split.train].astype(np.float64)[:, None]
        weights, out = cross_ridge(x[split.train], target, fold, ridge=1.0)
        own[:, m] = x @ weights[:, 0]
        own[split.train, m] = out[:, 0]
    return own


def _frugal_point(
    split: Split, own: Floats, order: Sequence[int], limits: Sequence[float]
) -> Point:
    def run(rows: Rows) -> Measured:
        steps = split.steps
        trail = np.full(len(rows), np.int64(1) << order[0])
        shown = np.full(len(rows), order[0], dtype=np.int64)
        going: Bools = np.ones(len(rows), dtype=np.bool_)
        for before, after, limit in zip(order, order[1:], limits, strict=False):
            going = going & (own[rows, before] < limit)
            trail = np.where(going, trail | np.int64(1) << after, trail)
            shown = np.where(going, after, shown)
        bits = trail[None] >> np.arange(len(steps.names))[:, None] & 1
        usd = (bits * steps.cost_usd[:, rows]).sum(axis=0)
        return float(steps.correct[shown, rows].mean()), float(usd.mean())

    return Point(*run(split.train), lambda: run(split.test))


def _routed(split: Split, shown: Codes) -> Point:
    def run(rows: Rows) -> Measured:
        steps = split.steps
        quality = steps.correct[shown[rows], rows].mean()
        return float(quality), float(steps.cost_usd[shown[rows], rows].mean())

    return Point(*run(split.train), lambda: run(split.test))
