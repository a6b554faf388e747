"""Laws of the records: they add up, and they survive JSON."""

from __future__ import annotations

import dataclasses
import json
from datetime import UTC, timedelta, timezone
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trimtab import records
from trimtab.records import (
    Decision,
    Prediction,
    Reason,
    Route,
    Usage,
    decision_from_json,
    decision_to_json,
    prediction_from_json,
    prediction_to_json,
    usage_to_json,
)

counts = st.integers(0, 10**9)
finite = st.floats(allow_nan=False, allow_infinity=False)
shares = st.floats(0.0, 1.0)
# dyadic amounts add without rounding, so the laws of addition hold exactly
amounts = st.integers(0, 2**30).map(lambda n: n / 1024)
words = st.text(max_size=30)
usages = st.builds(
    Usage,
    prompt_tokens=counts,
    cached_tokens=counts,
    completion_tokens=counts,
    cpu_s=amounts,
    latency_s=amounts,
    cost_usd=amounts,
)
predictions = st.builds(
    Prediction,
    agent=words,
    action=st.integers(0, 999) | words,
    confidence=st.none() | shares,
    probs=st.none() | st.lists(shares, max_size=5).map(tuple),
    value=st.none() | st.floats(-1.0, 1.0),
    usage=usages,
    tier=words,
    signals=st.dictionaries(words, finite, max_size=3),
    trace=st.dictionaries(words, st.lists(counts, max_size=3), max_size=2),
)
routes = st.builds(
    Route,
    agent=words,
    reason=st.sampled_from(get_args(Reason)),
    confidence=st.none() | shares,
    threshold=st.none() | shares,
)
zones = st.sampled_from([UTC, timezone(timedelta(hours=5, minutes=30))])
decisions = st.builds(
    Decision,
    decision_id=words,
    domain=words,
    state=st.text(max_size=100),
    action=st.integers(0, 999) | words,
    answer=words,
    route=routes,
    predictions=st.lists(predictions, max_size=3).map(tuple),
    usage=usages,
    bundle_id=words,
    propensity=shares,
    created_at=st.datetimes(timezones=zones),
    audit=st.booleans(),
)


@given(usages, usages, usages)
def test_usage_addition_is_associative(a: Usage, b: Usage, c: Usage) -> None:
    assert (a + b) + c == a + (b + c)


@given(usages, usages)
def test_usage_addition_is_commutative(a: Usage, b: Usage) -> None:
    assert a + b == b + a


@given(usages)
def test_empty_usage_is_neutral(usage: Usage) -> None:
    assert usage + Usage() == usage == Usage() + usage


@given(usages, usages)
def test_usage_adds_field_by_field(a: Usage, b: Usage) -> None:
    for field in dataclasses.fields(Usage):
        total = getattr(a, field.name) + getattr(b, field.name)
        assert getattr(a + b, field.name) == total


@given(usages)
def test_usage_in_json_holds_every_field(usage: Usage) -> None:
    assert usage_to_json(usage) == dataclasses.asdict(usage)


@given(predictions)
def test_prediction_survives_json(prediction: Prediction) -> None:
    line = json.dumps(prediction_to_json(prediction), allow_nan=False)
    assert prediction_from_json(json.loads(line)) == prediction


@given(decisions)
def test_decision_survives_json(decision: Decision) -> None:
    line = json.dumps(decision_to_json(decision), allow_nan=False)
    assert decision_from_json(json.loads(line)) == decision


@given(decisions)
def test_decision_in_json_holds_every_field(decision: Decision) -> None:
    assert set(decision_to_json(decision)) == {f.name for f in dataclasses.fields(Decision)}


@given(decisions)
def test_writing_a_decision_leaves_it_unread_by_reference(decision: Decision) -> None:
    plain = decision_to_json(decision)
    plain["predictions"].clear()
    plain["usage"]["cost_usd"] = -1.0
    assert decision_to_json(decision)["predictions"] == [
        prediction_to_json(p) for p in decision.predictions
    ]
    assert decision.usage.cost_usd >= 0.0


def test_an_empty_trace_is_not_written() -> None:
    plain = prediction_to_json(Prediction(agent="policy", action=1, confidence=0.5))
    assert "trace" not in plain


def test_an_unknown_field_is_refused() -> None:
    plain = prediction_to_json(Prediction(agent="policy", action=1, confidence=0.5))
    with pytest.raises(TypeError, match="colour"):
        prediction_from_json({**plain, "colour": "red"})


def _record_classes() -> list[type]:
    return [
        value
        for value in vars(records).values()
        if isinstance(value, type) and value.__module__ == records.__name__
    ]


@pytest.mark.parametrize("record", _record_classes(), ids=lambda record: record.__name__)
def test_records_are_frozen_slotted_and_keyword_only(record: type) -> None:
    assert dataclasses.is_dataclass(record)
    assert "__slots__" in vars(record)
    assert all(field.kw_only for field in dataclasses.fields(record))
    assert record.__dataclass_params__.frozen  # type: ignore[attr-defined]  # not in typeshed
