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
from typing import Any, Literal

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
        group = _Group(connection, entries)
        results = [group.place(entry) for entry in entries]
        group.write()
    return results


def commit_redaction(connection: sqlite3.Connection, path: Path, entry: Entry) -> int:
    """Record a redaction, delete the texts of its decision and return the row of the record.

    A decision that holds no text any more is not recorded again.

    Raises:
        LedgerError: no such decision; or the texts are gone from the tables, but another
            process's reader keeps the write-ahead log, which still holds them.
    """
    with _transaction(connection, path):
        if entry.decision_id not in _known(connection, "decision", (entry,)):
            raise _unknown(entry.decision_id)
        if connection.execute(_HAS_TEXT, (entry.decision_id,) * len(_DELETE_TEXTS)).fetchone():
            tail = _Tail(connection)
            row = tail.add(entry)
            tail.write()
            for delete in _DELETE_TEXTS:
                connection.execute(delete, (entry.decision_id,))
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
        UNION ALL
        SELECT row FROM entries WHERE kind = 'audit' AND decision_id = ?
    ) LIMIT 1
"""
_LAST_REDACTION = "SELECT max(row) FROM entries WHERE kind = 'redaction' AND decision_id = ?"
# The kind is written out so that SQLite may use the partial index.
_DELETE_TEXTS = (
    "DELETE FROM texts WHERE row IN "
    "(SELECT row FROM entries WHERE kind = 'decision' AND decision_id = ?)",
    "DELETE FROM texts WHERE row IN "
    "(SELECT row FROM entries WHERE kind = 'outcome' AND decision_id = ?)",
    "DELETE FROM texts WHERE row IN "
    "(SELECT row FROM entries WHERE kind = 'audit' AND decision_id = ?)",
)
_KNOWN = {
    "decision": """
        SELECT json_group_array(json_array(decision_id, row)) FROM entries
        WHERE kind = 'decision' AND decision_id IN (SELECT value FROM json_each(?))
    """,
    "audit": """
        SELECT json_group_array(json_array(decision_id, row)) FROM entries
        WHERE kind = 'audit' AND decision_id IN (SELECT value FROM json_each(?))
    """,
}
_DRAWN = """
    SELECT json_group_array(json_array(decision_id, row)) FROM entries
    WHERE kind = 'decision' AND decision_id IN (SELECT value FROM json_each(?))
    AND json_extract(body, '$.audit')
"""
_STORED = """
    SELECT entries.domain, entries.body, texts.text FROM entries LEFT JOIN texts USING (row)
    WHERE entries.row = ?
"""


class _Group:
    """The rows of one transaction: each gets its place at the end of the chain, or is refused."""

    def __init__(self, connection: sqlite3.Connection, entries: Sequence[Entry]) -> None:
        self._connection = connection
        self._tail = _Tail(connection)
        # Looked up only where the group holds audits: most groups hold none.
        audits = [entry for entry in entries if entry.kind == "audit"]
        self._decisions = _known(connection, "decision", entries)
        self._audits = _known(connection, "audit", audits) if audits else {}
        self._drawn = _listed(connection, _DRAWN, audits) if audits else {}
        self._fresh: dict[int, Entry] = {}

    def place(self, entry: Entry) -> int | LedgerError:
        """Return the row number of an entry, or why it may not have one."""
        decision = self._decisions.get(entry.decision_id)
        if entry.kind == "decision":
            return self._place_once(entry, self._decisions)
        if decision is None:
            return _unknown(entry.decision_id)
        if entry.kind == "outcome":
            return self._tail.add(entry)
        if not self._is_drawn(entry.decision_id, decision):
            return _not_drawn(entry.decision_id, decision)
        return self._place_once(entry, self._audits)

    def write(self) -> None:
        """Insert all that was placed."""
        self._tail.write()

    def _place_once(self, entry: Entry, known: dict[str, int]) -> int | LedgerError:
        row = known.get(entry.decision_id)
        if row is None:
            row = known[entry.decision_id] = self._tail.add(entry)
            self._fresh[row] = entry
            return row
        before = self._fresh.get(row)
        same = (
            _stored_alike(self._connection, row, entry)
            if before is None
            else (before.domain, before.body, before.text) == (entry.domain, entry.body, entry.text)
        )
        return row if same else _used(entry, row)

    def _is_drawn(self, decision_id: str, row: int) -> bool:
        fresh = self._fresh.get(row)
        if fresh is None:
            return decision_id in self._drawn
        drawn: bool = json.loads(fresh.body)["audit"]
        return drawn


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


def _known(
    connection: sqlite3.Connection, kind: Literal["decision", "audit"], entries: Sequence[Entry]
) -> dict[str, int]:
    return _listed(connection, _KNOWN[kind], entries)


def _listed(
    connection: sqlite3.Connection, statement: str, entries: Sequence[Entry]
) -> dict[str, int]:
    ids = json.dumps(list({entry.decision_id: None for entry in entries}))
    found: str = connection.execute(statement, (ids,)).fetchone()[0]
    return dict(json.loads(found))


def _stored_alike(connection: sqlite3.Connection, row: int, entry: Entry) -> bool:
    domain, body, text = connection.execute(_STORED, (row,)).fetchone()
    # A redacted text can no longer be compared; it stays redacted.
    return (domain, body) == (entry.domain, entry.body) and text in (None, entry.text)


def _used(entry: Entry, row: int) -> LedgerError:
    if entry.kind == "audit":
        return LedgerError(
            f"audit of decision {entry.decision_id!r} is row {row} with another answer; "
            "a decision is audited once: keep the first answer"
        )
    return LedgerError(
        f"decision {entry.decision_id!r} is row {row} with other content; "
        "a decision is never changed: give the new one an id of its own"
    )


def _not_drawn(decision_id: str, row: int) -> LedgerError:
    return LedgerError(
        f"decision {decision_id!r} (row {row}) has audit=False: it was not drawn for an audit; "
        "audit only what the rule admitted with audit=True"
    )


def _unknown(decision_id: str) -> LedgerError:
    return LedgerError(f"decision {decision_id!r} is not in the ledger; append the decision first")
