"""What a promise saves: certified on one half of a table's questions, measured on the other.

Two paths of rules compete. The agreement path (:mod:`trimtab.bench.routing_pool`) learns nothing
and is certified on the whole window. The learned path spends the window's first part on fitting a
gate and is certified on the rest; it takes part of the allowed error with it, so it competes only
where the window is large enough for it to win. Which paths run depends on the promise and on the
window's length, never on an outcome. n is the number of questions, w of those in the window.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from trimtab.agents.promise import Candidate, Certificate, certify_candidates, share_thresholds
from trimtab.bench.routing_gate import fit_scores
from trimtab.bench.routing_pool import Bools, Floats, Pool, chosen, rules, two_agree
from trimtab.datasets.recorded import Recorded

Rows = NDArray[np.intp]

LEARN_PART = 0.25
"""Part of the window that a learned gate is fitted on."""
LEARN_ERROR = 0.2
"""Part of the allowed error that the learned path is tested with beside the agreement path."""
LEARN_FROM = 2.5
"""The learned path competes where its rows, all of loss 0, would yield the needed capital to this
power: below, it takes allowed error from the agreement path and is hardly ever certified."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """A pool, the strong model and what a gate may read of each question.

    Attributes:
        texts: `[n]` questions.
        features: `[n, F]` what a gate reads beside the words.
        pool: the cheap models.
        strong: the strong model.
        cheap: `[n]` whether the pool's own answer is right (the first that two agents share, the
            dearest agent's where there is none).
        cheap_usd: `[n]` cost of that answer.
        cheap_differs: `[n]` whether it differs from the strong model's.
    """

    texts: tuple[str, ...]
    features: Floats
    pool: Pool
    strong: Recorded
    cheap: Bools
    cheap_usd: Floats
    cheap_differs: Bools

    @property
    def gains(self) -> Floats:
        """Return `[n]` right(strong) − right(the pool's own answer)."""
        return self.strong.correct.astype(np.float64) - self.cheap


def open_setting(texts: Sequence[str], features: Floats, pool: Pool, strong: Recorded) -> Setting:
    """Return the setting; the gate's features gain what the agents that ran tell of themselves."""
    base = two_agree(pool)
    stages = [base.ran == stage for stage in range(2, len(pool.agents) + 1)]
    tokens = np.stack([agent.out_tokens for agent in pool.agents])
    signals = np.column_stack([base.shown, *stages, np.log1p(chosen(base, tokens))])
    return Setting(
        texts=tuple(texts),
        features=np.hstack([features, signals.astype(np.float64)]) if len(tokens) > 1 else features,
        pool=pool,
        strong=strong,
        cheap=chosen(base, pool.correct),
        cheap_usd=base.usd,
        cheap_differs=chosen(base, pool.differs_from(strong)),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """A rule on all questions: what is certified, and the cost of the pool's part, `[n]`."""

    candidate: Candidate
    usd: Floats


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """What one window's certificate was worth.

    Attributes:
        rule: name of the certified rule, empty if there is none.
        saved: part of the strong model's bill that the rule saved on the other half.
        true_loss: the rule's loss on all questions but those that a gate was fitted on.
        other_loss: its loss on the other half.
        labels: rows of the window whose right answer had to be known.
        gap: largest difference of a capital from what labels on every row would have given.
    """

    rule: str
    saved: float
    true_loss: float
    other_loss: float
    labels: int
    gap: float


def agreement_path(setting: Setting) -> list[Step]:
    """Return the pool's rules, dear to cheap."""
    right, differs = setting.pool.correct, setting.pool.differs_from(setting.strong)
    strong = setting.strong.correct.astype(np.float64)
    return [
        Step(
            candidate=Candidate(
                name=rule.name,
                shown=rule.shown,
                losses=strong - chosen(rule, right).astype(np.float64),
                differs=chosen(rule, differs),
                refuses=bool(rule.shown.all()),
            ),
            usd=rule.usd,
        )
        for rule in rules(setting.pool)
    ]


def learned_path(setting: Setting, fit: Rows) -> list[Step]:
    """Return the rules that show the pool's own answer where a gate fitted on ``fit`` allows it."""
    scores = -fit_scores(setting.texts, setting.features, setting.gains, fit)
    return [
        Step(
            candidate=Candidate(
                name=f"gate {threshold:.4f}",
                shown=scores >= threshold,
                losses=setting.gains,
                differs=setting.cheap_differs,
                threshold=threshold,
            ),
            usd=setting.cheap_usd,
        )
        for threshold in share_thresholds(scores[fit])
    ]


def learned_error(n: int, *, loss: float, confidence: float, alone: bool) -> float:
    """Return which part of the allowed error the learned path gets: 0 means that it does not run.

    Args:
        n: rows that it would be certified on.
        loss: the promise.
        confidence: of the promise.
        alone: whether there is no other path.
    """
    if alone:
        return 1.0
    needed = -math.log((1.0 - confidence) * LEARN_ERROR)
    reachable = n * math.log1p(loss / 2.0)
    return LEARN_ERROR if reachable >= LEARN_FROM * needed else 0.0


def keep(
    setting: Setting,
    path: Sequence[Step],
    window: Rows,
    other: Rows,
    *,
    loss: float,
    confidence: float,
) -> Kept:
    """Return what a promise certified on the window was worth on the other half.

    Args:
        setting: the models and questions.
        path: the agreement path; empty without a pool.
        window: `[w]` rows in the order of drawing.
        other: the other half.
        loss: the promise.
        confidence: of the promise.
    """
    fit = window[: round(LEARN_PART * len(window))]
    rest = window[len(fit) :]
    part = learned_error(len(rest), loss=loss, confidence=confidence, alone=not path)
    tried: list[tuple[Sequence[Step], Rows, float]] = []
    if path:
        tried.append((path, window, 1.0 - part))
    if part:
        tried.append((learned_path(setting, fit), rest, part))
    read: Bools = np.zeros(len(setting.texts), np.bool_)
    best: Step | None = None
    gap = 0.0
    for steps, rows, share in tried:
        level = 1.0 - (1.0 - confidence) * share
        certificate = _certify(steps, rows, loss=loss, confidence=level)
        read |= _read(steps, rows, certificate)
        gold = _certify(steps, rows, loss=loss, confidence=level, all_gold=True)
        gap = max(gap, abs(gold.wealth - certificate.wealth))
        found = next((s for s in steps if s.candidate.name == certificate.candidate), None)
        if found and (best is None or _bill(setting, found, window) < _bill(setting, best, window)):
            best = found
    if part:
        read[fit] |= setting.cheap_differs[fit]
    population = np.concatenate([rest if part else window, other])
    if best is None:
        return Kept(
            rule="", saved=0.0, true_loss=0.0, other_loss=0.0, labels=int(read.sum()), gap=gap
        )
    losses = np.where(best.candidate.shown, best.candidate.losses, 0.0)
    return Kept(
        rule=best.candidate.name,
        saved=1.0 - _bill(setting, best, other) / float(setting.strong.cost_usd[other].mean()),
        true_loss=float(losses[population].mean()),
        other_loss=float(losses[other].mean()),
        labels=int(read.sum()),
        gap=gap,
    )


def _certify(
    steps: Sequence[Step], rows: Rows, *, loss: float, confidence: float, all_gold: bool = False
) -> Certificate:
    return certify_candidates(
        [_on(step.candidate, rows, all_gold=all_gold) for step in steps],
        loss=loss,
        confidence=confidence,
    )


def _on(candidate: Candidate, rows: Rows, *, all_gold: bool) -> Candidate:
    differs = candidate.differs[rows]
    return Candidate(
        name=candidate.name,
        shown=candidate.shown[rows],
        losses=candidate.losses[rows],
        differs=np.ones_like(differs) if all_gold else differs,
        threshold=candidate.threshold,
        refuses=candidate.refuses,
    )


def _read(steps: Sequence[Step], rows: Rows, certificate: Certificate) -> Bools:
    """Return `[n]` the rows whose label the certificate needed."""
    read: Bools = np.zeros(len(steps[0].candidate.shown), np.bool_)
    for step in steps[: certificate.tested]:
        read[rows] |= (step.candidate.shown & step.candidate.differs)[rows]
    return read


def _bill(setting: Setting, step: Step, rows: Rows) -> float:
    """Return the mean cost of a question: every agent that ran, and the strong model if asked."""
    asked = np.where(step.candidate.shown, 0.0, setting.strong.cost_usd)
    return float((step.usd + asked)[rows].mean())
