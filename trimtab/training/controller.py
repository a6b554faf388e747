"""Fits the controller by value of computation: fitted backward induction, cross-fitted.

For every trail S a ridge regression judges the answers (q_S), and another tells what each further
step would gain (g_S). Both are fitted on K - 1 folds and read on the other one while values are
computed: in-sample values are optimistic, and a step would look worth its price because it was
remembered. From the full trail backwards, with r[S] the reward of the answer that would be shown,

    T_m[S] = V[S + m] - r[S] - λ·c_m,    g_m = E[T_m | φ(S)],
    V[S] = r[S] + T_a where g_a > 0 for the best a, else r[S].

V holds measured outcomes of the policy, never a maximum of estimates.

Sources: Longstaff and Schwartz 2001, "Valuing American options by simulation", §1 (regression on
realised continuation values); Russell and Wefald 1991, "Principles of metareasoning" (value of
computation). n is the number of questions, M of steps, F of features, L of prices λ, K of folds.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from trimtab.agents.cascades import STOP, ValueCascade
from trimtab.agents.trail_features import SIGNALS_FROM, members
from trimtab.agents.trail_model import Seen, TrailModel, best_answer, probabilities, see
from trimtab.domains.tables import Codes, Floats, RecordedSteps
from trimtab.errors import ConfigError

FOLDS = 5
INNER_FOLDS = 5
"""Folds of the inductions that measure a controller on the questions that they leave out."""
RIDGE = 30.0
"""Penalty on every weight but the intercept's; bits are not standardised, so rare ones shrink.

Chosen on models of the ZeroEval tables other than those of the benchmark: between 3 and 100 the
area moves by about a tenth of a point.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """Judgements of every trail, and what they were worth out of fold.

    Attributes:
        model: fitted on all questions.
        seen: what may be read of the questions.
        folds: `[n]` the fold of each question.
        q: `[n, s]` by trail, the probability that each answer is right, out of fold.
        shown: `[n]` by trail, the step whose answer would be shown, chosen out of fold.
        prices: `[M]` mean price of each step.
    """

    model: TrailModel
    seen: Seen
    folds: Codes
    q: Mapping[int, Floats]
    shown: Mapping[int, Codes]
    prices: Floats


