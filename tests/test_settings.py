"""The environment, read once: defaults, and every bad value named."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trimtab.errors import ConfigError
from trimtab.settings import load_settings

HOME = {"TRIMTAB_HOME": "/home/someone/trimtab"}


def test_nothing_set_means_the_embedded_llm() -> None:
    settings = load_settings(HOME)
    assert settings.uses_embedded_llm
    assert settings.llm_model is None


def test_the_home_holds_models_and_ledger() -> None:
    settings = load_settings(HOME)
    assert settings.models == Path("/home/someone/trimtab/models")
    assert settings.ledger == Path("/home/someone/trimtab/ledger.sqlite")


def test_without_a_home_the_users_cache_is_used() -> None:
    assert load_settings({}).home == Path.home() / ".cache" / "trimtab"


def test_a_tilde_means_the_users_home() -> None:
    settings = load_settings({"TRIMTAB_HOME": "~/t", "TRIMTAB_PRICES": "~/prices.csv"})
    assert settings.home == Path.home() / "t"
    assert settings.prices == Path.home() / "prices.csv"


@pytest.mark.parametrize("field", ["OPENAI_API_KEY", "OPENAI_BASE_URL"])
def test_an_outside_llm_without_its_model_is_refused(field: str) -> None:
    with pytest.raises(ConfigError, match=r"TRIMTAB_LLM_MODEL is not set .* set it to"):
        load_settings({**HOME, field: "https://given"})


@pytest.mark.parametrize("field", ["OPENAI_API_KEY", "OPENAI_BASE_URL"])
def test_an_outside_llm_replaces_the_embedded_one(field: str) -> None:
    settings = load_settings({**HOME, field: "https://given", "TRIMTAB_LLM_MODEL": "m"})
    assert not settings.uses_embedded_llm
    assert settings.llm_model == "m"


def test_an_index_that_is_not_known_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"TRIMTAB_INDEX='chroma'.*embedded.*pinecone"):
        load_settings({**HOME, "TRIMTAB_INDEX": "chroma"})
    assert load_settings({**HOME, "TRIMTAB_INDEX": "pinecone"}).index == "pinecone"


def test_keys_are_never_printed() -> None:
    keys = dict.fromkeys(("OPENAI_API_KEY", "PINECONE_API_KEY", "TRIMTAB_API_KEY"), "hush-hush")
    assert "hush" not in repr(load_settings({**HOME, **keys, "TRIMTAB_LLM_MODEL": "m"}))


def test_empty_values_count_as_not_set() -> None:
    empty = dict.fromkeys(
        ("OPENAI_API_KEY", "OPENAI_BASE_URL", "TRIMTAB_LLM_MODEL", "TRIMTAB_PRICES"), ""
    )
    assert load_settings({**HOME, **empty}) == load_settings(HOME)


NUMBERS = ("TRIMTAB_USD_PER_CPU_HOUR", "TRIMTAB_LLM_TIMEOUT_S", "TRIMTAB_LLM_MAX_CONCURRENCY")


@pytest.mark.parametrize("field", NUMBERS)
@pytest.mark.parametrize("value", ["0", "-1", "nan", "inf", "-inf", "two", "1,5", " "])
def test_a_number_that_is_none_is_named_with_its_field(field: str, value: str) -> None:
    with pytest.raises(ConfigError) as raised:
        load_settings({**HOME, field: value})
    message = str(raised.value)
    assert field in message
    assert repr(value) in message
    assert "set it like" in message


def test_half_a_request_in_flight_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"MAX_CONCURRENCY='1\.5' is not a whole"):
        load_settings({**HOME, "TRIMTAB_LLM_MAX_CONCURRENCY": "1.5"})


@given(st.floats(1e-6, 1e6))
def test_a_cpu_second_costs_a_3600th_of_an_hour(usd: float) -> None:
    settings = load_settings({**HOME, "TRIMTAB_USD_PER_CPU_HOUR": repr(usd)})
    assert settings.usd_per_cpu_s == pytest.approx(usd / 3600.0)


def test_the_process_environment_is_the_default(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRIMTAB_LLM_TIMEOUT_S", "7")
    assert load_settings().llm_timeout_s == 7.0
