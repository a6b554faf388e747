"""What ``trimtab bench choices`` measures: each tier alone, the ladder as it serves, and costs.

n is the number of test rows, m of rows out of scope, K of labels.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from trimtab.agents.ladder import MINILM, STATIC, Ladder
from trimtab.agents.policy import TextPolicy
from trimtab.agents.text_heads import head_inputs, softmax
from trimtab.bench.choices_data import ChoicesTable
from trimtab.bench.result import Measure
from trimtab.domains.choices import ChoiceState, normalise
from trimtab.protocols import Array, Embedder
from trimtab.records import Prediction
from trimtab.stats import (
    Estimate,
    auroc,
    auroc_difference,
    ece,
    interval,
    paired_proportion_difference,
    proportion,
    quantile,
)

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

RESAMPLES = 300
STATIC_SHARE = 0.6
NEAREST_QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)
ROWS_AT_ONCE = 512
"""Bounds the memory of a table of cosines."""


@dataclass(frozen=True, slots=True)
class TierView:
    """What one tier says: ``[n, K]`` of the test rows, ``[m, K]`` of those out of scope."""

    probs: Array
    outside: Array
    correct: Bools

    @property
    def top(self) -> Floats:
        """Return ``[n]`` the largest probability of each test row."""
        top: Floats = np.minimum(self.probs.max(axis=1).astype(np.float64), 1.0)
        return top


@dataclass(frozen=True, slots=True)
class Seen:
    """All answers to the test rows, of the ladder as it serves and of every tier alone."""

    labels: NDArray[np.int64]
    predictions: Sequence[Prediction]
    tiers: Mapping[str, TierView]
    base: str
    gate: Floats


def see(policy: TextPolicy, table: ChoicesTable, embedders: Mapping[str, Embedder]) -> Seen:
    """Return the policy's answers to the test rows and what each of its tiers says of them."""
    texts = [row.text for row in table.test]
    labels = np.array([table.domain.index(row.label) for row in table.test])
    inside = _tier_probs(policy.ladder, texts, embedders)
    outside = _tier_probs(policy.ladder, [row.text for row in table.out_of_scope], embedders)
    tiers = {
        name: TierView(probs, outside[name], probs.argmax(axis=1) == labels)
        for name, probs in inside.items()
    }
    predictions = policy.predict([ChoiceState(text) for text in texts])
    return Seen(
        labels=labels,
        predictions=predictions,
        tiers=tiers,
        base="static" if policy.ladder.static.base == STATIC else "witness",
        gate=np.array([p.signals["gate"] for p in predictions]),
    )


def _tier_probs(
    ladder: Ladder, texts: Sequence[str], embedders: Mapping[str, Embedder]
) -> dict[str, Array]:
    """Return ``[n, K]`` calibrated probabilities of each tier, asked by the ladder or not."""
    num_labels = len(ladder.static.head.layers[-1][1])
    names = ["static", "witness", *(["minilm"] if ladder.minilm else [])]
    if not texts:
        return {name: np.empty((0, num_labels), np.float32) for name in names}
    rows = head_inputs(embedders[STATIC].embed(texts), texts)
    pairs = [ladder.static.tiers(x, normalise(t)) for x, t in zip(rows, texts, strict=True)]
    found = {"static": np.stack([a for a, _ in pairs]), "witness": np.stack([b for _, b in pairs])}
    if ladder.minilm is not None:
        inputs = head_inputs(embedders[MINILM].embed(texts), texts)
        logits = ladder.minilm.head.logits(inputs)
        found["minilm"] = softmax(logits, temperature=ladder.minilm.temperature)
    return found


def ladder_measures(seen: Seen, accept: float, rng: np.random.Generator) -> dict[str, Measure]:
    """Return what a user of the ladder sees, with ``accept`` as the router's threshold."""
    actions = np.array([p.action for p in seen.predictions])
    correct = actions == seen.labels
    confidence = np.array([p.confidence for p in seen.predictions], dtype=np.float64)
    top3 = [
        bool(label in np.argsort(p.probs)[-3:])
        for p, label in zip(seen.predictions, seen.labels, strict=True)
        if p.probs is not None
    ]
    accepted = confidence >= accept
    measures = {
        "accuracy": _as_share(correct),
        "ece": _ece(confidence, correct, rng),
        "auroc_correct": _auroc(confidence[correct], confidence[~correct], rng),
        "top3": _as_share(np.array(top3)),
        "accepted_coverage": _as_share(accepted),
        "accepted_accuracy": _as_share(correct[accepted]),
        "accept_threshold": Measure(value=accept, unit="confidence"),
    }
    for tier in ("static", "minilm"):
        answered = np.array([p.tier == tier for p in seen.predictions])
        measures[f"{tier}_answered"] = _as_share(answered)
    return measures


