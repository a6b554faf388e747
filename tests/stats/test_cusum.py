"""The betting CUSUM: one value at a time or all at once, its false alarms and its delay."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trimtab.stats import clopper_pearson
from trimtab.stats.cusum import BET_SHARES, CusumRule, level_for

RULE = CusumRule(bound=0.05, lowest=0.0, level=200.0)


def _stepped(rule: CusumRule, values: np.ndarray) -> int | None:
    capitals: tuple[float, ...] = (1.0,) * len(BET_SHARES)
    for place, value in enumerate(values.tolist()):
        capitals = rule.step(capitals, value)
        if rule.sounds(capitals):
            return place
    return None


@given(st.lists(st.floats(0.0, 1.0), max_size=80).map(np.array))
def test_one_value_at_a_time_sounds_where_all_at_once_does(values: np.ndarray) -> None:
    assert RULE.first_alarm(values) == _stepped(RULE, values)


def test_false_alarms_stay_below_the_bound_at_the_border() -> None:
    values, allowed = 400, 0.1
    rule = CusumRule(bound=0.05, lowest=0.0, level=level_for(false_alarms=allowed, values=values))
    rng = np.random.default_rng(0)
    draws = rng.random((600, values)) < 0.05
    false = sum(rule.first_alarm(row.astype(np.float64)) is not None for row in draws)
    assert clopper_pearson(false, 600, confidence=0.99)[0] <= allowed


def test_a_rise_is_seen_however_long_all_was_quiet() -> None:
    rng = np.random.default_rng(1)
    rule = CusumRule(bound=0.05, lowest=0.0, level=level_for(false_alarms=0.05, values=10_000))
    quiet = rng.beta(1.0, 40.0, size=(100, 3000))
    loud = rng.beta(2.0, 12.0, size=(100, 1000))
    first = [rule.first_alarm(row) for row in np.hstack([quiet, loud])]
    assert all(place is not None and place >= 3000 for place in first)
    assert float(np.median([place for place in first if place is not None])) <= 3000 + 300


def test_no_values_sound_nothing() -> None:
    assert RULE.first_alarm(np.zeros(0)) is None


def test_a_value_outside_the_range_is_an_error() -> None:
    with pytest.raises(ValueError, match=r"value=1\.5 is outside"):
        RULE.step((1.0,) * len(BET_SHARES), 1.5)


@pytest.mark.parametrize("bound", [0.0, 1.0])
def test_a_bound_at_the_end_of_the_range_is_an_error(bound: float) -> None:
    with pytest.raises(ValueError, match="lowest < bound < 1"):
        CusumRule(bound=bound, lowest=0.0, level=20.0)


def test_a_level_needs_a_probability() -> None:
    with pytest.raises(ValueError, match="false_alarms"):
        level_for(false_alarms=0.0, values=100)
