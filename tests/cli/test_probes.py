"""Each probe does the thing itself: on a real ledger, real prices, a real loopback server."""

from __future__ import annotations

import socket
from importlib import metadata
from pathlib import Path

import pytest

from tests.loopback import choosing, completion, serving
from trimtab.cli.doctor import examine
from trimtab.cli.probes import (
    Question,
    check_embedder,
    check_ledger,
    check_price,
    check_versions,
    probes,
)
from trimtab.errors import (
    ConfigError,
    EmbedderMissing,
    LedgerError,
    LLMUnavailable,
    ParseError,
    PriceUnknown,
)
from trimtab.settings import Settings, load_settings


def outside(url: str, tmp_path: Path) -> Settings:
    return load_settings(
        {
            "TRIMTAB_HOME": str(tmp_path),
            "OPENAI_API_KEY": "key",
            "OPENAI_BASE_URL": url,
            "TRIMTAB_LLM_MODEL": "some-model",
        }
    )


def test_every_probe_has_a_name_of_its_own() -> None:
    every = [probe.name for probe in probes(lambda: load_settings({}))]
    assert len(set(every)) == len(every) == 9


def test_bad_settings_are_one_finding_with_their_own_remedy() -> None:
    def load() -> Settings:
        return load_settings({"TRIMTAB_LLM_TIMEOUT_S": "never"})

    findings = {probe.name: examine(probe) for probe in probes(load)}
    assert set(findings) == {"versions", "bundle loads", "settings"}
    found = findings["settings"]
    assert not found.ok
    assert "TRIMTAB_LLM_TIMEOUT_S='never' is not a positive number; set it" in found.detail
    assert found.remedy == ""


def test_good_settings_are_a_finding() -> None:
    found = {p.name: p for p in probes(lambda: load_settings({"TRIMTAB_HOME": "/elsewhere"}))}
    assert examine(found["settings"]).detail == "read; home is /elsewhere"


def test_installed_requirements_lie_within_their_ranges() -> None:
    assert "packages within their ranges" in check_versions("typer")


def test_a_distribution_that_is_not_installed_is_named() -> None:
    with pytest.raises(ConfigError, match="no-such-distribution runs from its sources"):
        check_versions("no-such-distribution")


def test_a_requirement_out_of_its_range_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "future-1.0.dist-info"
    folder.mkdir()
    (folder / "METADATA").write_text(
        "Metadata-Version: 2.1\nName: future\nVersion: 1.0\nRequires-Python: >=99\n"
        "Requires-Dist: numpy>=999\nRequires-Dist: no-such-distribution>=2\n"
        "Requires-Dist: torch>=999; extra == 'train'\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    with pytest.raises(ConfigError) as raised:
        check_versions("future")
    message = str(raised.value)
    assert f"numpy {metadata.version('numpy')}, need >=999" in message
    assert "no-such-distribution is not installed, need no-such-distribution>=2" in message
    assert "need >=99;" in message
    assert "torch" not in message


def test_the_ledger_probe_leaves_nothing_behind(tmp_path: Path) -> None:
    assert "1 durable row" in check_ledger(tmp_path / "ledger.sqlite")
    assert list(tmp_path.iterdir()) == []


def test_a_ledger_that_is_none_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "ledger.sqlite"
    path.write_text("not a database, whatever its name says" * 10)
    with pytest.raises(LedgerError, match="not a SQLite file"):
        check_ledger(path)


def test_a_ledger_whose_folder_is_still_to_be_made_is_probed_above_it(tmp_path: Path) -> None:
    found = check_ledger(tmp_path / "absent" / "deeper" / "ledger.sqlite")
    assert found.startswith(f"{tmp_path} took 1 durable row")
    assert list(tmp_path.iterdir()) == []


def test_a_ledger_within_a_file_is_a_finding(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")
    with pytest.raises(LedgerError, match=r"file cannot be written .*set TRIMTAB_LEDGER"):
        check_ledger(tmp_path / "file" / "ledger.sqlite")


def test_the_embedded_model_has_a_price(tmp_path: Path) -> None:
    assert "cpu_s" in check_price(load_settings({"TRIMTAB_HOME": str(tmp_path)}))


def test_an_unknown_model_has_none(tmp_path: Path) -> None:
    with pytest.raises(PriceUnknown, match="some-model"):
        check_price(outside("http://127.0.0.1:1/v1", tmp_path))


def test_an_absent_embedder_is_named_with_its_command(tmp_path: Path) -> None:
    with pytest.raises(EmbedderMissing, match="trimtab setup text"):
        check_embedder("minilm", tmp_path)


def test_a_legal_reply_passes_both_probes_with_one_question(tmp_path: Path) -> None:
    with serving([choosing("calculate")]) as server:
        question = Question(outside(server.url, tmp_path))
        assert "50 + 5 tokens" in question.answered()
    # the server is gone: the second probe reads the same answer
    assert question.legal() == "answered 'calculate', a legal action"


def test_an_unreadable_reply_is_an_answer_but_no_structured_output(tmp_path: Path) -> None:
    with serving(lambda request: completion("I would rather not say.")) as server:
        question = Question(outside(server.url, tmp_path))
        assert "a reply came" in question.answered()
    with pytest.raises(ParseError, match="set TRIMTAB_LLM_MODEL to a model"):
        question.legal()


def test_an_llm_that_is_not_there_fails_both_probes(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as held:
        port = held.getsockname()[1]
    question = Question(outside(f"http://127.0.0.1:{port}/v1", tmp_path))
    with pytest.raises(LLMUnavailable):
        question.answered()
    with pytest.raises(LLMUnavailable):
        question.legal()
