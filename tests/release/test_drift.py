"""The alarms A1, A2 and A3."""

import json

import numpy as np
import pytest

from trimtab.errors import ConfigError, InputError
from trimtab.release.drift import Alarms, DriftPlan, Predicted
from trimtab.stats import clopper_pearson

PLAN = DriftPlan(loss=0.02)
SURE = Predicted(mean=0.95, spread=0.05, n=500)


def test_a1_sounds_when_predictions_fall_and_names_itself() -> None:
    alarms = Alarms(PLAN, SURE)
    sounded = [alarms.shown(0.8) for _ in range(200)]
    assert sounded[-1] == "A1"
    assert alarms.sounded == "A1"


def test_a1_stays_quiet_within_its_tolerance() -> None:
    alarms = Alarms(PLAN, SURE)
    assert not any(alarms.shown(0.945) for _ in range(20_000))


def test_a1_rarely_sounds_falsely_on_the_windows_own_predictions() -> None:
    rng = np.random.default_rng(0)
    false = 0
    for _ in range(100):
        window, traffic = rng.beta(19.0, 1.0, 400), rng.beta(19.0, 1.0, 10_000)
        predicted = Predicted(mean=float(window.mean()), spread=float(window.std()), n=400)
        rule = Alarms(PLAN, predicted).rules["A1"]
        false += rule.first_alarm(1.0 - traffic) is not None
    assert clopper_pearson(false, 100, confidence=0.99)[0] <= PLAN.false_alarms


def test_a2_sounds_when_audits_lose() -> None:
    alarms = Alarms(PLAN, SURE)
    losses = np.random.default_rng(0).random(400) < 0.25
    assert any(alarms.audited(float(loss)) == "A2" for loss in losses)


def test_a2_stays_quiet_while_audits_win_as_often_as_they_lose() -> None:
    alarms = Alarms(PLAN, SURE)
    losses = np.random.default_rng(0).choice([1.0, -1.0, 0.0], p=[0.02, 0.02, 0.96], size=2000)
    assert not any(alarms.audited(float(loss)) for loss in losses)


def test_a2_needs_fewer_audits_where_the_windows_gains_are_known() -> None:
    values = np.random.default_rng(0).choice([1.0, -1.0, 0.0], p=[0.115, 0.008, 0.877], size=3000)
    heard = []
    for gains in (0.008, None):
        alarms = Alarms(PLAN, Predicted(mean=0.95, spread=0.05, n=500, gains=gains))
        heard.append(next(i for i, v in enumerate(values) if alarms.audited(float(v))))
    assert heard[0] < 0.8 * heard[1]


def test_a2_rarely_sounds_falsely_at_the_border_of_the_promise() -> None:
    rng = np.random.default_rng(1)
    false = 0
    for _ in range(60):
        window = rng.choice([1.0, -1.0, 0.0], p=[0.03, 0.01, 0.96], size=500)
        gains = float((window < 0.0).mean())
        alarms = Alarms(PLAN, Predicted(mean=0.95, spread=0.05, n=500, gains=gains))
        audits = rng.choice([1.0, -1.0, 0.0], p=[0.03, 0.01, 0.96], size=200)
        false += any(alarms.audited(float(v)) is not None for v in audits)
    assert clopper_pearson(false, 60, confidence=0.99)[0] <= PLAN.false_alarms


def test_alarms_that_know_the_gains_go_on_from_their_state() -> None:
    alarms = Alarms(PLAN, Predicted(mean=0.95, spread=0.05, n=500, gains=0.01))
    alarms.audited(1.0)
    again = Alarms.from_json(json.loads(json.dumps(alarms.to_json())))
    assert again.capital("A2") == alarms.capital("A2") > 2.0
    assert again.audit_rate == PLAN.suspicious_rate


def test_gains_are_a_share() -> None:
    with pytest.raises(InputError, match=r"gains=1\.5"):
        Predicted(mean=0.9, spread=0.1, n=5, gains=1.5)


def test_a3_sounds_when_the_llm_forgets() -> None:
    alarms = Alarms(PLAN, SURE)
    rights = np.random.default_rng(0).random(200) < 0.6
    assert any(alarms.canary(right=bool(right)) == "A3" for right in rights)


def test_a_lost_audit_raises_the_audit_rate_and_quiet_ones_lower_it() -> None:
    alarms = Alarms(PLAN, SURE)
    assert alarms.audit_rate == PLAN.audit_rate
    alarms.audited(1.0)
    assert alarms.audit_rate == PLAN.suspicious_rate
    for _ in range(200):
        alarms.audited(0.0)
    assert alarms.audit_rate == PLAN.audit_rate


def test_a_wrong_canary_raises_the_canary_rate() -> None:
    alarms = Alarms(PLAN, SURE)
    alarms.canary(right=False)
    assert alarms.canary_rate == PLAN.suspicious_canaries


def test_predictions_that_never_vary_are_made_up_for_by_audits() -> None:
    alarms = Alarms(PLAN, Predicted(mean=0.9, spread=0.0, n=500))
    assert not alarms.sighted
    assert alarms.audit_rate == PLAN.blind_rate


def test_an_alarm_that_is_off_takes_nothing() -> None:
    alarms = Alarms(DriftPlan(loss=0.02, watches=("A2",)), SURE)
    assert not any(alarms.shown(0.0) for _ in range(100))
    assert alarms.canary_rate == 0.0


def test_a_restart_goes_on_as_if_there_had_been_none() -> None:
    rng = np.random.default_rng(3)
    whole, first = Alarms(PLAN, SURE), Alarms(PLAN, SURE)
    values = 0.9 + 0.1 * rng.random(300)
    for value in values[:150].tolist():
        whole.shown(value)
        first.shown(value)
        whole.audited(float(value > 0.99))
        first.audited(float(value > 0.99))
    second = Alarms.from_json(json.loads(json.dumps(first.to_json())))
    for value in values[150:].tolist():
        assert whole.shown(value) == second.shown(value)
    assert second.to_json() == whole.to_json()


def test_a_state_that_lacks_a_field_is_an_error() -> None:
    plain = Alarms(PLAN, SURE).to_json()
    del plain["capitals"]
    with pytest.raises(InputError, match="capitals"):
        Alarms.from_json(plain)


@pytest.mark.parametrize(("name", "value"), [("audit_rate", 0.0), ("loss", 1.0), ("per", 0)])
def test_a_plan_names_what_is_out_of_range(name: str, value: float) -> None:
    with pytest.raises(ConfigError, match=name):
        DriftPlan(**{"loss": 0.02, name: value})


def test_a_prediction_outside_its_range_is_an_error() -> None:
    with pytest.raises(InputError, match="A1"):
        Alarms(PLAN, SURE).shown(1.2)
    with pytest.raises(InputError, match="A2"):
        Alarms(PLAN, SURE).audited(float("nan"))
