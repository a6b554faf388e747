"""The benchmark of the import measures a fresh interpreter."""

from __future__ import annotations

import pytest

from trimtab.bench.imports import HEAVY, run


@pytest.fixture(scope="module")
def result() -> dict[str, dict[str, dict[str, float]]]:
    return run(repeats=1)


def test_nothing_heavy_is_loaded(result: dict[str, dict[str, dict[str, float]]]) -> None:
    assert result["bars"]["heavy_modules"]["ok"] is True
    assert [result["measures"][f"loaded.{name}"]["value"] for name in HEAVY] == [0.0] * len(HEAVY)


def test_the_client_costs_at_least_the_bare_import(
    result: dict[str, dict[str, dict[str, float]]],
) -> None:
    measures = result["measures"]
    assert 0.0 < measures["import_cpu_s"]["value"] <= measures["sdk_import_cpu_s"]["value"]


def test_one_repeat_has_no_interval(result: dict[str, dict[str, dict[str, float]]]) -> None:
    assert result["measures"]["import_cpu_s"]["low"] is None
