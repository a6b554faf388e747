"""Certifies a promise on a ledger's uniform requests, and keeps certificates as files.

The first third of a window's requests fits the gain model and the thresholds; the rest, which
neither has seen, is bet on. Where a window is too small to spare any, fixed confidences are tried.
The k-th window of a bundle has the part ``δ·6/(π²k²)`` of the allowed error, so that going on until
it works breaks no promise. An alarm ends a window: what came before it certifies nothing any more.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from trimtab.agents.gain import GainModel, fit_gain_on
from trimtab.agents.issued import Issued, Withdrawal
from trimtab.agents.promise import REFUSAL, Promise, certify, share_thresholds
from trimtab.agents.routing import PromiseRule
from trimtab.agents.window_plan import window_delta
from trimtab.errors import ConfigError, InputError
from trimtab.evals.items import Canonical, Row
from trimtab.evals.pairs import Pair, uniform_pairs
from trimtab.release.drift import Predicted
from trimtab.stats import bet

Floats = NDArray[np.float64]

FIT_SHARE = 1.0 / 3.0
"""Requests that are fitted on, for each one that is bet on."""
MIN_GAINS = 10
"""Requests of the fit part on which the answers must differ for a gain model to be fitted."""
MIN_PAIRS = 20
SMALL_REFUSAL = 0.8
"""As ``REFUSAL``, where nothing is fitted: such a window can hardly settle anything else."""
MIN_WINDOW_TO_FIT = 75
"""With a smaller window nothing is fitted: all requests are bet on, at fixed confidences."""
FIXED_THRESHOLDS = (0.99, 0.98, 0.97, 0.96, 0.95, 0.93, 0.9, 0.85, 0.8, 0.7, 0.6, 0.5)
Against = Literal["gold", "agreement"]
AGREEMENT = "agreement with the LLM"
"""What a certificate says it was measured against where the LLM is taken to be right."""


def issue(
    rows: Iterable[Row],
    promise: Promise,
    *,
    domain: str,
    bundle_id: str,
    llm: str,
    canonical: Canonical,
    against: Against = "gold",
    withdrawals: Sequence[Withdrawal] = (),
) -> Issued:
    """Return the certificate that a domain's uniform requests give, certified or not.

    Requests are cut into windows in the order in which they were drawn. The newest full window
    decides; one that is still filling counts only where it is certified already, or where there
    is no full one. A window may be looked at as often as one likes while it fills.

    Args:
        rows: the domain's rows, oldest first.
        promise: what is asked for; its window counts the requests that are bet on.
        domain: their domain.
        bundle_id: requests of other bundles are left out.
        llm: so are those that another LLM answered.
        canonical: the domain's canonical words of an action.
        against: ``gold`` compares with outcomes; ``agreement`` takes the LLM to be right.
        withdrawals: earlier alarms; only requests decided after the last of them count.

    Raises:
        ConfigError: no window of this size can certify the promise.
        InputError: too few uniform requests.
    """
    fitted = 0 if promise.window < MIN_WINDOW_TO_FIT else math.ceil(promise.window * FIT_SHARE)
    size = fitted + promise.window
    if fitted:
        _check_window(promise)
    found = uniform_pairs(rows, canonical=canonical, bundle_id=bundle_id)
    pairs = [pair for pair in found if pair.llm.tier == llm]
    spent = 0
    if withdrawals:
        last = withdrawals[-1]
        spent, pairs = last.looked, [p for p in pairs if p.decision.created_at > last.at]
    newest = max(1, math.ceil(len(pairs) / size))
    filling: Issued | None = None
    for number in range(newest, 0, -1):
        window = pairs[(number - 1) * size : number * size]
        if len(window) < max(MIN_PAIRS, fitted + 1):
            continue
        issued = _issue_window(
            window,
            promise,
            number=spent + number,
            fitted=fitted,
            against=against,
            named={"domain": domain, "bundle_id": bundle_id, "llm": llm},
        )
        issued = replace(issued, withdrawals=tuple(withdrawals), looked=spent + newest)
        if issued.certificate.certified or len(window) == size:
            return issued
        filling = filling or issued
    if filling is None:
        raise InputError(
            f"domain {domain!r} has {len(pairs)} requests on which both {llm} and the small models "
            f"of bundle {bundle_id[:12]} answered without selection; at least "
            f"{max(MIN_PAIRS, fitted + 1)} are needed: decide more in mode 'auto'"
        )
    return filling


def _issue_window(
    pairs: list[Pair],
    promise: Promise,
    *,
    number: int,
    fitted: int,
    against: Against,
    named: Mapping[str, str],
) -> Issued:
    """Return what one window shows; its first ``fitted`` pairs are fitted on."""
    gains = _gains(pairs, against)
    unlabelled = int(np.isnan(gains[fitted:]).sum())
    # a label that nobody gave may be a loss: counting it as one keeps the promise
    losses = np.where(np.isnan(gains), 1.0, gains)
    differs = np.array([pair.differs for pair in pairs])
    delta = window_delta(1.0 - promise.confidence, number)
    refusal = REFUSAL if fitted else SMALL_REFUSAL
    gain = _fit(pairs[:fitted], gains[:fitted])
    rule = PromiseRule(gain=gain)
    scores = np.array([rule.score(pair.cheap) for pair in pairs])
    compared = _against(pairs, against)
    # never asking the LLM has nothing fitted to it, so that all requests may be bet on
    start = 0
    never = certificate = certify(
        np.zeros(len(pairs)),
        losses,
        loss=promise.loss,
        confidence=1.0 - delta * refusal,
        thresholds=(),
        differs=differs,
        refusal=0.0,
        against=compared,
        planned=fitted + promise.window,
    )
    if not certificate.certified:
        start = fitted
        certificate = certify(
            scores[fitted:],
            losses[fitted:],
            loss=promise.loss,
            confidence=1.0 - delta * (1.0 - refusal),
            thresholds=share_thresholds(scores[:fitted]) if fitted else FIXED_THRESHOLDS,
            differs=differs[fitted:],
            refusal=0.0,
            against=compared,
            planned=promise.window,
        )
    nearer = never.wealth / never.needed > certificate.wealth / certificate.needed
    if nearer and not certificate.certified:
        start, certificate = 0, never
    if against == "agreement":
        certificate = replace(certificate, labels=0)
    return Issued(
        domain=named["domain"],
        bundle_id=named["bundle_id"],
        llm=named["llm"],
        certificate=certificate,
        gain=gain,
        first=pairs[start].decision.created_at,
        last=pairs[-1].decision.created_at,
        attempt=number,
        asked=promise.confidence,
        window=promise.window,
        unlabelled=unlabelled,
        predicted=_predicted(pairs[start:]),
    )


def _predicted(pairs: Sequence[Pair]) -> Predicted:
    """Return how sure the small models are of these requests."""
    sure = np.array([pair.cheap.confidence or 0.0 for pair in pairs])
    return Predicted(mean=float(sure.mean()), spread=float(sure.std()), n=len(sure))


def least_window(promise: Promise) -> int:
    """Return the smallest window that certifies a promise where the answers never differ."""
    delta = (1.0 - promise.confidence) * 6.0 / math.pi**2 * (1.0 - REFUSAL)
    low, high = 1, 2
    while not bet(np.zeros(high), alpha=promise.loss, delta=delta).certified:
        low, high = high, high * 2
    while high - low > 1:
        middle = (low + high) // 2
        if bet(np.zeros(middle), alpha=promise.loss, delta=delta).certified:
            high = middle
        else:
            low = middle
    return high


def _check_window(promise: Promise) -> None:
    least = least_window(promise)
    if promise.window < least:
        raise ConfigError(
            f"window={promise.window} cannot certify a loss of {promise.loss:g} with "
            f"{promise.confidence:g} confidence even where the answers never differ; use at least "
            f"{least}"
        )


def _gains(pairs: list[Pair], against: Against) -> Floats:
    """Return `[n]` right(LLM) − right(cheap); NaN where a label is needed and missing."""
    if against == "agreement":
        return np.array([float(pair.differs) for pair in pairs])
    return np.array([pair.gain for pair in pairs])


def _fit(pairs: list[Pair], gains: Floats) -> GainModel | None:
    known = [(p, g) for p, g in zip(pairs, gains.tolist(), strict=True) if not math.isnan(g)]
    if sum(pair.differs for pair, _ in known) < MIN_GAINS:
        return None
    if any(pair.cheap.confidence is None for pair, _ in known):
        return None
    return fit_gain_on([pair.cheap for pair, _ in known], [gain for _, gain in known])


def _against(pairs: list[Pair], against: Against) -> str:
    if against == "agreement":
        return AGREEMENT
    if any(pair.differs and pair.source == "judge" for pair in pairs):
        return "a judge"
    return "gold"
