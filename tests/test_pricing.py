from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trimtab.errors import ConfigError, PriceUnknown
from trimtab.pricing import COLUMNS, PriceTable, load_prices
from trimtab.settings import load_settings

HEADER = ",".join(COLUMNS)
ROW = "mine,2,1,8,token,2026-01-05,price page"


def table(tmp_path: Path, *rows: str, header: str = HEADER) -> Path:
    path = tmp_path / "prices.csv"
    path.write_text("\n".join([header, *rows]) + "\n", encoding="utf-8")
    return path


def prices(tmp_path: Path, *rows: str) -> PriceTable:
    return PriceTable.from_csv(table(tmp_path, *rows), usd_per_cpu_s=1e-5)


def test_cached_input_is_priced_apart(tmp_path: Path) -> None:
    cost = prices(tmp_path, ROW).cost(
        "mine", prompt_tokens=1000, cached_tokens=400, completion_tokens=50
    )
    assert cost == pytest.approx((600 * 2 + 400 * 1 + 50 * 8) / 1e6)


def test_without_a_cached_price_cached_tokens_are_other_input(tmp_path: Path) -> None:
    found = prices(tmp_path, "mine,2,,8,token,2026-01-05,price page")
    cost = found.cost("mine", prompt_tokens=1000, cached_tokens=400, completion_tokens=0)
    assert cost == pytest.approx(1000 * 2 / 1e6)


def test_local_computation_is_billed_by_the_cpu_second() -> None:
    shipped = load_prices(load_settings({"TRIMTAB_USD_PER_CPU_HOUR": "0.36"}))
    cost = shipped.cost("smollm2-135m-instruct", prompt_tokens=90, completion_tokens=5, cpu_s=2.0)
    assert cost == pytest.approx(2.0 * 0.36 / 3600)


def test_a_local_model_without_cpu_time_is_refused() -> None:
    shipped = load_prices(load_settings({}))
    with pytest.raises(ConfigError, match="CPU-second"):
        shipped.cost("smollm2-135m-instruct", prompt_tokens=90, completion_tokens=5)


def test_every_shipped_row_is_dated_sourced_and_priced() -> None:
    shipped = load_prices(load_settings({}))
    assert len(shipped) > 20
    for model in shipped:
        row = shipped.price(model)
        assert row.source
        assert row.as_of >= date(2024, 12, 1)
        assert shipped.cost(model, prompt_tokens=10, completion_tokens=1, cpu_s=1.0) > 0


def test_the_shipped_table_halves_cached_input_of_gpt_4o() -> None:
    row = load_prices(load_settings({})).price("gpt-4o-2024-08-06")
    assert (row.usd_per_1m_input, row.usd_per_1m_cached_input) == (2.5, 1.25)


def test_an_unknown_model_names_model_file_and_remedy(tmp_path: Path) -> None:
    path = table(tmp_path, ROW)
    found = load_prices(load_settings({"TRIMTAB_PRICES": str(path)}))
    with pytest.raises(PriceUnknown) as error:
        found.cost("gpt-9", prompt_tokens=1, completion_tokens=1)
    for words in ("'gpt-9'", str(path), "TRIMTAB_PRICES"):
        assert words in str(error.value)


def test_a_file_of_prices_is_merged_over_the_shipped_ones(tmp_path: Path) -> None:
    path = table(tmp_path, ROW, "gpt-4o-2024-08-06,7,,7,token,2026-01-05,contract")
    found = load_prices(load_settings({"TRIMTAB_PRICES": str(path)}))
    assert found.source("gpt-4o-2024-08-06") == "contract"
    assert found.as_of("mine") == date(2026, 1, 5)
    assert "gpt-4o-mini-2024-07-18" in found


@pytest.mark.parametrize(
    "counts",
    [
        {"prompt_tokens": -1},
        {"completion_tokens": -1},
        {"cached_tokens": -1},
        {"cached_tokens": 11},
        {"cpu_s": float("nan")},
        {"cpu_s": float("inf")},
        {"prompt_tokens": float("nan")},
    ],
)
def test_impossible_usage_is_refused_by_name(tmp_path: Path, counts: dict[str, int]) -> None:
    given_counts = {"prompt_tokens": 10, "completion_tokens": 1, **counts}
    with pytest.raises(ConfigError, match=next(iter(counts))):
        prices(tmp_path, ROW).cost("mine", **given_counts)


@pytest.mark.parametrize(
    ("row", "words"),
    [
        ("mine,-2,,8,token,2026-01-05,s", "usd_per_1m_input='-2'"),
        ("mine,nan,,8,token,2026-01-05,s", "usd_per_1m_input='nan'"),
        ("mine,two,,8,token,2026-01-05,s", "usd_per_1m_input='two'"),
        ("mine,2,,,token,2026-01-05,s", "usd_per_1m_output is empty"),
        ("mine,2,inf,8,token,2026-01-05,s", "usd_per_1m_cached_input='inf'"),
        ("mine,2,,8,word,2026-01-05,s", "unit='word'"),
        ("mine,2,,8,cpu_s,2026-01-05,s", "cpu_s row"),
        ("mine,2,,8,token,last year,s", "as_of='last year'"),
        ("mine,2,,8,token,2026-01-05,", "source is empty"),
        (",2,,8,token,2026-01-05,s", "model is empty"),
    ],
)
def test_an_unusable_cell_names_line_and_column(tmp_path: Path, row: str, words: str) -> None:
    with pytest.raises(ConfigError, match="line 2") as error:
        prices(tmp_path, row)
    assert words in str(error.value)


def test_a_model_that_occurs_twice_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="occurs twice"):
        prices(tmp_path, ROW, ROW)


def test_a_missing_column_is_named(tmp_path: Path) -> None:
    path = table(tmp_path, "mine,1", header="model,usd_per_1m_input")
    with pytest.raises(ConfigError, match="usd_per_1m_output"):
        PriceTable.from_csv(path, usd_per_cpu_s=1e-5)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="nowhere"):
        PriceTable.from_csv(tmp_path / "nowhere.csv", usd_per_cpu_s=1e-5)


@pytest.mark.parametrize("price", [0.0, -1.0, float("nan"), float("inf")])
def test_an_unusable_price_of_cpu_time_is_refused(price: float) -> None:
    with pytest.raises(ConfigError, match="usd_per_cpu_s"):
        PriceTable([], usd_per_cpu_s=price)


SHIPPED = load_prices(load_settings({}))


@given(st.integers(0, 10**6), st.integers(0, 10**6), st.integers(0, 10**5))
def test_cost_grows_with_tokens_and_caching_never_costs_more(
    fresh: int, cached: int, completion: int
) -> None:
    def cost(prompt: int, read: int, out: int) -> float:
        return SHIPPED.cost(
            "gpt-4o-2024-08-06", prompt_tokens=prompt, cached_tokens=read, completion_tokens=out
        )

    whole = cost(fresh + cached, cached, completion)
    assert 0 <= whole <= cost(fresh + cached, 0, completion)
    assert whole <= cost(fresh + cached, cached, completion + 1)
