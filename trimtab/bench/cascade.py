"""``trimtab bench cascade``: what deciding after every step is worth, on recorded answers.

Questions are split into training and test questions at random, as often as asked. Each method
chooses its operating points on the training questions – those on the upper concave hull of what
they did there – and is measured on the test questions at the points chosen. The promise is
measured on streams of its own, see :mod:`trimtab.bench.cascade_promise`.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from trimtab.agents.promise import check_promise
from trimtab.bench import cascade_methods as methods
from trimtab.bench.cascade_act import act_ms
from trimtab.bench.cascade_bars import bars
from trimtab.bench.cascade_methods import Point, Split
from trimtab.bench.cascade_promise import Kept, keep, promise_measures
from trimtab.bench.cascade_routing import cascade_routing
from trimtab.bench.cascade_variants import variant_measures
from trimtab.bench.result import Measure, bench_result, spread
from trimtab.bench.routing_bars import known_name
from trimtab.bench.routing_gate import text_features
from trimtab.datasets.recorded import (
    RecordedTable,
    chosen_models,
    read_recorded,
    recorded_steps,
)
from trimtab.domains.tables import RecordedSteps
from trimtab.errors import ConfigError
from trimtab.evals.cost_quality import area, cost_at, upper_hull
from trimtab.protocols import Embedder
from trimtab.training.cascade_pool import best_single, fit_candidates, price_grid
from trimtab.training.controller import FOLDS

OURS = "ours"
RIVALS = ("agreement", "cascade_routing", "frugal", "query_only", "singles")
_AREA = "mean test quality over cost, from the cheapest to the dearest single model"
_PRICE = "share of the best single model's cost"


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """What one split showed of every method.

    Attributes:
        areas: by method.
        prices: cost, over that of the best single model, at a share of that model's quality; by
            method and share.
        train_s: CPU-seconds of fitting our pool.
        act_ms: CPU-milliseconds of one decision of our controller.
    """

    areas: Mapping[str, float]
    prices: Mapping[tuple[str, float], float]
    train_s: float
    act_ms: float


def run(
    *,
    table: Path,
    models: Sequence[str] = (),
    train_size: int = 500,
    splits: int = 10,
    strong: str | None = None,
    promise: float = 0.02,
    confidence: float = 0.95,
    streams: int = 0,
    seed: int = 0,
    variants: Embedder | None = None,
) -> dict[str, Any]:
    """Return the benchmark of cascades between recorded models.

    Measures are means over the splits, with the middle 95 % of them as limits and their standard
    deviation under ``…_sd``; differences ``vs_…`` are paired by split, in points of mean quality
    (hundredths). ``cost_at_98`` is what 98 % of the best single model's test quality costs, over
    what that model costs; 1 where nothing chosen reaches it, because that model alone does. The
    best single model is chosen on the training questions. ``oracle`` knows which models are right.

    Args:
        table: file that :func:`trimtab.datasets.recorded.read_recorded` reads.
        models: names of the models; all of a table that has at most 8 if none are given.
        train_size: questions to learn and choose on.
        splits: random divisions of the questions.
        strong: the model that the promise is measured against; the best single one of the training
            questions if None.
        promise: largest loss against always asking it.
        confidence: of the promise.
        streams: resampled streams of the promise; 0 leaves it out.
        seed: of every draw.
        variants: what reads the questions for the text variant; with it the variants of the
            controller are tested for promotion on the training questions of the first split.

    Raises:
        ConfigError: an argument is outside its range.
        InputError: the table cannot be used, or holds no such model.
    """
    recorded = read_recorded(table)
    chosen = chosen_models([recorded], models)
    questions, answers = recorded.select(chosen)
    steps = recorded_steps(answers)
    _check(recorded, steps, train_size=train_size, splits=splits, streams=streams)
    check_promise(loss=promise, confidence=confidence)
    if strong is not None:
        steps.index(strong)
    texts = [recorded.texts[i] for i in questions]
    features = text_features(texts)
    figures = []
    for one in range(splits):
        rng = np.random.default_rng((seed, one))
        order = rng.permutation(steps.n)
        split = Split(
            texts=texts,
            features=features,
            steps=steps,
            train=order[:train_size],
            test=order[train_size:],
        )
        figures.append(measure(split, rng))
    kept: list[Kept] = []
    for one in range(streams):
        rng = np.random.default_rng((seed, splits, one))
        order = rng.permutation(steps.n)
        kept.append(
            keep(
                steps,
                train=order[:train_size],
                world=order[train_size:],
                strong=strong,
                loss=promise,
                confidence=confidence,
                rng=rng,
            )
        )
    measures = _summary(figures) | promise_measures(kept, loss=promise)
    if variants is not None:
        order = np.random.default_rng((seed, 0)).permutation(steps.n)[:train_size]
        vectors = variants.embed([texts[i] for i in order]).astype(np.float64)
        rng = np.random.default_rng((seed, splits, streams))
        measures |= variant_measures(steps.take(order), vectors=vectors, rng=rng)
    data = known_name(recorded)
    return bench_result(
        "cascade",
        data=data,
        n=steps.n,
        seed=seed,
        measures=measures,
        bars=bars(
            data,
            models=chosen,
            train_size=train_size,
            promise=promise,
            confidence=confidence,
            streams=streams,
        ),
        packages=("numpy", "scikit-learn", "pyarrow"),
    )


def measure(split: Split, rng: np.random.Generator) -> Figures:
    """Return what every method does on one split."""
    train, test = split.train_steps, split.test_steps
    started = time.process_time()
    tried, judged = fit_candidates(train, rng=rng)
    train_s = time.process_time() - started
    lambdas = price_grid(judged.prices)
    alone = methods.of_pool(methods.singles(tried), test, predicted=False)
    scores = methods.query_scores(split, rng)
    points: dict[str, list[Point]] = {
        OURS: methods.of_pool(tried, test, predicted=True),
        "agreement": methods.of_pool(methods.agreement(tried), test, predicted=False),
        "cascade_routing": alone + cascade_routing(judged, train, test, lambdas=lambdas, rng=rng),
        "frugal": alone + methods.frugal(split, scores, methods.frugal_orders(tried), rng),
        "query_only": alone + methods.query_only(split, scores, lambdas),
        "singles": alone,
        "oracle": alone + methods.oracle(split, lambdas),
    }
    costs = test.cost_usd.mean(axis=1)
    best = test.index(best_single(train))
    target = float(test.correct[best].mean())
    areas: dict[str, float] = {}
    prices: dict[tuple[str, float], float] = {}
    for name, of_method in points.items():
        usd, quality = chosen_points(of_method)
        areas[name] = area(usd, quality, low_usd=float(costs.min()), high_usd=float(costs.max()))
        for share in (0.98, 1.0):
            cost = cost_at(usd, quality, share * target)
            prices[name, share] = 1.0 if cost is None else min(1.0, cost / float(costs[best]))
    return Figures(areas=areas, prices=prices, train_s=train_s, act_ms=act_ms(tried, test))


def chosen_points(points: Sequence[Point]) -> tuple[list[float], list[float]]:
    """Return test costs and qualities of the points on the upper hull of the training figures."""
    places = upper_hull([one.cost_usd for one in points], [one.quality for one in points])
    measured = [points[place].test() for place in places]
    return [usd for _, usd in measured], [quality for quality, _ in measured]


def _summary(figures: Sequence[Figures]) -> dict[str, Measure]:
    def over(key: str, values: Sequence[float], unit: str) -> dict[str, Measure]:
        return spread(key, values, unit=unit)

    found = over("area", [one.areas[OURS] for one in figures], _AREA)
    for key, share in (("cost_at_98", 0.98), ("cost_at_100", 1.0)):
        found |= over(key, [one.prices[OURS, share] for one in figures], _PRICE)
    for rival in RIVALS:
        points = [100.0 * (one.areas[OURS] - one.areas[rival]) for one in figures]
        found |= over(f"vs_{rival}", points, "points of area")
    for name in (*RIVALS, "oracle"):
        found |= over(f"{name}_area", [one.areas[name] for one in figures], _AREA)
        found |= over(f"{name}_cost_at_98", [one.prices[name, 0.98] for one in figures], _PRICE)
    found |= over("act_ms", [one.act_ms for one in figures], "CPU-ms a decision")
    return found | over("train_s", [one.train_s for one in figures], "CPU-s")


def _check(
    recorded: RecordedTable, steps: RecordedSteps, *, train_size: int, splits: int, streams: int
) -> None:
    if splits < 1 or streams < 0:
        raise ConfigError(f"splits={splits}, streams={streams}: give at least 1 split, 0 streams")
    if train_size < 2 * FOLDS or steps.n - train_size < 2 * FOLDS:
        raise ConfigError(
            f"train_size={train_size} of the {steps.n} common questions of {recorded.name}: leave "
            f"at least {2 * FOLDS} on either side"
        )
    costs = steps.cost_usd.mean(axis=1)
    if not costs.min() < costs.max():
        raise ConfigError(
            f"{recorded.name}: all models cost {costs.max():g} USD a question; a cascade needs "
            f"models of different prices"
        )
