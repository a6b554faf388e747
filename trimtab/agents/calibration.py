"""Turns scores into probabilities of being right, and probabilities into thresholds.

n is the number of held-out rows, K of labels, J of a gate's features.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from trimtab.protocols import Array
from trimtab.stats import wilson

Floats = NDArray[np.float64]

CERTAIN = 1.0 - 1e-6
"""No score makes a gate surer than this, so a threshold of 1 accepts nothing."""


def fit_temperature(logits: Array, labels: NDArray[np.int64]) -> float:
    """Return the temperature T > 0 that minimises the log loss of ``softmax(logits / T)``.

    The loss is convex in 1/T; golden-section search over log T in [-4, 4].

    Source: Guo et al. 2017, "On calibration of modern neural networks", §4.2.

    Args:
        logits: ``[n, K]`` of held-out rows.
        labels: ``[n]`` right labels.
    """
    z = logits.astype(np.float64)
    z -= z.max(axis=1, keepdims=True)
    right = z[np.arange(len(labels)), labels]

    def loss(log_t: float) -> float:
        inverse = math.exp(-log_t)
        value: float = np.mean(np.log(np.exp(z * inverse).sum(axis=1)) - right * inverse)
        return value

    golden = (math.sqrt(5.0) - 1.0) / 2.0
    low, high = -4.0, 4.0
    for _ in range(60):
        left, middle = high - golden * (high - low), low + golden * (high - low)
        if loss(left) < loss(middle):
            high = middle
        else:
            low = left
    return math.exp((low + high) / 2.0)


def gate_features(probs: Array, label: int, witnesses: Sequence[Array]) -> list[float]:
    """Return a gate's features of one answer.

    They are the log-odds of the largest probability, its margin over the next, and for each
    witness its log-odds of the same label and whether that label is its own first choice.

    Args:
        probs: ``[K]`` of the tier that answers.
        label: its first choice.
        witnesses: ``[K]`` probabilities of each other tier that ran.
    """
    # lists: for one answer they are quicker than arrays
    ranked: list[float] = probs.tolist()
    top = ranked.pop(label)
    features = [_log_odds(top), top - max(ranked)]
    for witness in witnesses:
        features += [_log_odds(float(witness[label])), float(int(witness.argmax()) == label)]
    return features


def _log_odds(probability: float) -> float:
    clipped = min(max(probability, 1e-6), CERTAIN)
    return math.log(clipped / (1.0 - clipped))


@dataclass(frozen=True, slots=True)
class Gate:
    """A logistic regression from the features of an answer to the probability that it is right."""

    weights: tuple[float, ...]
    bias: float

    def confidence(self, features: Sequence[float]) -> float:
        """Return the probability in (0, 1) that the answer is right."""
        score = self.bias + sum(w * x for w, x in zip(self.weights, features, strict=True))
        score = min(max(score, -30.0), 30.0)
        return min(1.0 / (1.0 + math.exp(-score)), CERTAIN)


def fit_gate(features: Floats, correct: NDArray[np.bool_], *, ridge: float = 1.0) -> Gate:
    """Return the gate fitted by Newton's method on held-out answers.

    Args:
        features: ``[n, J]`` as :func:`gate_features` gives them.
        correct: ``[n]`` whether the answer was right.
        ridge: penalty on the weights of the standardised features; keeps a gate finite where
            the answers can be separated.
    """
    mean, spread = features.mean(axis=0), features.std(axis=0)
    spread = np.where(spread > 1e-9, spread, 1.0)
    x = np.concatenate([(features - mean) / spread, np.ones((len(features), 1))], axis=1)
    penalty = np.full(x.shape[1], ridge)
    penalty[-1] = 1e-3  # the bias: only enough to stay finite where every answer is right
    w: Floats = np.zeros(x.shape[1])
    for _ in range(50):
        p = 1.0 / (1.0 + np.exp(-np.clip(x @ w, -30.0, 30.0)))
        gradient = x.T @ (p - correct) + penalty * w
        hessian = (x * (p * (1.0 - p))[:, None]).T @ x + np.diag(penalty)
        step = np.linalg.solve(hessian, gradient)
        w = w - step * min(1.0, 5.0 / max(float(np.abs(step).max()), 1e-12))
        if float(np.abs(step).max()) < 1e-9:
            break
    weights = w[:-1] / spread
    return Gate(tuple(float(v) for v in weights), float(w[-1] - weights @ mean))


def accept_threshold(
    confidence: Floats, correct: NDArray[np.bool_], *, target: float = 0.95
) -> float:
    """Return the smallest confidence whose accepted part is right at least at ``target``.

    "Right" is the lower end of the part's 95 % Wilson interval on these held-out rows; this is a
    plain threshold, not a promise. Returns 1.0 – nothing is accepted – where no part reaches it.
    """
    order = np.argsort(-confidence, kind="stable")
    ranked = confidence[order]
    hits = np.cumsum(correct[order])
    for last in range(len(order) - 1, -1, -1):
        tied = last + 1 < len(order) and ranked[last] == ranked[last + 1]
        if not tied and wilson(float(hits[last]), last + 1)[0] >= target:
            return float(ranked[last])
    return 1.0


def skip_threshold(
    confidence: Floats,
    correct: NDArray[np.bool_],
    next_correct: NDArray[np.bool_],
    *,
    max_loss: float = 0.002,
) -> float:
    """Return the smallest confidence at which the next tier need not be asked.

    At the threshold the accepted answers are right at least as often as the next tier's on the
    same rows, and neither there nor at a higher one do they fall behind by more than ``max_loss``
    of all rows, one standard error (the root of the number of rows on which the two differ)
    added: the largest share that looked harmless on these rows would cost more on others.
    Returns 1.0 – always ask – where there is none.
    """
    order = np.argsort(-confidence, kind="stable")
    ranked = confidence[order]
    change = next_correct[order].astype(np.int64) - correct[order].astype(np.int64)
    behind = np.cumsum(change)
    at_most = behind + np.sqrt(np.cumsum(np.abs(change)))
    best = 1.0
    for last in range(len(order)):
        if at_most[last] > max_loss * len(order):
            break
        tied = last + 1 < len(order) and ranked[last] == ranked[last + 1]
        if behind[last] <= 0 and not tied:
            best = float(ranked[last])
    return best
