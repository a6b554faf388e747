"""Fits the heads of the text ladder, then its temperatures, gates and thresholds.

n is the number of held-out rows, K of labels, J of a gate's features. The held-out rows are the
validation split where there is one, else every training row as seen by a model trained without it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from trimtab.agents.calibration import (
    Gate,
    accept_threshold,
    fit_gate,
    fit_temperature,
    gate_features,
    skip_threshold,
)
from trimtab.agents.ladder import (
    MINILM,
    STATIC,
    WITNESS,
    Ladder,
    NextRung,
    StaticRung,
)
from trimtab.agents.text_heads import HashedWitness, Head, softmax
from trimtab.datasets.splits import stratified_folds
from trimtab.domains.evidence import FEATURES
from trimtab.errors import ConfigError
from trimtab.protocols import Array
from trimtab.stats import ece
from trimtab.training.head_fit import HeadConfig, Labels, fit_head, fit_witness

Progress = Callable[[str], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class TextPolicyConfig:
    """Settings of the text ladder's training.

    Attributes:
        static_head: of the wordllama head.
        minilm_head: of the MiniLM head.
        witness_penalty: liblinear's C of the hashed n-grams.
        folds: out-of-fold models where there is no validation split.
        max_static_loss: accuracy over all rows that skipping MiniLM may cost at most.
        accept_target: least share of right answers (lower 95 % bound) above ``accept``.
    """

    static_head: HeadConfig = field(default_factory=HeadConfig)
    minilm_head: HeadConfig = field(
        default_factory=lambda: HeadConfig(
            hidden=512,
            epochs=40,
            min_steps=300,
            max_steps=2400,
            learning_rate=1e-3,
            weight_decay=0.01,
            input_dropout=0.3,
            hidden_dropout=0.5,
        )
    )
    witness_penalty: float = 1.0
    folds: int = 5
    max_static_loss: float = 0.002
    accept_target: float = 0.95

    def __post_init__(self) -> None:
        if self.folds < 2 or self.witness_penalty <= 0.0:
            raise ConfigError(f"folds must be >= 2 and witness_penalty > 0; got {self}")
        if not (0.0 <= self.max_static_loss < 1.0 and 0.0 < self.accept_target < 1.0):
            raise ConfigError(f"max_static_loss, accept_target must lie in [0, 1); got {self}")


@dataclass(frozen=True, slots=True)
class Rows:
    """Texts ready for the heads: normalised, with ``[n]`` labels and ``[n, D]`` inputs."""

    keys: tuple[str, ...]
    labels: Labels
    inputs: Mapping[str, Array]

    def take(self, places: NDArray[np.int64]) -> Rows:
        """Return the rows at these places."""
        return Rows(
            tuple(self.keys[i] for i in places),
            self.labels[places],
            {name: x[places] for name, x in self.inputs.items()},
        )


@dataclass(frozen=True, slots=True)
class TrainedHeads:
    """The dense heads by embedder, and the hashed witness."""

    dense: Mapping[str, Head]
    witness: HashedWitness

    def logits(self, rows: Rows) -> dict[str, Array]:
        """Return ``[n, K]`` logits by tier."""
        found = {name: head.logits(rows.inputs[name]) for name, head in self.dense.items()}
        return found | {WITNESS: np.stack([self.witness.logits(key) for key in rows.keys])}


def fit_heads(rows: Rows, *, num_labels: int, config: TextPolicyConfig, seed: int) -> TrainedHeads:
    """Return the heads of every tier whose inputs the rows hold."""
    dense = {}
    for name, head_config in ((STATIC, config.static_head), (MINILM, config.minilm_head)):
        if name not in rows.inputs:
            continue
        inputs = rows.inputs[name]
        # Unit vectors have entries near 1/sqrt(width); what the parsers found is 0 or 1 already.
        width = inputs.shape[1] - len(FEATURES)
        scale = np.ones(inputs.shape[1], np.float32)
        scale[:width] = width**0.5
        dense[name] = fit_head(
            inputs,
            rows.labels,
            num_labels=num_labels,
            scale=scale,
            config=head_config,
            rng=np.random.default_rng(seed),
        )
    witness = fit_witness(
        rows.keys, rows.labels, num_labels=num_labels, penalty=config.witness_penalty, seed=seed
    )
    return TrainedHeads(dense, witness)


def out_of_fold_logits(
    rows: Rows, *, num_labels: int, config: TextPolicyConfig, seed: int, progress: Progress
) -> dict[str, Array]:
    """Return ``[n, K]`` logits by tier, of every row by models trained without its fold."""
    folds = stratified_folds(rows.labels, config.folds, np.random.default_rng(seed))
    logits: dict[str, Array] = {}
    for fold in range(config.folds):
        progress(f"out-of-fold model {fold + 1} of {config.folds}")
        inside, outside = np.flatnonzero(folds == fold), np.flatnonzero(folds != fold)
        heads = fit_heads(rows.take(outside), num_labels=num_labels, config=config, seed=seed)
        for name, part in heads.logits(rows.take(inside)).items():
            whole = logits.setdefault(name, np.zeros((len(rows.keys), num_labels), np.float32))
            whole[inside] = part
    return logits


def calibrate(
    heads: TrainedHeads, logits: Mapping[str, Array], labels: Labels, config: TextPolicyConfig
) -> tuple[Ladder, dict[str, float], dict[str, float]]:
    """Return the ladder, its thresholds and its metrics on the held-out rows.

    Args:
        heads: the heads that will serve.
        logits: ``[n, K]`` by tier, of held-out rows.
        labels: ``[n]`` right labels of the same rows.
        config: see :class:`TextPolicyConfig`.
    """
    temperatures = {name: fit_temperature(z, labels) for name, z in logits.items()}
    probs = {name: softmax(z, temperature=temperatures[name]) for name, z in logits.items()}
    hits = {name: float((p.argmax(axis=1) == labels).mean()) for name, p in probs.items()}
    base, other = (STATIC, WITNESS) if hits[STATIC] >= hits[WITNESS] else (WITNESS, STATIC)
    lower = _gated(probs[base], [probs[other]], labels)
    upper, next_rung = None, None
    if MINILM in probs:
        upper = _gated(probs[MINILM], [probs[STATIC], probs[WITNESS]], labels)
        next_rung = NextRung(
            head=heads.dense[MINILM], temperature=temperatures[MINILM], gate=upper.gate
        )
    cuts = _thresholds(lower, upper, config)
    ladder = Ladder(
        static=StaticRung(
            head=heads.dense[STATIC],
            witness=heads.witness,
            head_temperature=temperatures[STATIC],
            witness_temperature=temperatures[WITNESS],
            base=base,
            gate=lower.gate,
            skip_at=cuts["static_accept"],
        ),
        minilm=next_rung,
    )
    confidence, correct = _climbed(lower, upper, skip_at=cuts["static_accept"])
    accepted = confidence >= cuts["accept"]
    metrics = {
        "held_out_rows": float(len(labels)),
        **{f"{name}_accuracy": hits[name] for name in sorted(hits)},
        "accuracy": float(correct.mean()),
        "ece": ece(confidence, correct),
        "static_share": float((lower.confidence >= cuts["static_accept"]).mean()),
        "accepted_coverage": float(accepted.mean()),
    }
    if accepted.any():
        metrics["accepted_accuracy"] = float(correct[accepted].mean())
    return ladder, cuts, metrics


@dataclass(frozen=True, slots=True)
class _Gated:
    """A tier's gate and what it says of the held-out rows: ``[n]`` confidence and ``[n]`` truth."""

    gate: Gate
    confidence: NDArray[np.float64]
    correct: NDArray[np.bool_]


