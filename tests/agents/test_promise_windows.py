"""The phases of a promise."""

import json
import threading

import pytest

from trimtab.agents.promise_windows import PromiseWindows
from trimtab.agents.window_plan import WindowPlan, window_delta
from trimtab.errors import ConfigError, InputError
from trimtab.release.drift import DriftPlan, Predicted

PLAN = WindowPlan(loss=0.02, cold_start=100, recollect=80, fits=(20, 40), every=10, retry=30)
SURE = Predicted(mean=0.95, spread=0.05, n=60)


def _windows() -> PromiseWindows:
    return PromiseWindows(PLAN, DriftPlan(loss=0.02))


def _certified() -> PromiseWindows:
    windows = _windows()
    windows.collected(60)
    windows.certify("two agree", llm_share=0.1, predicted=SURE)
    return windows


def test_windows_spend_at_most_delta_together() -> None:
    spent = [window_delta(0.05, number) for number in range(1, 20_000)]
    assert 0.9999 * 0.05 < sum(spent) <= 0.05
    assert spent == sorted(spent, reverse=True)


def test_a_cold_start_says_when_to_fit_and_when_to_look() -> None:
    windows = _windows()
    due = [windows.collected() for _ in range(100)]
    assert [row for row, what in enumerate(due, start=1) if what == "fit"] == [20, 40]
    assert [row for row, what in enumerate(due, start=1) if what == "look"] == [
        30,
        50,
        60,
        70,
        80,
        90,
    ]
    assert due[-1] == "end"
    assert windows.phase == "cold start"


def test_a_certificate_arms_the_alarms() -> None:
    windows = _certified()
    assert windows.phase == "certified"
    assert windows.candidate == "two agree"
    assert windows.audit_rate > 0.0
    assert windows.canary_rate > 0.0


def test_an_alarm_opens_the_next_window_with_less_to_spend() -> None:
    windows = _certified()
    first = windows.delta
    alarm = next(found for _ in range(500) if (found := windows.shown(0.5)))
    assert alarm == "A1"
    assert windows.phase == "recollecting"
    assert windows.delta == pytest.approx(first / 4)
    assert (windows.candidate, windows.last_certified) == ("", "two agree")
    assert (windows.audit_rate, windows.canary_rate) == (0.0, 0.0)


def test_the_history_says_what_opened_each_window() -> None:
    windows = _certified()
    windows.recollect("A1")
    windows.collected(50)
    windows.certify("three agree", llm_share=0.3, predicted=SURE)
    assert [(one.opened_by, one.candidate, one.rows) for one in windows.history] == [
        ("cold start", "two agree", 60),
        ("A1", "three agree", 50),
    ]


def test_a_window_without_a_certificate_saves_nothing_until_the_next() -> None:
    windows = _windows()
    windows.collected(100)
    windows.give_up()
    assert windows.phase == "no saving"
    assert windows.candidate == ""
    windows.collected(29)
    assert windows.phase == "no saving"
    windows.collected(1)
    assert (windows.phase, windows.number) == ("recollecting", 2)


def test_outside_a_certificate_alarms_hear_nothing() -> None:
    windows = _windows()
    assert windows.shown(0.0) is None
    assert windows.audited(1.0) is None
    assert windows.canary(right=False) is None
    assert windows.phase == "cold start"


def test_a_restart_goes_on_as_if_there_had_been_none() -> None:
    whole, first = _certified(), _certified()
    for _ in range(5):
        whole.shown(0.85)
        first.shown(0.85)
    second = PromiseWindows.from_json(json.loads(json.dumps(first.to_json())))
    while whole.phase == "certified":
        assert whole.shown(0.7) == second.shown(0.7)
    assert second.to_json() == whole.to_json()


def test_threads_lose_no_row() -> None:
    windows = PromiseWindows(
        WindowPlan(loss=0.02, cold_start=5000, recollect=5000), DriftPlan(loss=0.02)
    )
    threads = [
        threading.Thread(target=lambda: [windows.collected() for _ in range(500)]) for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert windows.to_json()["rows"] == 2000


def test_too_few_rows_certify_nothing() -> None:
    windows = _windows()
    windows.collected(20)
    with pytest.raises(InputError, match="20 rows"):
        windows.certify("two agree", llm_share=0.1, predicted=SURE)


def test_rows_beyond_the_window_are_an_error() -> None:
    with pytest.raises(InputError, match="rows=101"):
        _windows().collected(101)


def test_a_certificate_in_force_collects_nothing() -> None:
    with pytest.raises(InputError, match="in force"):
        _certified().collected()


def test_two_different_promises_are_an_error() -> None:
    with pytest.raises(ConfigError, match=r"loss=0\.02"):
        PromiseWindows(PLAN, DriftPlan(loss=0.03))


def test_an_alien_state_is_an_error() -> None:
    with pytest.raises(InputError, match="schema"):
        PromiseWindows.from_json({"schema": "other"})


@pytest.mark.parametrize(
    ("name", "value"),
    [("fits", (5, 5)), ("fits", (0, 5)), ("retry", 0), ("cold_start", 40), ("confidence", 1.0)],
)
def test_a_plan_names_what_is_out_of_range(name: str, value: object) -> None:
    with pytest.raises(ConfigError, match=name):
        WindowPlan(**{"loss": 0.02, "fits": (20, 40), name: value})  # type: ignore[arg-type]


def test_a_delta_needs_a_window() -> None:
    with pytest.raises(ConfigError, match="number=0"):
        window_delta(0.05, 0)
