"""What happens inside one transaction: a group of rows is chained and written, or none of it.

A group takes a handful of statements however many rows it holds. Each statement gives up the
interpreter lock and must win it back, which costs 5 ms beside a busy Python thread; one statement
per row would hold the writer to 200 rows a second.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from trimtab.errors import LedgerError, LedgerTooNew
from trimtab.ledger.connection import user_version
from trimtab.ledger.rows import Entry
from trimtab.ledger.schema import GENESIS, VERSION, chain_hash

_CHUNKS = (128, 64, 32, 16, 8, 4, 2, 1)  # rows per insert; 128 * 7 values stay below 999
_ENTRY = "INSERT INTO entries (row, kind, decision_id, domain, body, text_hash, hash) VALUES "
_TEXT = "INSERT INTO texts (row, salt, text) VALUES "


def commit_group(
    connection: sqlite3.Connection, path: Path, entries: Sequence[Entry]
) -> list[int | LedgerError]:
    """Write a group durably and return, for each entry, its row number or why it was refused.

    A refused entry leaves no trace and does not disturb the others. If this raises, nothing of
    the group was written.
    """
    with _transaction(connection, path):
        tail = _Tail(connection)
        known = _known_decisions(connection, entries)
        fresh: dict[str, Entry] = {}
        results: list[int | LedgerError] = []
        for entry in entries:
            row = known.get(entry.decision_id)
            if entry.kind == "decision" and row is not None:
                before = fresh.get(entry.decision_id)
                same = (
                    _stored_alike(connection, row, entry)
                    if before is None
                    else (before.domain, before.body, before.text)
                    == (entry.domain, entry.body, entry.text)
                )
                results.append(row if same else _used(entry, row))
            elif entry.kind == "outcome" and row is None:
                results.append(_unknown(entry.decision_id))
            else:
                place = tail.add(entry)
                if entry.kind == "decision":
                    known[entry.decision_id] = place
                    fresh[entry.decision_id] = entry
                results.append(place)
        tail.write()
    return results


def commit_redaction(connection: sqlite3.Connection, path: Path, entry: Entry) -> int:
    """Record a redaction, delete the texts of its decision and return the row of the record.

    A decision that holds no text any more is not recorded again.

    Raises:
        LedgerError: no such decision; or the texts are gone from the tables, but another
            process's reader keeps the write-ahead log, which still holds them.
    """
    with _transaction(connection, path):
        if entry.decision_id not in _known_decisions(connection, (entry,)):
            raise _unknown(entry.decision_id)
        if connection.execute(_HAS_TEXT, (entry.decision_id,) * 2).fetchone():
            tail = _Tail(connection)
            row = tail.add(entry)
            tail.write()
            for kind in ("decision", "outcome"):
                connection.execute(_DELETE_TEXTS[kind], (entry.decision_id,))
        else:
            row = connection.execute(_LAST_REDACTION, (entry.decision_id,)).fetchone()[0]
    busy = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]
    if busy:
        raise LedgerError(
            f"ledger {path}: decision {entry.decision_id!r} is redacted (row {row}), but a reader "
            f"keeps the log {path.name}-wal, which holds its text; end other readers and redact "
            "once more"
        )
    return int(row)


_HAS_TEXT = """
    SELECT 1 FROM texts WHERE row IN (
        SELECT row FROM entries WHERE kind = 'decision' AND decision_id = ?
        UNION ALL
        SELECT row FROM entries WHERE kind = 'outcome' AND decision_id = ?
    ) LIMIT 1
"""
_LAST_REDACTION = "SELECT max(row) FROM entries WHERE kind = 'redaction' AND decision_id = ?"
# The kind is written out so that SQLite may use the partial index.
_DELETE_TEXTS = {
    "decision": "DELETE FROM texts WHERE row IN "
    "(SELECT row FROM entries WHERE kind = 'decision' AND decision_id = ?)",
    "outcome": "DELETE FROM texts WHERE row IN "
    "(SELECT row FROM entries WHERE kind = 'outcome' AND decision_id = ?)",
}
_KNOWN = """
    SELECT json_group_array(json_array(decision_id, row)) FROM entries
    WHERE kind = 'decision' AND decision_id IN (SELECT value FROM json_each(?))
"""
_STORED = """
    SELECT entries.domain, entries.body, texts.text FROM entries LEFT JOIN texts USING (row)
    WHERE entries.row = ?
"""


class _Tail:
    """The end of the chain within one transaction, and the rows to be written there."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        last = connection.execute(
            "SELECT row, hash FROM entries ORDER BY row DESC LIMIT 1"
        ).fetchone()
        self._row: int = 0 if last is None else last[0]
        self._hash: bytes = GENESIS if last is None else last[1]
        self._entries: list[tuple[Any, ...]] = []
        self._texts: list[tuple[Any, ...]] = []

    def add(self, entry: Entry) -> int:
        """Chain an entry and return its row number."""
        self._row += 1
        self._hash = chain_hash(
            self._hash,
            row=self._row,
            kind=entry.kind,
            decision_id=entry.decision_id,
            domain=entry.domain,
            body=entry.body,
            text_hash=entry.text_hash,
        )
        self._entries.append(
            (
                self._row,
                entry.kind,
                entry.decision_id,
                entry.domain,
                entry.body,
                entry.text_hash,
                self._hash,
            )
        )
        if entry.text is not None:
            self._texts.append((self._row, entry.salt, entry.text))
        return self._row

    def write(self) -> None:
        """Insert all that was added."""
        _insert(self._connection, _ENTRY, self._entries)
        _insert(self._connection, _TEXT, self._texts)


@contextmanager
def _transaction(connection: sqlite3.Connection, path: Path) -> Iterator[None]:
    # IMMEDIATE: the last hash must be read under the write lock, or two processes would fork it.
    connection.execute("BEGIN IMMEDIATE")
    try:
        version = user_version(connection)
        if version != VERSION:
            raise LedgerTooNew(
                f"ledger {path} was brought to format {version} by another trimtab while it was "
                f"open here with format {VERSION}; upgrade trimtab and start again"
            )
        yield
        connection.execute("COMMIT")
    finally:
        if connection.in_transaction:
            connection.execute("ROLLBACK")


def _insert(connection: sqlite3.Connection, head: str, rows: list[tuple[Any, ...]]) -> None:
    start = 0
    for size in _CHUNKS:
        while len(rows) - start >= size:
            chunk = rows[start : start + size]
            marks = "(" + ",".join("?" * len(chunk[0])) + ")"
            values = [value for row in chunk for value in row]
            connection.execute(head + ",".join([marks] * size), values)
            start += size


def _known_decisions(connection: sqlite3.Connection, entries: Sequence[Entry]) -> dict[str, int]:
    ids = json.dumps(list({entry.decision_id: None for entry in entries}))
    found: str = connection.execute(_KNOWN, (ids,)).fetchone()[0]
    return dict(json.loads(found))


def _stored_alike(connection: sqlite3.Connection, row: int, entry: Entry) -> bool:
    domain, body, text = connection.execute(_STORED, (row,)).fetchone()
    # A redacted text can no longer be compared; it stays redacted.
    return (domain, body) == (entry.domain, entry.body) and text in (None, entry.text)


def _used(entry: Entry, row: int) -> LedgerError:
    return LedgerError(
        f"decision {entry.decision_id!r} is row {row} with other content; "
        "a decision is never changed: give the new one an id of its own"
    )


def _unknown(decision_id: str) -> LedgerError:
    return LedgerError(f"decision {decision_id!r} is not in the ledger; append the decision first")
