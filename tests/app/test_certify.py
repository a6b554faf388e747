"""What a served window certifies, against known truth."""

from __future__ import annotations

import math
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from trimtab.agents.issued import Issued
from trimtab.agents.promise import Promise
from trimtab.agents.window_plan import window_delta
from trimtab.app.certify import least_window, look, plan_of
from trimtab.app.window_bets import KEPT, Window
from trimtab.errors import ConfigError
from trimtab.evals.pairs import Pair
from trimtab.records import Decision, Prediction, Route, Usage

PROMISE = Promise(loss=0.1, confidence=0.8, window=150)
NAMED = {"domain": "d", "bundle_id": "b", "llm": "large"}


def pairs_of(sure: np.ndarray, wrong: np.ndarray) -> list[Pair]:
    """Return requests on which the LLM is right, and the small model so sure and so wrong."""
    begin = datetime(2026, 1, 1, tzinfo=UTC)
    llm = Prediction(agent="llm", action=0, confidence=None, tier="large")
    found = []
    for place, (confidence, lost) in enumerate(zip(sure.tolist(), wrong.tolist(), strict=True)):
        cheap = Prediction(agent="policy", action=int(lost), confidence=confidence, tier="small")
        decision = Decision(
            decision_id=f"d{place}",
            domain="d",
            state="",
            action=0,
            answer="",
            route=Route(agent="llm", reason="uncertified", confidence=None, threshold=None),
            predictions=(cheap, llm),
            usage=Usage(),
            bundle_id="b",
            propensity=1.0,
            created_at=begin + timedelta(seconds=place),
        )
        found.append(
            Pair(
                decision=decision,
                cheap=cheap,
                llm=llm,
                said="",
                differs=bool(lost),
                gain=float(lost),
                source=None,
                llm_right=1.0,
                cheap_usd=0.0,
                llm_usd=0.01,
            )
        )
    return found


def looked(pairs: list[Pair], *, number: int = 1, warm: Issued | None = None) -> Issued | None:
    """Return what the window certifies, looked at four times as it fills."""
    plan = plan_of(PROMISE)
    planned = plan.cold_start if number == 1 else plan.recollect
    for rows in (80, 120, 160, len(pairs)):
        found = look(
            pairs[:rows],
            PROMISE,
            number=number,
            planned=planned,
            against="gold",
            warm=warm,
            played=None,
            named=NAMED,
            decide=rows == len(pairs),
        )
        if found is not None and found.certificate.certified:
            return found
    return None


def true_loss(issued: Issued, rate: float) -> float:
    """Return the loss of a rule where every answer is wrong with this probability."""
    grid = np.linspace(0.0005, 0.9995, 1000)
    rule = issued.rule()
    shown = [
        issued.certificate.shows_cheap(
            rule.score(Prediction(agent="policy", action=0, confidence=c, tier="small"))
        )
        for c in grid.tolist()
    ]
    return rate * float(np.mean(shown))


@pytest.mark.parametrize("number", [1, 2])
def test_windows_break_the_promise_no_more_often_than_they_may(number: int) -> None:
    rng = np.random.default_rng(number)
    rate, draws, broken, certified = 0.12, 120, 0, 0
    for _ in range(draws):
        sure = rng.random(200)
        found = looked(pairs_of(sure, rng.random(200) < rate), number=number)
        certified += found is not None
        broken += found is not None and true_loss(found, rate) > PROMISE.loss
    delta = window_delta(1.0 - PROMISE.confidence, number)
    assert broken <= draws * delta + 3.0 * math.sqrt(draws * delta)
    assert certified > 0.2 * draws  # the test would see a break


def test_the_last_rule_comes_back_before_anything_new_is_fitted() -> None:
    rng = np.random.default_rng(0)
    first = looked(pairs_of(rng.random(200), np.zeros(200, np.bool_)))
    assert first is not None
    kept = replace(
        first,
        gain=None,
        certificate=replace(
            first.certificate, refused=False, threshold=0.3, candidate="score >= 0.3"
        ),
    )
    sure = rng.random(495)
    again = looked(pairs_of(sure, sure < 0.3), number=2, warm=kept)
    assert again is not None
    assert again.certificate.candidate == f"score >= 0.3{KEPT}"
    assert again.certificate.n < 160


def test_scores_are_not_fitted_anew_with_each_label_that_comes_in() -> None:
    rng = np.random.default_rng(3)
    pairs = pairs_of(rng.random(200), rng.random(200) < 0.3)
    window = Window(pairs, 50, 200, PROMISE.loss, "gold")
    assert window.fit() is not None
    unlabelled = [replace(p, gain=math.nan) if p.differs else p for p in pairs[:20]]
    assert Window([*unlabelled, *pairs[20:]], 50, 200, PROMISE.loss, "gold").fit() is None


def test_a_window_too_small_for_its_promise_is_an_error() -> None:
    least = least_window(Promise(loss=0.02))
    assert plan_of(Promise(loss=0.02, window=least)).loss == 0.02
    with pytest.raises(ConfigError, match=f"use at least {least}"):
        plan_of(Promise(loss=0.02, window=least - 1))
