"""The bets on a window of uniform requests: which rules, in which order, with what error."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from trimtab.agents.certify_pool import WARM_PART, Rung, rung_of
from trimtab.agents.gain import GainModel, fit_gain_on
from trimtab.agents.issued import CONTROLLER, Issued
from trimtab.agents.promise import (
    REFUSAL,
    Candidate,
    Certificate,
    certify_candidates,
    share_thresholds,
)
from trimtab.agents.routing import PromiseRule
from trimtab.app.following import Played
from trimtab.evals.pairs import Pair

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
Against = Literal["gold", "agreement"]

MIN_GAINS = 10
"""Requests of the fit part on which the answers must differ for a gain model to be fitted."""
SMALL_REFUSAL = 0.8
"""As ``REFUSAL``, where nothing is fitted: such a window can hardly settle anything else."""
FIXED_THRESHOLDS = (0.99, 0.98, 0.97, 0.96, 0.95, 0.93, 0.9, 0.85, 0.8, 0.7, 0.6, 0.5)
AGREEMENT = "agreement with the LLM"
"""What a certificate says it was measured against where the LLM is taken to be right."""
KEPT = " (kept)"
"""Marks the rule that the last window had certified."""


class Window:
    """The requests of a window with what bets on them need.

    Attributes:
        fitted: the first requests, which fit.
        losses: `[n]` right(LLM) − right(cheap). A label that nobody gave may be a loss: counting it
            as one keeps the promise.
        unlabelled: requests after the first without the label that they need.
    """

    def __init__(
        self, pairs: Sequence[Pair], fitted: int, planned: int, loss: float, against: Against
    ) -> None:
        self.pairs, self.fitted, self.planned, self.loss = pairs, fitted, planned, loss
        self.gains = _gains(pairs, against)
        self.losses: Floats = np.where(np.isnan(self.gains), 1.0, self.gains)
        self.differs: Bools = np.array([pair.differs for pair in pairs])
        self.unlabelled = int(np.isnan(self.gains[fitted:]).sum())
        self.measured, self.against = against, _against(pairs, against)
        self.sure: Floats = np.array([pair.cheap.confidence or 0.0 for pair in pairs])

    def fit(self) -> GainModel | None:
        """Return the gain model of the first requests; None where they are too few to fit one.

        None too while they lack more labels than the promise may lose: a model fitted anew as
        labels come in would bet on the same requests again and again.
        """
        if np.isnan(self.gains[: self.fitted]).sum() > self.loss * self.fitted:
            return None
        first = zip(self.pairs[: self.fitted], self.gains[: self.fitted].tolist(), strict=True)
        known = [(pair, gain) for pair, gain in first if not math.isnan(gain)]
        if sum(pair.differs for pair, _ in known) < MIN_GAINS:
            return None
        if any(pair.cheap.confidence is None for pair, _ in known):
            return None
        return fit_gain_on([pair.cheap for pair, _ in known], [gain for _, gain in known])

    def rule(self, name: str, threshold: float | None, shown: Bools) -> Rule:
        """Return a rule that asks the LLM wherever it does not show the small models' answer."""
        return Rule(
            name=name,
            threshold=threshold,
            shown=shown,
            asked=~shown,
            losses=self.losses,
            differs=self.differs,
            sure=self.sure,
        )

    def scores(self, gain: GainModel | None) -> Floats:
        """Return `[n]` what a threshold is compared with."""
        rule = PromiseRule(gain=gain)
        return np.array([rule.score(pair.cheap) for pair in self.pairs])


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """A rule to bet on.

    Attributes:
        name: of the candidate.
        threshold: from which score on small answers are shown; None: never ask the LLM.
        shown: `[n]` whether it shows a small model's answer.
        asked: `[n]` whether it asks the LLM.
        losses: `[n]` right(LLM) − right(what it shows), where that is a small model's answer.
        differs: `[n]` whether that answer differs from the LLM's.
        sure: `[n]` the probability that A1 will watch under it.
    """

    name: str
    threshold: float | None
    shown: Bools
    asked: Bools
    losses: Floats
    differs: Bools
    sure: Floats


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """Rules to bet on one after the other.

    Attributes:
        rules: dear to cheap.
        gain: what the thresholds are compared with.
        start: the first request that is bet on.
        delta: the order's part of the allowed error.
    """

    rules: tuple[Rule, ...]
    gain: GainModel | None
    start: int
    delta: float

    def certificate(self, window: Window) -> Certificate:
        """Return what the bets show by now."""
        rest = slice(self.start, None)
        found = certify_candidates(
            [
                Candidate(
                    name=rule.name,
                    shown=rule.shown[rest],
                    losses=rule.losses[rest],
                    differs=rule.differs[rest],
                    threshold=rule.threshold,
                    refuses=rule.threshold is None,
                )
                for rule in self.rules
            ],
            loss=window.loss,
            confidence=1.0 - self.delta,
            against=window.against,
            planned=window.planned - self.start,
        )
        asked = next((r.asked[rest].mean() for r in self.rules if r.name == found.candidate), 1.0)
        return replace(found, llm_share=float(asked))

    def rungs(self, window: Window) -> list[Rung]:
        """Return what the window's first requests let expect of each rule."""
        first = slice(0, window.fitted)
        return [
            rung_of(
                rule.name,
                np.where(rule.shown, rule.losses, 0.0)[first],
                llm_share=float(rule.asked[first].mean()),
                loss=window.loss,
                delta=self.delta,
            )
            for rule in self.rules
        ]


