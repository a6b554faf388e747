"""Certifies the cheapest of a pool of candidates, on requests whose answers are all known.

A window has two parts. On its first rows the candidates are fitted and put in an order: from the
one whose bet grows fastest to ever cheaper ones, each step giving up some growth for a smaller
share of the LLM. On the rest they are bet on, one after the other, until one fails. The rest plays
no part in the order, so all that are certified hold at once. The order of the last window, if there
was one, is bet on beside it from the first row on with part of the allowed error: where little has
changed, the old candidate comes back soon.

Source: Laufer-Goldenblatt et al. 2023, "Efficiently controlling multiple risks with Pareto testing"
(ICLR), section 4. n is the number of requests of a window.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from trimtab.agents.cascades import Outcomes
from trimtab.release.drift import LOWEST_SPREAD
from trimtab.stats import fixed_sequence
from trimtab.stats.betting import LARGEST_BET

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

WARM_PART = 0.25
"""Part of the allowed error for the order of the last window."""
LONGEST = 12
"""Candidates in an order: each must pass for the next to be looked at."""
HORIZON = 5000
"""Requests over which a smaller LLM share must pay for the requests that it is waited for."""
PRIOR_ROWS = 10.0
"""Rows of variance 1/4 that the estimated variance starts from: few rows seldom show a loss."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rung:
    """A candidate in an order.

    Attributes:
        name: of the candidate.
        llm_share: share of the first rows on which it asks the LLM.
        rows: row of the window after which its bet is expected to have succeeded.
    """

    name: str
    llm_share: float
    rows: float


def net_losses(outcomes: Outcomes, llm_right: Bools) -> Floats:
    """Return `[n]` right(LLM) - right(shown answer) in [-1, 1]."""
    return llm_right.astype(np.float64) - outcomes.correct


def order_of(
    played: Mapping[str, Outcomes],
    llm_right: Bools,
    llm_usd: Floats,
    *,
    loss: float,
    delta: float,
    planned: int,
) -> tuple[Rung, ...]:
    """Return the candidates to bet on, dear to cheap, from the first rows of a window.

    The first is the one whose bet is expected to succeed soonest; each further one asks the LLM
    less and takes longer. Left out are candidates that cost as much as always asking, those whose
    bets are not expected to succeed even in twice the rows left, and those to whose predictions A1
    is blind unless no other is left.

    Args:
        played: what each candidate did on the first rows.
        llm_right: `[f]` whether the LLM is right on them.
        llm_usd: `[f]` what it costs.
        loss: the promise.
        delta: allowed error of this order.
        planned: rows of the whole window.
    """
    seen: list[tuple[Rung, float, bool]] = []
    for name, outcomes in played.items():
        usd = float(outcomes.cost_usd.mean())
        share = float(outcomes.asked_strong.mean())
        if usd >= float(llm_usd.mean()) or share >= 1.0:
            continue
        losses = net_losses(outcomes, llm_right)
        rung = rung_of(name, losses, llm_share=share, loss=loss, delta=delta)
        if rung.rows - len(llm_right) <= 2.0 * (planned - len(llm_right)):
            sighted = float(outcomes.confidence.std()) >= LOWEST_SPREAD
            seen.append((rung, usd, sighted))
    sighted_ones = [one for one in seen if one[2]] or seen
    # shares that differ by less than a hundredth are told apart by their price
    ranked = sorted(sighted_ones, key=lambda one: (round(one[0].llm_share, 2), one[1], one[0].rows))
    kept: list[Rung] = []
    for rung, _, _ in ranked:  # cheap to dear: a dearer one must be certified sooner
        if not kept or rung.rows < 0.95 * kept[-1].rows:
            kept.append(rung)
    return tuple(reversed(kept[-LONGEST:]))


def rung_of(name: str, losses: Floats, *, llm_share: float, loss: float, delta: float) -> Rung:
    """Return what the first rows of a window let expect of one candidate.

    Args:
        name: of the candidate.
        losses: `[f]` its net losses on them.
        llm_share: share of them on which it asks the LLM.
        loss: the promise.
        delta: allowed error of its order.
    """
    growth = _growth(losses, loss)
    needed = math.log(1.0 / delta)
    return Rung(
        name=name,
        llm_share=llm_share,
        rows=len(losses) + needed / growth if growth > 0.0 else math.inf,
    )


def reached(
    sequence: Sequence[tuple[str, Floats]],
    *,
    loss: float,
    delta: float,
    planned: int,
    first: int = 0,
) -> dict[str, int]:
    """Return the rows of the window after which candidates of an order are certified.

    Those that are never certified are missing.

    Args:
        sequence: names and `[n]` net losses on the rows bet on, in the order fixed before them.
        loss: the promise.
        delta: allowed error of this order.
        planned: rows that a full window bets on; bets may be looked at after any row.
        first: rows of the window before the first one bet on.
    """
    wealth = fixed_sequence(
        (losses for _, losses in sequence), alpha=loss, delta=delta, planned=planned
    )
    at: dict[str, int] = {}
    latest = 0
    for (name, _), one in zip(sequence, wealth, strict=False):
        if one.stopped_at is None:
            break
        latest = max(latest, one.stopped_at)
        at[name] = first + latest
    return at


def choose(
    certified: Sequence[str], in_reach: Sequence[Rung], *, row: int, planned: int
) -> str | None:
    """Return the certified candidate to serve now, or None to go on collecting.

    It waits for a candidate with a smaller LLM share where that is expected to save more calls over
    ``HORIZON`` requests than waiting costs.

    Args:
        certified: names certified by now.
        in_reach: candidates of both orders that have not failed.
        row: rows of the window seen.
        planned: rows of the whole window; then it is decided.
    """
    shares = {rung.name: rung.llm_share for rung in reversed(in_reach)}
    if not certified:
        return None
    best = min(certified, key=lambda name: shares[name])
    if row >= planned:
        return best
    for rung in in_reach:
        if rung.name in certified or rung.rows > planned:
            continue
        waiting = (1.0 - shares[best]) * max(rung.rows - row, 1.0)
        if (shares[best] - rung.llm_share) * HORIZON > waiting:
            return None
    return best


def _growth(losses: Floats, loss: float) -> float:
    """Return the growth per row of the best bet, the mean loss taken one standard error higher."""
    n = len(losses)
    variance = (float(losses.var()) * n + 0.25 * PRIOR_ROWS) / (n + PRIOR_ROWS)
    gain = loss - float(losses.mean()) - math.sqrt(variance / n)
    if gain <= 0.0:
        return 0.0
    spread = variance + gain**2
    bet = min(LARGEST_BET, gain / spread)
    return bet * gain - 0.5 * bet**2 * spread
