"""Certifies a promise on a window of a ledger's uniform requests.

A window's first requests fit the gain model and the thresholds; the rest, which they have not seen,
is bet on, dear to cheap. Never asking the LLM, and what was certified last, have nothing fitted to
the window and are bet on from its first request, each with its own part of the window's error:
where little has changed the old certificate comes back soon. A window too small to spare any
requests bets on fixed confidences. It may be looked at as often as one likes while it fills.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from trimtab.agents.certify_pool import choose
from trimtab.agents.issued import Issued
from trimtab.agents.promise import REFUSAL, Certificate, Promise
from trimtab.agents.window_plan import WindowPlan, window_delta
from trimtab.app.following import Played
from trimtab.app.window_bets import Against, Order, Window, orders_of
from trimtab.errors import ConfigError
from trimtab.evals.pairs import Pair
from trimtab.release.drift import Predicted
from trimtab.stats import bet

FIT_SHARE = 1.0 / 3.0
"""Requests that are fitted on, for each one that is bet on."""
MIN_PAIRS = 20
MIN_WINDOW_TO_FIT = 75
"""With a smaller window nothing is fitted: all requests are bet on, at fixed confidences."""
LATEST = 10
"""Later windows are planned as long as the tenth needs, whose allowed error is a hundredth."""
LOOKS = 12
"""Looks at a window's bets while it fills."""


def plan_of(promise: Promise) -> WindowPlan:
    """Return how the windows of a promise are collected.

    Raises:
        ConfigError: no window of its size can certify it.
    """
    fitted = 0
    if promise.window >= MIN_WINDOW_TO_FIT:
        fitted = math.ceil(promise.window * FIT_SHARE)
        _check_window(promise)
    delta = 1.0 - promise.confidence
    grown = math.log(window_delta(delta, LATEST)) / math.log(window_delta(delta, 1))
    return WindowPlan(
        loss=promise.loss,
        confidence=promise.confidence,
        cold_start=fitted + promise.window,
        recollect=fitted + math.ceil(promise.window * grown),
        fits=(fitted,) if fitted else (),
        every=math.ceil(promise.window / LOOKS),
    )


def least_pairs(plan: WindowPlan) -> int:
    """Return the requests that a window needs to be looked at."""
    return max(MIN_PAIRS, plan.first_fit + 1)


def look(
    pairs: Sequence[Pair],
    asked: Promise,
    *,
    number: int,
    planned: int,
    against: Against,
    warm: Issued | None,
    played: Played | None,
    named: Mapping[str, str],
    decide: bool,
) -> Issued | None:
    """Return what a window shows, or None to go on collecting.

    Args:
        pairs: of the window so far, in the order of drawing, :func:`least_pairs` at least.
        asked: the promise.
        number: k, of the window.
        planned: requests of the whole window.
        against: ``gold`` compares with outcomes; ``agreement`` takes the LLM to be right.
        warm: what was certified last, if anything was.
        played: what the domain's controller does on the requests, if it has one.
        named: ``domain``, ``bundle_id`` and ``llm`` of the certificate.
        decide: whether to serve the best certified rule now, and say so where there is none;
            otherwise one that asks the LLM less may be waited for.
    """
    plan = plan_of(asked)
    window = Window(pairs, plan.first_fit, planned, asked.loss, against)
    delta = window_delta(1.0 - asked.confidence, number)
    orders = orders_of(window, delta, warm, played)
    found = [(order, order.certificate(window)) for order in orders]
    won = _won(window, found, decide=decide or len(pairs) >= planned)
    if won is None:
        if not decide and len(pairs) < planned:
            return None
        won = max(found, key=lambda one: one[1].wealth / one[1].needed)
    order, certificate = won
    bet_on = pairs[order.start :]
    rule = next((r for r in order.rules if r.name == certificate.candidate), order.rules[0])
    sure = rule.sure[order.start :]
    won_back = (rule.losses < 0.0) & rule.shown
    # a missing label may hide a gain, so that their share is known only where none is missing
    gains = None if window.unlabelled else float(won_back[order.start :].mean())
    return Issued(
        domain=named["domain"],
        bundle_id=named["bundle_id"],
        llm=named["llm"],
        certificate=replace(certificate, labels=0) if against == "agreement" else certificate,
        gain=order.gain,
        first=bet_on[0].decision.created_at,
        last=pairs[-1].decision.created_at,
        attempt=number,
        asked=asked.confidence,
        window=asked.window,
        unlabelled=window.unlabelled,
        predicted=Predicted(
            mean=float(sure.mean()), spread=float(sure.std()), n=len(sure), gains=gains
        ),
        looked=number,
    )


def least_window(promise: Promise) -> int:
    """Return the smallest window that certifies a promise where the answers never differ."""
    delta = window_delta(1.0 - promise.confidence, 1) * (1.0 - REFUSAL)
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


def _won(
    window: Window, found: Sequence[tuple[Order, Certificate]], *, decide: bool
) -> tuple[Order, Certificate] | None:
    """Return the certificate to serve now, None where there is none or one is worth waiting for."""
    certified = {
        certificate.candidate: (order, certificate)
        for order, certificate in found
        if certificate.certified
    }
    if not certified:
        return None
    if not window.fitted:  # nothing is known beforehand, so that only a refusal is served early
        best = min(certified.values(), key=lambda one: one[1].llm_share)
        return best if decide or best[1].refused else None
    rungs = [rung for order, _ in found for rung in order.rungs(window)]
    row = window.planned if decide else len(window.pairs)
    name = choose(list(certified), rungs, row=row, planned=window.planned)
    return None if name is None else certified[name]


def _check_window(promise: Promise) -> None:
    least = least_window(promise)
    if promise.window < least:
        raise ConfigError(
            f"window={promise.window} cannot certify a loss of {promise.loss:g} with "
            f"{promise.confidence:g} confidence even where the answers never differ; use at least "
            f"{least}"
        )
