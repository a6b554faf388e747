"""Fits the heads of the text tiers in numpy: a dense head by Adam, the hashed one by liblinear.

n is the number of samples, D the width of an input, K the number of labels.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix
from sklearn.svm import LinearSVC

from trimtab.agents.text_heads import HASH_BITS, HashedWitness, Head, feature_ids, softmax
from trimtab.errors import ConfigError
from trimtab.protocols import Array

Labels = NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True)
class HeadConfig:
    """Settings of a dense head; the defaults are those of a linear one.

    Attributes:
        hidden: width of the one hidden layer, 0 for none.
        epochs: passes over the samples; more or fewer where the next two bind.
        min_steps: about the least number of updates, so that a small table is not left unlearned.
        max_steps: about the largest number of updates, at least one pass.
        batch: samples per update.
        learning_rate: Adam's, falling to 0 along a half cosine.
        weight_decay: decoupled, per update and scaled by the learning rate.
        input_dropout: share of inputs set to 0 during training, in [0, 1).
        hidden_dropout: share of hidden units set to 0 during training, in [0, 1).
    """

    hidden: int = 0
    epochs: int = 30
    min_steps: int = 600
    max_steps: int = 4000
    batch: int = 128
    learning_rate: float = 3e-3
    weight_decay: float = 0.1
    input_dropout: float = 0.1
    hidden_dropout: float = 0.5

    def __post_init__(self) -> None:
        if self.hidden < 0 or min(self.epochs, self.min_steps, self.batch) < 1:
            raise ConfigError(f"hidden must be >= 0, epochs, min_steps and batch >= 1; got {self}")
        if self.max_steps < self.min_steps:
            raise ConfigError(f"max_steps must be >= min_steps; got {self}")
        if not (0.0 <= self.input_dropout < 1.0 and 0.0 <= self.hidden_dropout < 1.0):
            raise ConfigError(f"dropout must lie in [0, 1); got {self}")
        if self.learning_rate <= 0.0 or self.weight_decay < 0.0:
            raise ConfigError(f"learning_rate must be > 0, weight_decay >= 0; got {self}")


def fit_head(
    inputs: Array,
    labels: Labels,
    *,
    num_labels: int,
    scale: Array,
    config: HeadConfig,
    rng: np.random.Generator,
) -> Head:
    """Return the head that minimises the log loss of the samples.

    Source of the optimiser: Kingma and Ba 2015, "Adam"; Loshchilov and Hutter 2019, "Decoupled
    weight decay regularization".

    Args:
        inputs: ``[n, D]``.
        labels: ``[n]`` in ``0 .. K-1``.
        num_labels: K.
        scale: ``[D]`` factors that bring the inputs near unit variance; folded into the weights,
            so that the head takes unscaled inputs.
        config: see :class:`HeadConfig`.
        rng: draws the first weights, the order of the samples and the dropout.
    """
    x = (inputs * scale).astype(np.float32)
    widths = [x.shape[1], config.hidden, num_labels] if config.hidden else [x.shape[1], num_labels]
    weights = [_first_weights(a, b, rng) for a, b in pairwise(widths)]
    weights[-1] *= np.float32(0.1)  # near-equal first probabilities: no label starts ahead
    biases = [np.zeros(b, np.float32) for b in widths[1:]]
    adam = _Adam([*weights, *biases], config)
    per_epoch = math.ceil(len(x) / config.batch)
    steps = min(max(config.epochs * per_epoch, config.min_steps), config.max_steps)
    epochs = math.ceil(steps / per_epoch)
    for epoch in range(epochs):
        order = rng.permutation(len(x))
        for start in range(0, len(x), config.batch):
            rows = order[start : start + config.batch]
            gradients = _gradients(x[rows], labels[rows], weights, biases, config, rng)
            adam.update(gradients, progress=(epoch + start / len(x)) / epochs)
    weights[0] *= scale[:, None].astype(np.float32)
    return Head(tuple(zip(weights, biases, strict=True)))


def fit_witness(
    keys: Sequence[str], labels: Labels, *, num_labels: int, penalty: float, seed: int
) -> HashedWitness:
    """Return the hashed n-gram classifier (one-against-rest squared hinge, liblinear).

    Args:
        keys: n normalised texts.
        labels: ``[n]`` in ``0 .. K-1``, at least two different ones.
        num_labels: K; a label without a sample is never chosen.
        penalty: liblinear's C, the weight of the loss against that of the norm.
        seed: order in which liblinear visits the samples.
    """
    ids = [feature_ids(key) for key in keys]
    sizes = np.array([len(found) for found in ids])
    counts = csr_matrix(
        (np.repeat(sizes**-0.5, sizes), np.concatenate(ids).astype(np.int32), _starts(sizes)),
        shape=(len(keys), 1 << HASH_BITS),
    )
    counts.sum_duplicates()
    seen = np.unique(counts.indices)
    model = LinearSVC(C=penalty, random_state=seed, max_iter=5000).fit(counts[:, seen], labels)
    coefficients, intercepts = model.coef_, model.intercept_
    if len(model.classes_) == 2:  # liblinear keeps one row for two classes
        coefficients = np.concatenate([-coefficients, coefficients])
        intercepts = np.concatenate([-intercepts, intercepts])
    weights = np.zeros((seen.size, num_labels), dtype=np.float16)
    # A label outside the samples gets what the hinge calls a sure no, one margin below.
    bias = np.full(num_labels, -2.0, dtype=np.float32)
    weights[:, model.classes_] = coefficients.T
    bias[model.classes_] = intercepts
    return HashedWitness(seen.astype(np.uint32), weights, bias)


def _starts(sizes: NDArray[np.int64]) -> NDArray[np.int64]:
    return np.concatenate([[0], np.cumsum(sizes)])


def _first_weights(fan_in: int, fan_out: int, rng: np.random.Generator) -> Array:
    drawn = rng.standard_normal((fan_in, fan_out), dtype=np.float32)
    return drawn * np.float32(math.sqrt(2.0 / fan_in))


def _gradients(
    x: Array,
    labels: Labels,
    weights: Sequence[Array],
    biases: Sequence[Array],
    config: HeadConfig,
    rng: np.random.Generator,
) -> list[Array]:
    """Return the gradients of the mean log loss: of each weight matrix, then of each bias."""
    x = x * _dropout(x.shape, config.input_dropout, rng)
    hidden, keep = x, None
    if len(weights) == 2:
        active = x @ weights[0] + biases[0]
        keep = (active > 0) * _dropout(active.shape, config.hidden_dropout, rng)
        hidden = active * keep
    error = softmax(hidden @ weights[-1] + biases[-1])
    error[np.arange(len(x)), labels] -= 1.0
    error /= np.float32(len(x))
    if keep is None:
        return [hidden.T @ error, error.sum(axis=0)]
    below = (error @ weights[1].T) * keep
    return [x.T @ below, hidden.T @ error, below.sum(axis=0), error.sum(axis=0)]


def _dropout(shape: tuple[int, ...], share: float, rng: np.random.Generator) -> Array:
    if share == 0.0:
        return np.ones(shape, np.float32)
    kept = rng.random(shape, dtype=np.float32) >= share
    return kept.astype(np.float32) / np.float32(1.0 - share)


class _Adam:
    """Adam with decoupled weight decay on matrices, over parameters changed in place."""

    def __init__(self, parameters: Sequence[Array], config: HeadConfig) -> None:
        self._parameters = parameters
        self._config = config
        self._mean = [np.zeros_like(p) for p in parameters]
        self._square = [np.zeros_like(p) for p in parameters]
        self._step = 0

    def update(self, gradients: Sequence[Array], *, progress: float) -> None:
        """Take one step; ``progress`` in [0, 1) sets the learning rate."""
        self._step += 1
        rate = self._config.learning_rate * 0.5 * (1.0 + math.cos(math.pi * progress))
        fade, square_fade = 1.0 - 0.9**self._step, 1.0 - 0.99**self._step
        for p, g, m, v in zip(self._parameters, gradients, self._mean, self._square, strict=True):
            m += np.float32(0.1) * (g - m)
            v += np.float32(0.01) * (g * g - v)
            root: Array = np.sqrt(v / np.float32(square_fade)) + np.float32(1e-8)
            step: Array = (m / np.float32(fade)) / root
            if p.ndim == 2:
                step += np.float32(self._config.weight_decay) * p
            p -= np.float32(rate) * step
