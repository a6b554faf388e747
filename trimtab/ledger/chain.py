"""Checking a ledger: every row follows from the one before it, and every text from its hash."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from trimtab.errors import LedgerCorrupt
from trimtab.ledger.schema import GENESIS, TRIGGERS, chain_hash, text_digest


def verify_chain(connection: sqlite3.Connection, path: Path) -> int:
    """Return the number of rows after checking all of them as they stand at one moment.

    Raises:
        LedgerCorrupt: names the first bad row, or the guard that is missing.
    """
    connection.execute("BEGIN")
    try:
        rows = _walk(connection, path)
        _check_guards(connection, path, rows=rows)
    finally:
        connection.execute("ROLLBACK")
    return rows


_WALK = """
    SELECT e.row, e.kind, e.decision_id, e.domain, e.body, e.text_hash, e.hash, t.salt, t.text,
           e.text_hash IS NOT NULL AND t.row IS NULL AND NOT EXISTS (
               SELECT 1 FROM entries AS mark WHERE mark.kind = 'redaction'
               AND mark.decision_id = e.decision_id AND mark.row > e.row
           )
    FROM entries AS e NOT INDEXED LEFT JOIN texts AS t ON t.row = e.row ORDER BY e.row
"""


def _walk(connection: sqlite3.Connection, path: Path) -> int:
    head, rows = GENESIS, 0
    for found in connection.execute(_WALK):
        row, kind, decision_id, domain, body, text_hash, stored, salt, text, lost = found
        if row != rows + 1:
            raise _corrupt(path, rows + 1, "is missing")
        head = chain_hash(
            head,
            row=row,
            kind=kind,
            decision_id=decision_id,
            domain=domain,
            body=body,
            text_hash=text_hash,
        )
        if head != stored:
            raise _corrupt(path, row, f"({kind} of {decision_id!r}) does not match its hash")
        if lost:
            raise _corrupt(path, row, "has lost its text without a recorded redaction")
        if text is not None and (text_hash is None or text_digest(salt, text) != text_hash):
            raise _corrupt(path, row, f"({kind} of {decision_id!r}) has another text")
        rows = row
    return rows


def _check_guards(connection: sqlite3.Connection, path: Path, *, rows: int) -> None:
    (last,) = connection.execute(
        "SELECT coalesce(max(seq), 0) FROM sqlite_sequence WHERE name = 'entries'"
    ).fetchone()
    if last != rows:
        raise _corrupt(path, rows + 1, f"is missing: {last} rows were written")
    stray = connection.execute(
        "SELECT row FROM texts WHERE row NOT IN (SELECT row FROM entries) LIMIT 1"
    ).fetchone()
    if stray is not None:
        raise _corrupt(path, stray[0], "has a text but no entry")
    found = {
        name
        for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type='trigger'")
    }
    for trigger in TRIGGERS:
        if trigger not in found:
            raise LedgerCorrupt(
                f"ledger {path}: trigger {trigger} is missing, so rows could be changed; "
                "restore a backup, or compare with the last export"
            )
    (report,) = connection.execute("PRAGMA integrity_check(1)").fetchone()
    if report != "ok":
        raise LedgerCorrupt(f"ledger {path}: {report}; restore a backup")


def _corrupt(path: Path, row: int, what: str) -> LedgerCorrupt:
    return LedgerCorrupt(
        f"ledger {path}: row {row} {what}; rows before it verify: restore a backup, or compare "
        "with the last export"
    )
