"""Fits the research agent's probabilities and thresholds on labelled rows; arrays in, a fit out.

R is the number of rows, F of features.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GroupKFold

from trimtab.agents.research_fit import Logistic
from trimtab.errors import InputError

Rows = NDArray[np.float64]
FOLDS = 5
STRENGTH = 1.0
"""Inverse of the ridge on standardised features."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FittedRows:
    """A logistic and what it says of rows that it was not fitted on.

    Attributes:
        logistic: fitted on all rows.
        held_out: `[R]` probabilities, each from a fit on the other groups.
    """

    logistic: Logistic
    held_out: Rows


def fit_rows(
    names: Sequence[str],
    rows: Rows,
    labels: NDArray[np.bool_],
    groups: Sequence[int],
    weights: Rows | None = None,
) -> FittedRows:
    """Return a logistic over rows, with held-out probabilities by group.

    Args:
        names: `[F]`.
        rows: `[R, F]`.
        labels: `[R]`.
        groups: `[R]`; rows of a group are never fitted on and judged at once.
        weights: `[R]`; 1 each if None.

    Raises:
        InputError: one of the two labels is missing.
    """
    if labels.all() or not labels.any():
        raise InputError(f"{len(labels)} rows have one label alone; give rows of both")
    weights = np.ones(len(labels)) if weights is None else weights
    held_out = np.zeros(len(labels))
    splits = GroupKFold(n_splits=min(FOLDS, len(set(groups))))
    for fit, judged in splits.split(rows, labels, groups):
        part = _fit(names, rows[fit], labels[fit], weights[fit])
        held_out[judged] = [part.probability(row) for row in rows[judged]]
    return FittedRows(logistic=_fit(names, rows, labels, weights), held_out=held_out)


def best_f_threshold(probabilities: Rows, labels: NDArray[np.bool_], *, beta: float) -> float:
    """Return the threshold with the largest F-beta; the midpoint between neighbouring values."""
    return _best(probabilities, lambda chosen: f_beta(chosen & labels, chosen, labels, beta=beta))


def balanced_threshold(probabilities: Rows, labels: NDArray[np.bool_]) -> float:
    """Return the threshold with the largest mean of both classes' hit rates."""
    return _best(
        probabilities,
        lambda chosen: float(chosen[labels].mean() + (~chosen[~labels]).mean()) / 2.0,
    )


def accept_threshold(probabilities: Rows, right: NDArray[np.bool_], *, share: float) -> float:
    """Return the least threshold from which ``share`` of the rows are right; 1 if there is none."""
    order = np.sort(np.unique(probabilities))
    for value in order:
        if right[probabilities >= value].mean() >= share:
            return float(value)
    return 1.0


def f_beta(
    hit: NDArray[np.bool_], chosen: NDArray[np.bool_], labels: NDArray[np.bool_], *, beta: float
) -> float:
    """Return F-beta of a choice; 0 where nothing is chosen."""
    if not hit.any():
        return 0.0
    precision, recall = hit.sum() / chosen.sum(), hit.sum() / labels.sum()
    return float((1.0 + beta**2) * precision * recall / (beta**2 * precision + recall))


def _best(probabilities: Rows, worth: Callable[[NDArray[np.bool_]], float]) -> float:
    values = np.unique(probabilities)
    cuts = [*((values[1:] + values[:-1]) / 2.0), values[0]]
    scored = [(worth(probabilities >= cut), -cut) for cut in cuts]
    return float(-max(scored)[1])


def _fit(names: Sequence[str], rows: Rows, labels: NDArray[np.bool_], weights: Rows) -> Logistic:
    mean = rows.mean(axis=0)
    scale = np.maximum(rows.std(axis=0), 1e-6)
    model = LogisticRegression(C=STRENGTH).fit((rows - mean) / scale, labels, weights)
    return Logistic(
        names=tuple(names),
        mean=_rounded(mean),
        scale=_rounded(scale),
        weights=_rounded(model.coef_[0]),
        bias=round(float(model.intercept_[0]), 6),
    )


def _rounded(values: Rows) -> tuple[float, ...]:
    return tuple(round(float(value), 6) for value in values)
