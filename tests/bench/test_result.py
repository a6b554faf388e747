"""The one form of a benchmark."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trimtab.bench.result import SCHEMA, Bar, Measure, bench_result, machine, versions

FIGURES = {"accuracy": Measure(value=0.9, low=0.88, high=0.92), "peer_ms": Measure(value=None)}


def test_a_result_has_every_key_and_is_plain_json() -> None:
    result = bench_result("x", data="d", n=3, seed=1, measures=FIGURES, bars=[])
    assert list(result) == [
        "schema",
        "name",
        "data",
        "n",
        "seed",
        "machine",
        "versions",
        "measures",
        "peers",
        "bars",
    ]
    assert result["schema"] == SCHEMA
    assert json.loads(json.dumps(result, allow_nan=False)) == result


def test_a_measure_carries_interval_and_unit() -> None:
    result = bench_result("x", data="d", n=3, seed=1, measures=FIGURES)
    assert result["measures"]["accuracy"] == {
        "value": 0.9,
        "low": 0.88,
        "high": 0.92,
        "unit": "",
    }


@given(st.floats(0.0, 1.0), st.floats(0.0, 1.0))
def test_at_least_is_kept_from_below(value: float, need: float) -> None:
    verdict = Bar(key="m", at_least=need).judge({"m": Measure(value=value)})
    assert verdict == {"need": f">= {need}", "ok": value >= need}


@given(st.floats(0.0, 1.0), st.floats(0.0, 1.0))
def test_at_most_is_kept_from_above(value: float, need: float) -> None:
    verdict = Bar(key="m", at_most=need).judge({"m": Measure(value=value)})
    assert verdict == {"need": f"<= {need}", "ok": value <= need}


@pytest.mark.parametrize("bar", [Bar(key="m", at_least=0.0), Bar(key="m", at_most=1.0)])
def test_a_figure_that_could_not_be_measured_keeps_no_bar(bar: Bar) -> None:
    assert bar.judge({"m": Measure(value=None)})["ok"] is False


def test_a_bar_without_a_bound_is_an_error() -> None:
    with pytest.raises(ValueError, match="bar 'm' has neither"):
        Bar(key="m").judge({"m": Measure(value=1.0)})


def test_a_bar_on_a_figure_that_is_not_there_is_an_error() -> None:
    with pytest.raises(KeyError, match="speed"):
        bench_result("x", data="d", n=1, seed=0, measures=FIGURES, bars=[Bar(key="speed")])


def test_an_absent_distribution_has_no_version() -> None:
    found = versions(["numpy", "no-such-distribution"])
    assert found["numpy"]
    assert found["no-such-distribution"] is None


def test_the_machine_is_named() -> None:
    found = machine()
    assert found["cores"] >= 1
    assert found["cpu"]
