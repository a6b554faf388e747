from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from tests.contracts.ledger import make_audit, make_decision, make_outcome
from trimtab.cli.ledger import ledger_app
from trimtab.errors import LedgerError
from trimtab.ledger import SqliteLedger


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "ledger.sqlite"
    with SqliteLedger(path) as ledger:
        ledger.append(make_decision("a"))
        ledger.resolve(make_outcome("a"))
    return path


def call(*arguments: str | Path) -> Result:
    return CliRunner().invoke(ledger_app, [str(argument) for argument in arguments])


def last_line(result: Result) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(result.stdout.splitlines()[-1])
    return document


def test_verify_prints_rows_and_head(path: Path) -> None:
    document = last_line(call("verify", "--path", path, "--json"))
    with SqliteLedger(path) as ledger:
        assert document == {
            "schema": "trimtab.ledger/1",
            "path": str(path),
            "rows": 2,
            "head": ledger.head(),
        }


def test_verify_speaks_to_people_on_stderr(path: Path) -> None:
    result = call("verify", "--path", path)
    assert result.stdout == ""
    assert "2 rows verify" in result.stderr


def test_verify_reads_the_ledger_of_the_settings(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TRIMTAB_LEDGER", str(path))
    assert last_line(call("verify", "--json"))["path"] == str(path)


@pytest.mark.parametrize("command", [["verify"], ["export"], ["redact", "a"]])
def test_missing_ledger_is_an_error_and_not_made(tmp_path: Path, command: list[str]) -> None:
    result = call(*command, "--path", tmp_path / "absent.sqlite")
    assert isinstance(result.exception, LedgerError)
    assert "absent.sqlite does not exist" in str(result.exception)
    assert list(tmp_path.iterdir()) == []


def test_export_writes_lines_to_standard_output(path: Path) -> None:
    result = call("export", "--path", path)
    kinds = [json.loads(line)["kind"] for line in result.stdout.splitlines()]
    assert kinds == ["decision", "outcome"]


def test_audits_are_exported_and_redacted(path: Path) -> None:
    with SqliteLedger(path) as ledger:
        ledger.append(make_decision("b", audit=True))
        ledger.audit("b", make_audit(action="said freely"))
    assert "said freely" in call("export", "--path", path).stdout
    assert last_line(call("redact", "b", "--path", path, "--json"))["row"] == 5
    assert "said freely" not in call("export", "--path", path).stdout
    assert last_line(call("verify", "--path", path, "--json"))["rows"] == 5


def test_export_writes_a_file(path: Path, tmp_path: Path) -> None:
    target = tmp_path / "rows.jsonl"
    document = last_line(call("export", target, "--path", path, "--json"))
    assert (document["rows"], document["file"]) == (2, str(target))
    assert len(target.read_text().splitlines()) == 2


def test_redact_deletes_and_the_chain_verifies(path: Path) -> None:
    document = last_line(call("redact", "a", "--path", path, "--json"))
    assert (document["decision_id"], document["row"]) == ("a", 3)
    assert last_line(call("verify", "--path", path, "--json"))["rows"] == 3
    with SqliteLedger(path) as ledger:
        assert ledger.get("a").state == ""
