"""Cascade routing, the strongest published competitor, written anew from its description.

After every step each set of models that contains those that ran is rated by the expected best of
its estimates less λ times its price. Where the best set is what ran already, the likeliest answer
is shown; else the cheapest model that the best set adds runs next. The expected best of a set
counts that estimates will still move: independent normal changes around the present estimates,
with the spread that the training questions showed between the trails.

The estimates are those of the controller by value of computation: a ridge regression of every
model's reward on φ(S), cross-fitted in training.

Source: Dekoninck et al. 2025, "A unified approach to routing and cascading for LLMs", §4. n is the
number of questions, M of models, D of draws.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from trimtab.agents.cascades import STOP
from trimtab.agents.trail_features import members
from trimtab.agents.trail_model import Seen, best_answer, probabilities
from trimtab.bench.cascade_methods import Measured, Point, measured
from trimtab.domains.tables import Codes, Floats, RecordedSteps
from trimtab.training.controller import RIDGE, Judged, cross_ridge, walk

DRAWS = 128
"""Antithetic normal draws that an expected maximum is averaged over."""
DECAYS = (0.5, 1.0, 2.0)
"""λ may change by this factor with every step: the method has a λ for each."""
Estimates = Mapping[int, Floats]
"""`[n, M]` expected reward of every model, by trail."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CascadeRouter:
    """Chooses the next model by the best set.

    Attributes:
        names: of the M models.
        prices: `[M]` mean price of each.
        weights: `[F, M]` of the estimates, by trail.
        spreads: `[M]` standard deviation by which estimates move, by trail and set.
        draws: `[D, M]` standard normal numbers.
    """

    names: tuple[str, ...]
    prices: Floats
    weights: Mapping[int, Floats]
    spreads: Mapping[tuple[int, int], Floats]
    draws: Floats

    def expected_best(self, trail: int, estimates: Floats) -> tuple[list[int], Floats]:
        """Return the sets that contain a trail, and `[n, number of sets]` their expected best."""
        sets = [one for one in self.weights if one and one & trail == trail]
        values = np.empty((len(estimates), len(sets)))
        for column, one in enumerate(sets):
            of_set = list(members(one))
            moved = self.draws[:, None, of_set] * self.spreads[trail, one][of_set]
            values[:, column] = (moved + estimates[:, of_set]).max(axis=2).mean(axis=0)
        return sets, values

    def choose(self, trail: int, estimates: Floats, lambdas: Sequence[float]) -> Codes:
        """Return `[n, L]` the next model after a trail for each λ, or STOP."""
        sets, values = self.expected_best(trail, estimates)
        added = [one & ~trail for one in sets]
        price = np.array([self.prices[list(members(one))].sum() for one in added])
        following = np.array([self._cheapest(one) for one in added], dtype=np.int64)
        best = np.stack([(values - value * price).argmax(axis=1) for value in lambdas], axis=1)
        chosen: Codes = following[best]
        return chosen

    def _cheapest(self, trail: int) -> int:
        return min(members(trail), key=lambda m: float(self.prices[m]), default=STOP)


def cascade_routing(
    judged: Judged,
    train: RecordedSteps,
    test: RecordedSteps,
    *,
    lambdas: Sequence[float],
    rng: np.random.Generator,
) -> list[Point]:
    """Return the points of cascade routing for every λ and every change of it.

    Args:
        judged: what the competitor knows of the training questions too.
        train: the questions that it was fitted on.
        test: the questions to measure on.
        lambdas: values of a US dollar to try.
        rng: draws the normal numbers.
    """
    router, estimates = fit_cascade_routing(judged, train, rng=rng)
    seen = judged.model.see(test)
    plans = [(value, decay) for value in lambdas for decay in DECAYS]
    trained = _runs(router, estimates, judged.seen, plans)
    tested = _runs(
        router, {one: _estimate(router, judged, one, seen) for one in router.weights}, seen, plans
    )

    def point(first: tuple[Codes, Codes], second: tuple[Codes, Codes]) -> Point:
        def run() -> Measured:
            return measured(test, *second)

        return Point(*measured(train, *first), run)

    return [point(a, b) for a, b in zip(trained, tested, strict=True)]


def fit_cascade_routing(
    judged: Judged, steps: RecordedSteps, *, rng: np.random.Generator
) -> tuple[CascadeRouter, Estimates]:
    """Return the router, and its out-of-fold estimates on the training questions."""
    right = steps.correct.T.astype(np.float64)
    weights: dict[int, Floats] = {}
    estimates: dict[int, Floats] = {}
    for trail in (0, *judged.shown):
        x = judged.model.features(trail, judged.seen)
        weights[trail], scores = cross_ridge(x, right, judged.folds, ridge=RIDGE)
        estimates[trail] = _bounded(scores, trail, judged.seen)
    spreads = {
        (trail, one): (estimates[one] - estimates[trail]).std(axis=0)
        for trail in weights
        for one in weights
        if one & trail == trail
    }
    half = rng.standard_normal((DRAWS // 2, len(steps.names)))
    router = CascadeRouter(
        names=steps.names,
        prices=judged.prices,
        weights=weights,
        spreads=spreads,
        draws=np.concatenate([half, -half]),
    )
    return router, estimates


def _runs(
    router: CascadeRouter,
    estimates: Estimates,
    seen: Seen,
    plans: Sequence[tuple[float, float]],
) -> list[tuple[Codes, Codes]]:
    """Return for each (λ, decay) the trails and the steps shown."""
    choice: dict[int, Codes] = {}
    shown: dict[int, Codes] = {}
    for trail, of_trail in estimates.items():
        values = [value * decay ** trail.bit_count() for value, decay in plans]
        choice[trail] = router.choose(trail, of_trail, values)
        if trail:
            ran = list(members(trail))
            shown[trail], _ = best_answer(of_trail[:, ran], trail, router.prices)
    return [
        walk({trail: c[:, place] for trail, c in choice.items()}, shown, seen.n)
        for place in range(len(plans))
    ]


def _estimate(router: CascadeRouter, judged: Judged, trail: int, seen: Seen) -> Floats:
    return _bounded(judged.model.features(trail, seen) @ router.weights[trail], trail, seen)


def _bounded(scores: Floats, trail: int, seen: Seen) -> Floats:
    """Return `[n, M]` estimates in [0, 1]; a model that ran and gave no answer is not right."""
    estimates = np.clip(scores, 0.0, 1.0)
    ran = list(members(trail))
    if ran:
        estimates[:, ran] = probabilities(scores[:, ran], trail, seen.codes, exact=0)
    return estimates
