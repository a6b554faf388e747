"""``trimtab decide``: the exit code tells a caller who wants no stand-in."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from tests.loopback import choosing, completion, refusing, serving
from trimtab.cli.app import app
from trimtab.errors import UnknownDomain

GONE = refusing(429, retry_after="3600")
"""Too long to wait for: the call fails at once."""


@pytest.mark.parametrize(
    ("reply", "options", "code"),
    [
        (GONE, ["--fail-on-degraded"], 4),
        (GONE, [], 0),
        (choosing("out_of_scope"), ["--fail-on-degraded"], 0),
    ],
)
def test_degraded_answer_ends_with_4_where_it_was_asked_for(
    reply: object,
    options: list[str],
    code: int,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with serving(lambda request: reply) as server:
        monkeypatch.setenv("OPENAI_BASE_URL", server.url)
        monkeypatch.setenv("TRIMTAB_LLM_MODEL", "gpt-4o-mini-2024-07-18")
        monkeypatch.setenv("TRIMTAB_LEDGER", str(tmp_path / "ledger.sqlite"))
        monkeypatch.setenv("TRIMTAB_CERTIFICATES", str(tmp_path / "certificates"))
        result = CliRunner().invoke(app, ["decide", "solve this sudoku", "--json", *options])
    assert result.exit_code == code, result.output
    decision = json.loads(result.output.splitlines()[-1])
    assert (decision["route"]["reason"] == "degraded") == (reply is GONE)


def test_shipped_game_is_decided_by_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TRIMTAB_LEDGER", str(tmp_path / "ledger.sqlite"))
    monkeypatch.setenv("TRIMTAB_CERTIFICATES", str(tmp_path / "certificates"))
    asked = ["decide", "112233", "--domain", "connect_four", "--mode", "neural_only", "--json"]
    result = CliRunner().invoke(app, asked)
    assert result.exit_code == 0, result.output
    assert json.loads(result.output.splitlines()[-1])["answer"] == "4"


def test_domain_that_is_not_shipped_is_named_with_those_that_are() -> None:
    result = CliRunner().invoke(app, ["decide", "x", "--domain", "chess"])
    assert isinstance(result.exception, UnknownDomain)
    assert "sudoku9" in str(result.exception)


def test_shipped_puzzle_net_shows_the_grid_after_each_recursion(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TRIMTAB_LEDGER", str(tmp_path / "ledger.sqlite"))
    monkeypatch.setenv("TRIMTAB_CERTIFICATES", str(tmp_path / "certificates"))
    puzzle, solution = (
        "4..2....3..1....2..1...6..2.5..6....",
        "451263623541346125215436132654564312",
    )
    asked = ["decide", puzzle, "--domain", "sudoku6", "--mode", "neural_only"]
    result = CliRunner().invoke(app, asked)
    assert result.exit_code == 0, result.output
    assert "step 1, q " in result.output
    assert solution in result.output.splitlines()


def test_llm_shown_for_want_of_a_certificate_is_explained(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    grid = json.dumps({"grid": "123456" * 6})
    with serving([completion(grid)]) as server:
        monkeypatch.setenv("OPENAI_BASE_URL", server.url)
        monkeypatch.setenv("TRIMTAB_LLM_MODEL", "gpt-4o-mini-2024-07-18")
        monkeypatch.setenv("TRIMTAB_LEDGER", str(tmp_path / "ledger.sqlite"))
        monkeypatch.setenv("TRIMTAB_CERTIFICATES", str(tmp_path / "certificates"))
        puzzle = "4..2....3..1....2..1...6..2.5..6...."
        result = CliRunner().invoke(app, ["decide", puzzle, "--domain", "sudoku6"])
    assert result.exit_code == 0, result.output
    assert "123456" * 6 in result.output.splitlines()
    assert "No promise is certified here yet" in result.output