def orders_of(
    window: Window, delta: float, warm: Issued | None, played: Played | None
) -> list[Order]:
    """Return the orders of a window; their parts of the allowed error add up to it.

    Args:
        window: the requests.
        delta: allowed error of the window.
        warm: what was certified last, if anything was.
        played: what the domain's controller does on the requests, if it has one.
    """
    again = warm is not None and warm.certificate.refused
    fixed: list[tuple[Rule, GainModel | None]] = []
    if played is not None:
        fixed.append((_played(window, played), None))
    if warm is not None and not again and not (played is not None and warm.is_controller):
        fixed.append((_kept(window, warm), warm.gain))
    kept = WARM_PART if fixed or again else 0.0
    refusal = REFUSAL if window.fitted else SMALL_REFUSAL
    part = (1.0 - kept) * refusal + (kept / (1 + len(fixed)) if again else 0.0)
    each = kept / (len(fixed) + again) if fixed else 0.0
    never = window.rule("never", None, np.ones(len(window.pairs), np.bool_))
    orders = [Order(rules=(never,), gain=None, start=0, delta=delta * part)]
    orders += [Order(rules=(one,), gain=gain, start=0, delta=delta * each) for one, gain in fixed]
    rest = delta * (1.0 - kept) * (1.0 - refusal)
    return [*orders, _thresholds(window, rest)]


def _thresholds(window: Window, delta: float) -> Order:
    """Return the rules that show an answer from some score on.

    Which score it is, the gain model's or the confidence, the first requests tell: by the one whose
    bets are expected to succeed with the smaller LLM share, and the gain model's if both do.
    """
    if not window.fitted:
        scores = window.scores(None)
        rules = tuple(window.rule(f"confidence >= {t:g}", t, scores >= t) for t in FIXED_THRESHOLDS)
        return Order(rules=rules, gain=None, start=0, delta=delta)
    fit = window.fit()
    found: list[tuple[float, Order]] = []
    for gain in [None] if fit is None else [fit, None]:
        scores = window.scores(gain)
        rules = tuple(
            window.rule(f"score >= {t:.6g}", t, scores >= t)
            for t in share_thresholds(scores[: window.fitted])
        )
        order = Order(rules=rules, gain=gain, start=window.fitted, delta=delta)
        reachable = [r.llm_share for r in order.rungs(window) if r.rows <= window.planned]
        found.append((min(reachable, default=1.0), order))
    return min(found, key=lambda one: one[0])[1]


def _kept(window: Window, warm: Issued) -> Rule:
    """Return the rule that was certified last."""
    certificate, scores = warm.certificate, window.scores(warm.gain)
    shown: Bools = np.array([certificate.shows_cheap(score) for score in scores.tolist()])
    name = f"{certificate.candidate.removesuffix(KEPT)}{KEPT}"
    return window.rule(name, certificate.threshold, shown)


def _played(window: Window, played: Played) -> Rule:
    """Return the domain's controller as a rule."""
    gains = _gains(played.pairs, window.measured)
    return Rule(
        name=CONTROLLER,
        # the controller has settled whose answer it is: any score shows it
        threshold=0.0,
        shown=played.shows,
        asked=played.asked,
        losses=np.where(np.isnan(gains) | played.unknown, 1.0, gains),
        differs=np.array([pair.differs for pair in played.pairs]) | played.unknown,
        sure=played.sure,
    )


def _gains(pairs: Sequence[Pair], against: Against) -> Floats:
    """Return `[n]` right(LLM) − right(cheap); NaN where a label is needed and missing."""
    if against == "agreement":
        return np.array([float(pair.differs) for pair in pairs])
    return np.array([pair.gain for pair in pairs])


def _against(pairs: Sequence[Pair], against: Against) -> str:
    if against == "agreement":
        return AGREEMENT
    if any(pair.differs and pair.source == "judge" for pair in pairs):
        return "a judge"
    return "gold"
