"""The bets on a window of uniform requests: which rules, in which order, with what error."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from trimtab.agents.certify_pool import WARM_PART, Rung, rung_of
from trimtab.agents.gain import GainModel, fit_gain_on
from trimtab.agents.issued import Issued
from trimtab.agents.promise import (
    REFUSAL,
    Candidate,
    Certificate,
    certify_candidates,
    share_thresholds,
)
from trimtab.agents.routing import PromiseRule
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
        self.against = _against(pairs, against)

    def fit(self) -> GainModel | None:
        """Return the gain model of the first requests; None where they are too few to fit one."""
        first = zip(self.pairs[: self.fitted], self.gains[: self.fitted].tolist(), strict=True)
        known = [(pair, gain) for pair, gain in first if not math.isnan(gain)]
        if sum(pair.differs for pair, _ in known) < MIN_GAINS:
            return None
        if any(pair.cheap.confidence is None for pair, _ in known):
            return None
        return fit_gain_on([pair.cheap for pair, _ in known], [gain for _, gain in known])

    def scores(self, gain: GainModel | None) -> Floats:
        """Return `[n]` what a threshold is compared with."""
        rule = PromiseRule(gain=gain)
        return np.array([rule.score(pair.cheap) for pair in self.pairs])


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """Rules to bet on one after the other.

    Attributes:
        rules: names, thresholds (None: never ask the LLM) and `[n]` whether each shows the small
            models' answer.
        gain: what the thresholds are compared with.
        start: the first request that is bet on.
        delta: the order's part of the allowed error.
    """

    rules: tuple[tuple[str, float | None, Bools], ...]
    gain: GainModel | None
    start: int
    delta: float

    def certificate(self, window: Window) -> Certificate:
        """Return what the bets show by now."""
        rest = slice(self.start, None)
        return certify_candidates(
            [
                Candidate(
                    name=name,
                    shown=shown[rest],
                    losses=window.losses[rest],
                    differs=window.differs[rest],
                    threshold=threshold,
                    refuses=threshold is None,
                )
                for name, threshold, shown in self.rules
            ],
            loss=window.loss,
            confidence=1.0 - self.delta,
            against=window.against,
            planned=window.planned - self.start,
        )

    def rungs(self, window: Window) -> list[Rung]:
        """Return what the window's first requests let expect of each rule."""
        first = slice(0, window.fitted)
        return [
            rung_of(
                name,
                np.where(shown, window.losses, 0.0)[first],
                llm_share=1.0 - float(shown[first].mean()),
                loss=window.loss,
                delta=self.delta,
            )
            for name, _, shown in self.rules
        ]


def orders_of(window: Window, delta: float, warm: Issued | None) -> list[Order]:
    """Return the orders of a window; their parts of the allowed error add up to it."""
    kept = 0.0 if warm is None else WARM_PART
    refusal = REFUSAL if window.fitted else SMALL_REFUSAL
    always: Bools = np.ones(len(window.pairs), np.bool_)
    again = warm is not None and warm.certificate.refused
    part = (1.0 - kept) * refusal + (kept if again else 0.0)
    never = Order(rules=(("never", None, always),), gain=None, start=0, delta=delta * part)
    orders = [never]
    if warm is not None and not again:
        orders.append(_kept(window, warm, delta * kept))
    if len(window.pairs) > window.fitted:
        gain = window.fit()
        scores = window.scores(gain)
        thresholds = (
            share_thresholds(scores[: window.fitted]) if window.fitted else FIXED_THRESHOLDS
        )
        rules = tuple((f"score >= {t:.6g}", t, scores >= t) for t in thresholds)
        rest = delta * (1.0 - kept) * (1.0 - refusal)
        orders.append(Order(rules=rules, gain=gain, start=window.fitted, delta=rest))
    return orders


def _kept(window: Window, warm: Issued, delta: float) -> Order:
    """Return the rule that was certified last, as an order of its own."""
    certificate, scores = warm.certificate, window.scores(warm.gain)
    shown: Bools = np.array([certificate.shows_cheap(score) for score in scores.tolist()])
    name = f"{certificate.candidate.removesuffix(KEPT)}{KEPT}"
    rules = ((name, certificate.threshold, shown),)
    return Order(rules=rules, gain=warm.gain, start=0, delta=delta)


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