def tier_measures(seen: Seen, rng: np.random.Generator) -> dict[str, Measure]:
    """Return each tier alone, and what agreement adds to the static rung's own confidence."""
    measures = {}
    for name, tier in seen.tiers.items():
        measures[f"{name}.accuracy"] = _as_share(tier.correct)
        measures[f"{name}.ece"] = _ece(tier.top, tier.correct, rng)
        measures[f"{name}.auroc_correct"] = _auroc(
            tier.top[tier.correct], tier.top[~tier.correct], rng
        )
        # Entropy tells what lies outside all labels better than the largest probability does.
        measures[f"{name}.auroc_oos"] = _auroc(
            -_entropies(tier.probs), -_entropies(tier.outside), rng
        )
    base = seen.tiers[seen.base]
    gain = Measure(value=None, unit="auroc")
    if 0 < base.correct.sum() < base.correct.size:
        gain = as_measure(
            auroc_difference(seen.gate, base.top, base.correct, rng=rng, resamples=RESAMPLES),
            "auroc",
        )
    return measures | {"agreement_gain": gain}


def cascade_measures(
    seen: Seen, measures: Mapping[str, Measure], rng: np.random.Generator
) -> dict[str, Measure]:
    """Return what it costs and saves if the surest 60 % (by gate, not by truth) skip MiniLM."""
    base, upper = seen.tiers[seen.base], seen.tiers["minilm"]
    skipped = seen.gate >= np.quantile(seen.gate, 1.0 - STATIC_SHARE)
    cascade = np.where(skipped, base.correct, upper.correct)
    loss = paired_proportion_difference(upper.correct, cascade)
    static_ms, minilm_ms = measures["static_rung.cpu_ms"].value, measures["minilm.cpu_ms"].value
    share = None
    if static_ms is not None and minilm_ms:
        share = (static_ms + float((~skipped).mean()) * minilm_ms) / minilm_ms
    return {
        "cascade_60.accuracy_loss": as_measure(loss, "share of rows"),
        "cascade_60.cpu_share": Measure(value=share, unit="of MiniLM's CPU"),
    }


def nearness_measures(table: ChoicesTable, embedder: Embedder) -> dict[str, Measure]:
    """Return how near the test texts lie to training: quantiles of the largest cosine.

    ``within_train_p50`` is the median for a training text and the other training texts: a test set
    that lies much nearer flatters whatever is measured on it.
    """
    train = embedder.embed([row.text for row in table.train])
    test = embedder.embed([row.text for row in table.test])
    nearest = np.concatenate([(part @ train.T).max(axis=1) for part in _parts(test)])
    measures = {
        f"nearest_cosine.p{round(100 * q):02d}": as_measure(quantile(nearest, q), "cosine")
        for q in NEAREST_QUANTILES
    }
    others = []
    for start, part in zip(range(0, len(train), ROWS_AT_ONCE), _parts(train), strict=True):
        cosines = part @ train.T
        places = np.arange(len(part))
        cosines[places, start + places] = -1.0  # not with itself
        others.append(cosines.max(axis=1))
    within = quantile(np.concatenate(others), 0.5)
    return measures | {"nearest_cosine.within_train_p50": as_measure(within, "cosine")}


def _parts(vectors: Array) -> list[Array]:
    return [vectors[i : i + ROWS_AT_ONCE] for i in range(0, len(vectors), ROWS_AT_ONCE)]


def as_measure(estimate: Estimate, unit: str) -> Measure:
    """Return an estimate as the form of benchmarks has it."""
    return Measure(value=estimate.value, low=estimate.low, high=estimate.high, unit=unit)


def _as_share(hits: Bools) -> Measure:
    if hits.size == 0:
        return Measure(value=None, unit="share of rows")
    return as_measure(proportion(float(hits.sum()), hits.size), "share of rows")


def _ece(confidence: Floats, correct: Bools, rng: np.random.Generator) -> Measure:
    rows = np.stack([confidence, correct.astype(np.float64)], axis=1)
    draws = [ece(*rows[rng.integers(len(rows), size=len(rows))].T) for _ in range(RESAMPLES)]
    low, high = interval(draws)
    # Resampling adds noise to every bin, so draws lie above the value: keep only their spread.
    value, middle = ece(confidence, correct), float(np.median(draws))
    return Measure(
        value=value,
        low=max(0.0, value - (middle - low)),
        high=value + (high - middle),
        unit="probability",
    )


def _auroc(positive: Floats, negative: Floats, rng: np.random.Generator) -> Measure:
    """Return the AUROC with a bootstrap interval; None where one of the classes is empty."""
    if positive.size == 0 or negative.size == 0:
        return Measure(value=None, unit="auroc")
    truth = np.concatenate([np.ones(positive.size), np.zeros(negative.size)])
    draws = [
        auroc(
            np.concatenate(
                [rng.choice(positive, positive.size), rng.choice(negative, negative.size)]
            ),
            truth,
        )
        for _ in range(RESAMPLES)
    ]
    low, high = interval(draws)
    value = auroc(np.concatenate([positive, negative]), truth)
    return Measure(value=value, low=low, high=high, unit="auroc")


def _entropies(probs: Array) -> Floats:
    p = probs.astype(np.float64)
    entropies: Floats = -(p * np.log(np.maximum(p, 1e-30))).sum(axis=1)
    return entropies