def _gated(probs: Array, witnesses: Sequence[Array], labels: Labels) -> _Gated:
    choices = probs.argmax(axis=1)
    correct = choices == labels
    features = [
        gate_features(p, int(choice), [w[i] for w in witnesses])
        for i, (p, choice) in enumerate(zip(probs, choices, strict=True))
    ]
    gate = fit_gate(np.array(features), correct)
    return _Gated(gate, np.array([gate.confidence(row) for row in features]), correct)


def _thresholds(lower: _Gated, upper: _Gated | None, config: TextPolicyConfig) -> dict[str, float]:
    """Return ``accept`` for the router and ``static_accept`` for skipping the upper tier.

    An answer that would be escalated asks the upper tier first, which costs thousands of times
    less than the expert: so ``static_accept`` is raised to ``accept``, which then is fitted anew,
    until it is no longer the larger.
    """
    if upper is None:
        accept = accept_threshold(lower.confidence, lower.correct, target=config.accept_target)
        return {"accept": accept, "static_accept": 0.0}
    skip_at = skip_threshold(
        lower.confidence, lower.correct, upper.correct, max_loss=config.max_static_loss
    )
    while True:
        accept = accept_threshold(
            *_climbed(lower, upper, skip_at=skip_at), target=config.accept_target
        )
        if accept <= skip_at:
            return {"accept": accept, "static_accept": skip_at}
        skip_at = accept


def _climbed(
    lower: _Gated, upper: _Gated | None, *, skip_at: float
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Return confidence and truth of the ladder's answers, ``[n]`` each."""
    if upper is None:
        return lower.confidence, lower.correct
    skipped = lower.confidence >= skip_at
    return (
        np.where(skipped, lower.confidence, upper.confidence),
        np.where(skipped, lower.correct, upper.correct),
    )
