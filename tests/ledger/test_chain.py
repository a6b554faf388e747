from __future__ import annotations

import dataclasses
import json
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from tests.contracts.ledger import make_audit, make_decision, make_outcome, with_audit
from trimtab.errors import LedgerCorrupt, LedgerError
from trimtab.ledger import REDACTED, SqliteLedger
from trimtab.ledger.connection import connect
from trimtab.ledger.schema import TRIGGERS
from trimtab.records import Prediction, decision_from_json, prediction_from_json


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A ledger of five decisions (rows 1 to 5) and an outcome (row 6)."""
    path = tmp_path / "ledger.sqlite"
    with SqliteLedger(path) as ledger:
        for name in "abcde":
            ledger.append(make_decision(name))
        ledger.resolve(make_outcome("b"))
    return path


@pytest.fixture
def audited(tmp_path: Path) -> Path:
    """A ledger of an audited decision (row 1), another (row 2) and the audit (row 3)."""
    path = tmp_path / "audited.sqlite"
    with SqliteLedger(path) as ledger:
        ledger.append(make_decision("a", audit=True))
        ledger.append(make_decision("b", audit=True))
        ledger.audit("a", make_audit(action="freely said"))
    return path


def tamper(path: Path, *statements: str) -> None:
    """Change a ledger behind its back; the guards are put back where they stood."""
    with closing(sqlite3.connect(path, isolation_level=None)) as raw:
        guards = raw.execute(
            "SELECT name, sql FROM sqlite_master WHERE type = 'trigger'"
        ).fetchall()
        for name, _ in guards:
            raw.execute(f"DROP TRIGGER {name}")
        for statement in statements:
            raw.execute(statement)
        for _, sql in guards:
            raw.execute(sql)


@pytest.mark.parametrize(
    ("statement", "row"),
    [
        ("UPDATE entries SET body = replace(body, '0.9', '0.8') WHERE row = 3", 3),
        ("UPDATE entries SET decision_id = 'x' WHERE row = 4", 4),
        ("UPDATE entries SET domain = 'x' WHERE row = 1", 1),
        ("UPDATE entries SET kind = 'redaction' WHERE row = 6", 6),
        ("UPDATE entries SET hash = zeroblob(32) WHERE row = 2", 2),
        ("UPDATE entries SET text_hash = NULL WHERE row = 2", 2),
        ("DELETE FROM entries WHERE row = 3", 3),
        ("DELETE FROM entries WHERE row = 1", 1),
        ("DELETE FROM entries WHERE row = 6", 6),
        ('UPDATE texts SET text = \'{"state":"another"}\' WHERE row = 5', 5),
        ("UPDATE texts SET salt = zeroblob(16) WHERE row = 5", 5),
        ("DELETE FROM texts WHERE row = 2", 2),
        ("INSERT INTO texts VALUES (9, zeroblob(16), '')", 9),
        (
            "INSERT INTO entries SELECT 7, 'outcome', 'a', '', body, NULL, hash "
            "FROM entries WHERE row = 6",
            7,
        ),
    ],
)
def test_tampering_is_found_and_named_by_row(path: Path, statement: str, row: int) -> None:
    tamper(path, statement)
    with SqliteLedger(path) as ledger, pytest.raises(LedgerCorrupt, match=rf"row {row}\b"):
        ledger.verify()


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE entries SET body = replace(body, '0.0001', '0.0002') WHERE row = 3",
        "UPDATE entries SET decision_id = 'b' WHERE row = 3",
        "UPDATE entries SET kind = 'outcome' WHERE row = 3",
        "DELETE FROM entries WHERE row = 3",
        'UPDATE texts SET text = \'{"action":"never said"}\' WHERE row = 3',
        "DELETE FROM texts WHERE row = 3",
    ],
)
def test_tampering_with_an_audit_is_found(audited: Path, statement: str) -> None:
    tamper(audited, statement)
    with SqliteLedger(audited) as ledger, pytest.raises(LedgerCorrupt, match=r"row 3\b"):
        ledger.verify()


def test_second_audit_of_a_decision_cannot_be_slipped_in(audited: Path) -> None:
    second = (
        "INSERT INTO entries SELECT 4, kind, decision_id, domain, body, text_hash, hash "
        "FROM entries WHERE row = 3"
    )
    with pytest.raises(sqlite3.IntegrityError, match="UNIQUE"):
        tamper(audited, second)


def test_first_of_several_bad_rows_is_named(path: Path) -> None:
    tamper(path, "UPDATE entries SET domain = 'x' WHERE row IN (2, 4)")
    with SqliteLedger(path) as ledger, pytest.raises(LedgerCorrupt, match="row 2 "):
        ledger.verify()


@pytest.mark.parametrize("trigger", TRIGGERS)
def test_missing_guard_is_found(path: Path, trigger: str) -> None:
    with closing(sqlite3.connect(path)) as raw:
        raw.execute(f"DROP TRIGGER {trigger}")
    with SqliteLedger(path) as ledger, pytest.raises(LedgerCorrupt, match=trigger):
        ledger.verify()


def test_damaged_pages_are_corruption_and_name_the_remedy(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[4096:] = b"\xff" * (len(content) - 4096)
    path.write_bytes(content)
    with SqliteLedger(path) as ledger, pytest.raises(LedgerCorrupt, match="backup"):
        ledger.verify()


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE entries SET domain = 'x'",
        "DELETE FROM entries WHERE row = 6",
        "UPDATE texts SET text = ''",
        "DELETE FROM texts WHERE row = 1",
    ],
)
def test_rows_can_be_neither_changed_nor_deleted(path: Path, statement: str) -> None:
    with (
        closing(sqlite3.connect(path)) as raw,
        pytest.raises(sqlite3.IntegrityError, match=r"append-only|texts|redaction"),
    ):
        raw.execute(statement)


def test_body_that_is_no_audit_is_named_when_read(audited: Path) -> None:
    tamper(audited, "UPDATE entries SET body = '{}' WHERE row = 3")
    with SqliteLedger(audited) as ledger, pytest.raises(LedgerCorrupt, match=r"row 3 .*an audit"):
        ledger.get("a")


def test_body_that_is_no_decision_is_named_when_read(path: Path) -> None:
    tamper(path, "UPDATE entries SET body = '[]' WHERE row = 3")
    with SqliteLedger(path) as ledger, pytest.raises(LedgerCorrupt, match="row 3 "):
        list(ledger.scan())


def test_head_stands_for_all_rows(path: Path) -> None:
    with SqliteLedger(path) as ledger:
        before = ledger.head()
        ledger.append(make_decision("f")).result()
        assert ledger.head() != before
        assert ledger.verify() == 7


def test_head_of_an_empty_ledger_is_the_origin(tmp_path: Path) -> None:
    with SqliteLedger(tmp_path / "ledger.sqlite") as ledger:
        assert ledger.head() == "0" * 64
        assert ledger.verify() == 0


# --- redaction --------------------------------------------------------------------------------


def test_redacted_text_is_gone_and_the_rest_stays(path: Path) -> None:
    with SqliteLedger(path) as ledger:
        assert ledger.redact("b") == 7
        rows = {decision.decision_id: (decision, outcome) for decision, outcome in ledger.scan()}
        assert rows["b"] == (
            make_decision("b", state=REDACTED),
            make_outcome("b", reference=None),
        )
        assert rows["a"] == (make_decision("a"), None)
        assert ledger.verify() == 7


def test_complete_answers_are_redacted_too(tmp_path: Path) -> None:
    written = make_decision(action="my secret", answer="my secret")
    with SqliteLedger(tmp_path / "ledger.sqlite") as ledger:
        ledger.append(written)
        ledger.redact("a")
        read = ledger.get("a")
        assert (read.action, read.answer, read.state) == (REDACTED, REDACTED, REDACTED)
        assert read.predictions == written.predictions


def test_trace_that_spells_the_text_is_redacted_too(tmp_path: Path) -> None:
    secret = {"grids": ["the word nobody may read"]}
    traced = Prediction(agent="trm", action=0, confidence=0.5, trace=secret)
    written = make_decision("a")
    written = dataclasses.replace(written, predictions=(traced, *written.predictions))
    with SqliteLedger(tmp_path / "ledger.sqlite") as ledger:
        ledger.append(written)
        ledger.flush()
        assert ledger.get("a") == written
        ledger.redact("a")
        assert ledger.get("a").predictions[0] == dataclasses.replace(traced, trace={})
        for file in tmp_path.iterdir():
            assert b"nobody may read" not in file.read_bytes(), file


@pytest.mark.parametrize("length", [1, 3_000])
def test_redacted_bytes_are_in_no_file(tmp_path: Path, length: int) -> None:
    path = tmp_path / "ledger.sqlite"
    secret = "the word nobody may read; " * length
    with SqliteLedger(path) as ledger:
        ledger.append(make_decision("before"))
        ledger.append(make_decision("a", state=secret, audit=True))
        ledger.resolve(make_outcome("a", reference=secret[:26]))
        ledger.audit("a", make_audit(action=secret))
        ledger.flush()
        held = b"".join(file.read_bytes() for file in tmp_path.iterdir())
        assert b"nobody may read" in held
        ledger.redact("a")
        for file in tmp_path.iterdir():
            assert b"nobody may read" not in file.read_bytes(), file


def test_redacting_twice_is_recorded_once(path: Path) -> None:
    with SqliteLedger(path) as ledger:
        assert ledger.redact("b") == ledger.redact("b") == 7


def test_redacted_audit_keeps_all_but_its_words(audited: Path) -> None:
    with SqliteLedger(audited) as ledger:
        assert ledger.redact("a") == 4
        expected = with_audit(
            make_decision("a", state=REDACTED, audit=True), make_audit(action=REDACTED)
        )
        assert ledger.get("a") == expected
        assert ledger.audit("a", make_audit(action="freely said")).result() == 3
        assert ledger.get("a") == expected
        assert ledger.redact("a") == 4
        assert ledger.verify() == 4


def test_audit_that_came_after_a_redaction_is_redacted_again(audited: Path) -> None:
    with SqliteLedger(audited) as ledger:
        ledger.redact("b")
        ledger.audit("b", make_audit(action="said later"))
        assert ledger.redact("b") == 6
        assert ledger.get("b").predictions[-1] == make_audit(action=REDACTED)
        assert ledger.verify() == 6


def test_text_that_came_after_a_redaction_is_redacted_again(path: Path) -> None:
    with SqliteLedger(path) as ledger:
        ledger.redact("b")
        ledger.resolve(make_outcome("b", reference="said later"))
        assert ledger.redact("b") == 9
        assert [o for d, o in ledger.scan() if d.decision_id == "b"] == [
            make_outcome("b", reference=None)
        ]
        assert ledger.verify() == 9


def test_appending_a_redacted_decision_again_does_not_bring_its_text_back(path: Path) -> None:
    with SqliteLedger(path) as ledger:
        ledger.redact("b")
        assert ledger.append(make_decision("b")).result() == 2
        assert ledger.get("b").state == REDACTED


def test_redacting_an_unknown_decision_is_refused(path: Path) -> None:
    with SqliteLedger(path) as ledger:
        with pytest.raises(LedgerError, match="'nobody'"):
            ledger.redact("nobody")
        assert ledger.verify() == 6


def test_redaction_waits_for_its_queued_decision(path: Path) -> None:
    with SqliteLedger(path) as ledger:
        ledger.append(make_decision("new"))
        ledger.redact("new")
        assert ledger.get("new").state == REDACTED


def test_unrecorded_deletion_after_a_redaction_is_still_found(path: Path) -> None:
    with SqliteLedger(path) as ledger:
        ledger.redact("b")
        ledger.resolve(make_outcome("b", reference="said later"))
    tamper(path, "DELETE FROM texts WHERE row = 8")
    with SqliteLedger(path) as ledger, pytest.raises(LedgerCorrupt, match="row 8 "):
        ledger.verify()


def test_idle_readers_elsewhere_do_not_hinder_a_redaction(path: Path) -> None:
    with SqliteLedger(path) as other, SqliteLedger(path) as ledger:
        pages = other.scan()
        next(pages)
        other.get("b")
        ledger.redact("b")
        assert other.get("b").state == REDACTED


def test_reader_that_keeps_the_log_is_reported(path: Path) -> None:
    def impatient(path: Path) -> sqlite3.Connection:
        connection = connect(path)
        connection.execute("PRAGMA busy_timeout=0")
        return connection

    with SqliteLedger(path, connect=impatient) as ledger:
        ledger.append(make_decision("new")).result()
        with closing(sqlite3.connect(path, isolation_level=None)) as other:
            other.execute("BEGIN")
            other.execute("SELECT * FROM texts").fetchone()
            with pytest.raises(LedgerError, match="keeps the log"):
                ledger.redact("new")
            other.execute("ROLLBACK")
        assert ledger.redact("new") == 8
        assert ledger.verify() == 8


# --- export -----------------------------------------------------------------------------------


def test_export_writes_one_line_a_row_in_order(path: Path, tmp_path: Path) -> None:
    with SqliteLedger(path) as ledger:
        ledger.redact("e")
        assert ledger.export(tmp_path / "rows.jsonl") == 7
        head = ledger.head()
    lines = [json.loads(line) for line in (tmp_path / "rows.jsonl").read_text().splitlines()]
    assert [line["row"] for line in lines] == list(range(1, 8))
    assert [line["kind"] for line in lines] == ["decision"] * 5 + ["outcome", "redaction"]
    assert lines[0]["decision"]["state"] == "what colour is a?"
    assert lines[4]["decision"]["state"] == REDACTED
    assert lines[5]["outcome"] == {
        "decision_id": "b",
        "reference": "blue",
        "reward": 1.0,
        "source": "user",
    }
    assert lines[6]["hash"] == head


def test_export_gives_an_audit_a_line_of_its_own(audited: Path, tmp_path: Path) -> None:
    with SqliteLedger(audited) as ledger:
        ledger.export(tmp_path / "rows.jsonl")
    lines = [json.loads(line) for line in (tmp_path / "rows.jsonl").read_text().splitlines()]
    assert [line["kind"] for line in lines] == ["decision", "decision", "audit"]
    assert decision_from_json(lines[0]["decision"]) == make_decision("a", audit=True)
    assert lines[2]["audit"]["decision_id"] == "a"
    answer = prediction_from_json(lines[2]["audit"]["prediction"])
    assert answer == make_audit(action="freely said")


def test_export_does_not_overwrite(path: Path, tmp_path: Path) -> None:
    (tmp_path / "rows.jsonl").write_text("mine")
    with SqliteLedger(path) as ledger, pytest.raises(LedgerError, match=r"rows\.jsonl exists"):
        ledger.export(tmp_path / "rows.jsonl")


def test_export_where_nothing_can_be_written_or_removed_says_so(path: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")
    with (
        SqliteLedger(path, create=False) as ledger,
        pytest.raises(LedgerError, match=r"rows\.jsonl cannot be written .*check its folder"),
    ):
        ledger.export(tmp_path / "file" / "rows.jsonl")


def test_export_into_a_missing_folder_names_it(path: Path, tmp_path: Path) -> None:
    with SqliteLedger(path) as ledger, pytest.raises(LedgerError, match="absent"):
        ledger.export(tmp_path / "absent" / "rows.jsonl")
