"""The windows of a promise, told in sentences."""

from __future__ import annotations

from typing import Any

import pytest

from trimtab.agents.promise_windows import PromiseWindows
from trimtab.agents.window_plan import WindowPlan
from trimtab.errors import InputError
from trimtab.evals.promise_life import life_told, read_life
from trimtab.release.drift import DriftPlan, Predicted

SURE = Predicted(mean=0.95, spread=0.05, n=60)


@pytest.fixture
def windows() -> PromiseWindows:
    plan = WindowPlan(loss=0.02, cold_start=100, recollect=80, fits=(20,), every=10, retry=30)
    return PromiseWindows(plan, DriftPlan(loss=0.02))


def told(windows: PromiseWindows) -> str:
    state: dict[str, Any] = windows.to_json()
    return " ".join(life_told(read_life(state)))


def test_an_open_window_says_how_full_it_is(windows: PromiseWindows) -> None:
    windows.collected(40)
    assert "Window 1, opened by the cold start, holds 40 of at most 100 requests:" in told(windows)


def test_a_full_window_says_what_it_waits_for(windows: PromiseWindows) -> None:
    windows.collected(100)
    assert "waits for labels" in told(windows)


def test_nothing_certifiable_is_no_saving(windows: PromiseWindows) -> None:
    windows.collected(100)
    windows.give_up()
    assert "No saving: window 1 could certify nothing" in told(windows)
    assert "30 requests after it" in told(windows)


def test_a_first_certificate_has_nothing_more_to_tell(windows: PromiseWindows) -> None:
    windows.collected(60)
    windows.certify("score >= 0.9", llm_share=0.1, predicted=SURE)
    assert told(windows) == ""


def test_after_an_alarm_every_window_is_told(windows: PromiseWindows) -> None:
    windows.collected(60)
    windows.certify("score >= 0.9", llm_share=0.1, predicted=SURE)
    windows.recollect("A1")
    said = told(windows)
    assert "Window 2, opened by alarm A1, holds 0 of at most 80 requests" in said
    assert "1, opened by the cold start, 60 requests, certified with 10" in said


def test_another_state_is_an_error() -> None:
    with pytest.raises(InputError, match="schema"):
        read_life({"schema": "other"})