def fit_judge(
    steps: RecordedSteps,
    *,
    trails: Sequence[int],
    rng: np.random.Generator,
    folds: int = FOLDS,
    ridge: float = RIDGE,
    signals: bool | None = None,
) -> Judged:
    """Return the judgements of these trails, fitted and cross-fitted on recorded steps.

    Args:
        steps: training questions.
        trails: bit sets; the empty one needs no judgement.
        rng: draws the folds.
        folds: their number.
        ridge: penalty on each weight but the intercept's.
        signals: whether the answers' signals are read; from ``SIGNALS_FROM`` questions on if None.

    Raises:
        ConfigError: fewer questions than folds.
    """
    if steps.n < folds:
        raise ConfigError(f"{steps.n} training questions are fewer than {folds} folds; give more")
    seen = see(steps, signals=steps.n >= SIGNALS_FROM if signals is None else signals)
    # drawn, not taken in order: the questions of a table are ordered
    fold = rng.permutation(np.arange(steps.n) % folds).astype(np.int64)
    exact = sum(1 << steps.index(name) for name in steps.exact)
    model = TrailModel(
        names=steps.names, weights={}, exact=exact, reads_signals=bool(seen.signals.shape[0])
    )
    right = steps.correct.astype(np.float64)
    prices = steps.cost_usd.mean(axis=1)
    weights: dict[int, Floats] = {}
    q: dict[int, Floats] = {}
    shown: dict[int, Codes] = {}
    for trail in trails:
        if not trail:
            continue
        x = model.features(trail, seen)
        weights[trail], scores = cross_ridge(x, right[list(members(trail))].T, fold, ridge=ridge)
        q[trail] = probabilities(scores, trail, seen.codes, exact=exact)
        shown[trail], _ = best_answer(q[trail], trail, prices)
    return Judged(
        model=TrailModel(
            names=steps.names, weights=weights, exact=exact, reads_signals=model.reads_signals
        ),
        seen=seen,
        folds=fold,
        q=q,
        shown=shown,
        prices=prices,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Fitted:
    """A controller for one price λ, and what its like did on questions that it had not seen.

    Attributes:
        cascade: fitted on all questions.
        trail: `[n]` the trail of each question.
        shown: `[n]` the step whose answer was shown.
    """

    cascade: ValueCascade
    trail: Codes
    shown: Codes


def fit_values(
    steps: RecordedSteps,
    judged: Judged,
    *,
    lambdas: Sequence[float],
    rng: np.random.Generator,
    ridge: float = RIDGE,
) -> list[Fitted]:
    """Return the controller by value of computation of each λ (reward per US dollar).

    What it did on a question is measured with an induction of its own that has not seen the
    question's fold at all. Predictions out of fold within one induction are not enough: the values
    of two folds are computed with each other's labels.
    """
    price = np.asarray(lambdas, dtype=np.float64)
    policy = _induce(steps, judged, price, ridge=ridge)
    trails = np.zeros((steps.n, len(price)), dtype=np.int64)
    shown = np.zeros((steps.n, len(price)), dtype=np.int64)
    for fold in range(int(judged.folds.max()) + 1):
        rest, part = np.flatnonzero(judged.folds != fold), np.flatnonzero(judged.folds == fold)
        without = steps.take(rest)
        apart = fit_judge(
            without,
            trails=tuple(judged.shown),
            rng=rng,
            folds=INNER_FOLDS,
            # fewer questions, but they are judged by what the others are judged by
            signals=judged.model.reads_signals,
        )
        choice = _induce(without, apart, price, ridge=ridge).choices(judged.seen.take(part))
        likeliest = {trail: places[part] for trail, places in judged.shown.items()}
        for place in range(len(price)):
            chosen = {trail: of_trail[:, place] for trail, of_trail in choice.items()}
            trails[part, place], shown[part, place] = walk(chosen, likeliest, len(part))
    return [
        Fitted(cascade=cascade, trail=trails[:, place], shown=shown[:, place])
        for place, cascade in enumerate(policy.cascades(judged, lambdas))
    ]


def fit_cascades(
    steps: RecordedSteps, judged: Judged, *, lambdas: Sequence[float], ridge: float = RIDGE
) -> list[ValueCascade]:
    """Return the controller of each λ alone, for those who measure it on other questions."""
    price = np.asarray(lambdas, dtype=np.float64)
    return _induce(steps, judged, price, ridge=ridge).cascades(judged, lambdas)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Policy:
    """Gains of every further step after every trail, for all λ at once.

    ``weights`` are `[F, L, number of further steps]` by trail.
    """

    judge: TrailModel
    further: Mapping[int, tuple[int, ...]]
    weights: Mapping[int, Floats]

    def choices(self, seen: Seen) -> dict[int, Codes]:
        """Return `[n, L]` the step that follows each trail, or STOP."""
        found = {}
        for trail, w in self.weights.items():
            x = self.judge.features(trail, seen)
            gains = (x @ w.reshape(len(w), -1)).reshape(len(x), *w.shape[1:])
            found[trail], _ = _decide(gains, trail, self.further[trail], self.judge, seen)
        return found

    def cascades(self, judged: Judged, lambdas: Sequence[float]) -> list[ValueCascade]:
        """Return the cascade of each λ."""
        return [
            ValueCascade(
                judge=judged.model,
                prices=judged.prices,
                value_of_usd=value,
                further=self.further,
                gains={trail: w[:, place] for trail, w in self.weights.items()},
            )
            for place, value in enumerate(lambdas)
        ]


def _induce(steps: RecordedSteps, judged: Judged, price: Floats, *, ridge: float) -> _Policy:
    """Return the policy by fitted backward induction, its targets from out-of-fold decisions."""
    trails = sorted({0, *judged.shown}, key=lambda trail: (-trail.bit_count(), trail))
    steps_of = range(len(steps.names))
    rows = np.arange(steps.n)
    values: dict[int, Floats] = {}
    weights: dict[int, Floats] = {}
    further: dict[int, tuple[int, ...]] = {}
    for trail in trails:
        reward = np.zeros((steps.n, 1))
        if trail:
            reward = steps.correct[judged.shown[trail], rows][:, None].astype(np.float64)
        left = tuple(m for m in steps_of if trail | 1 << m in values and not trail >> m & 1)
        if not left:
            values[trail] = np.repeat(reward, len(price), axis=1)
            continue
        # [n, L, number of further steps]
        gains = np.stack(
            [values[trail | 1 << m] - reward - price * judged.prices[m] for m in left], axis=2
        )
        x = judged.model.features(trail, judged.seen)
        flat, out_of_fold = cross_ridge(x, gains.reshape(steps.n, -1), judged.folds, ridge=ridge)
        weights[trail] = flat.reshape(x.shape[1], *gains.shape[1:])
        expected = out_of_fold.reshape(gains.shape)
        step, best = _decide(expected, trail, left, judged.model, judged.seen)
        taken = np.take_along_axis(gains, best[:, :, None], axis=2)[:, :, 0]
        values[trail] = reward + np.where(step == STOP, 0.0, taken)
        further[trail] = left
    return _Policy(judge=judged.model, further=further, weights=weights)


def _decide(
    gains: Floats, trail: int, further: Sequence[int], judge: TrailModel, seen: Seen
) -> tuple[Codes, Codes]:
    """Return `[n, L]` the step to take, or STOP, and the column of the largest gain."""
    best = gains.argmax(axis=2)
    largest = np.take_along_axis(gains, best[:, :, None], axis=2)[:, :, 0]
    # something has to be shown, so the first step is taken whatever it costs
    stop = ((largest <= 0.0) & (trail != 0)) | judge.sure(trail, seen)[:, None]
    return np.where(stop, STOP, np.array(further, dtype=np.int64)[best]), best


def cross_ridge(
    features: Floats, targets: Floats, folds: Codes, *, ridge: float
) -> tuple[Floats, Floats]:
    """Return `[F, t]` weights fitted on all rows, and `[n, t]` predictions out of fold.

    Args:
        features: `[n, F]`; the first column is 1 and is not penalised.
        targets: `[n, t]`.
        folds: `[n]` fold of each row, 0..K-1.
        ridge: penalty on each other weight.
    """
    count = int(folds.max()) + 1
    parts = [folds == fold for fold in range(count)]
    grams = np.stack([features[part].T @ features[part] for part in parts])
    moments = np.stack([features[part].T @ targets[part] for part in parts])
    penalty = np.diag(np.r_[1e-6, np.full(features.shape[1] - 1, ridge)])
    all_grams = np.concatenate([grams.sum(axis=0) - grams, grams.sum(axis=0)[None]])
    all_moments = np.concatenate([moments.sum(axis=0) - moments, moments.sum(axis=0)[None]])
    weights = np.linalg.solve(all_grams + penalty, all_moments)
    predictions = np.empty(targets.shape)
    for fold, part in enumerate(parts):
        predictions[part] = features[part] @ weights[fold]
    return weights[count], predictions


def walk(choice: Mapping[int, Codes], shown: Mapping[int, Codes], n: int) -> tuple[Codes, Codes]:
    """Return `[n]` trails and the steps shown, following what was chosen at every trail.

    Args:
        choice: `[n]` the step that follows, or STOP, by trail; a trail without one is an end.
        shown: `[n]` the step whose answer would be shown, by trail but the empty one.
        n: number of questions.
    """
    at = np.zeros(n, dtype=np.int64)
    last = np.zeros(n, dtype=np.int64)
    for trail in sorted({*choice, *shown}, key=int.bit_count):
        here = np.flatnonzero(at == trail)
        if trail:
            last[here] = shown[trail][here]
        if trail in choice:
            step = choice[trail][here]
            going = step != STOP
            at[here[going]] |= np.int64(1) << step[going]
    return at, last
