"""The ledger in one SQLite file: many callers, many readers, several processes."""

from __future__ import annotations

import sqlite3
import threading
import weakref
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TextIO

from trimtab.errors import LedgerError
from trimtab.ledger import connection as opening
from trimtab.ledger.chain import verify_chain
from trimtab.ledger.export import export_rows
from trimtab.ledger.rows import RandomSalt, read_audit, read_decision, read_outcome
from trimtab.ledger.schema import GENESIS
from trimtab.ledger.writer import Audit, Barrier, Payload, Redaction, Writer
from trimtab.records import Decision, Outcome, Prediction

_PAGE = 500  # rows read at once; no read lock is held between pages


def _utc_now() -> datetime:
    return datetime.now(UTC)


class SqliteLedger:
    """Append-only store of decisions and outcomes in one file.

    Rows of all kinds share one numbering, which rises without gaps in the chain but leaves gaps
    between decisions. :meth:`append` hands the decision to the writer thread and returns at once;
    a future is done when its row is synced to disk. A decision's text can be deleted with
    :meth:`redact`; it then reads as ``REDACTED``, the empty text.

    Every method may be called from any thread, and several processes may open the same file on a
    local disk. A ledger does not survive ``os.fork``: open it in the child.
    """

    def __init__(
        self,
        path: Path,
        *,
        create: bool = True,
        salt: Callable[[], bytes] | None = None,
        now: Callable[[], datetime] = _utc_now,
        connect: Callable[[Path], sqlite3.Connection] = opening.connect,
    ) -> None:
        """Open the ledger, or create it in an existing folder.

        Args:
            path: the file; its ``-wal`` and ``-shm`` files lie beside it while it is open.
            create: whether a missing file is made; otherwise it is an error.
            salt: draws the bytes hashed with a text, on the writer's thread; give a counted source
                for equal files; the system's random source if None.
            now: the clock that dates redactions, aware UTC.
            connect: opens a connection; give one with a quota to limit the file.

        Raises:
            LedgerError: the folder is missing, or the file cannot be used; names the remedy.
            LedgerTooNew: a newer trimtab wrote the file; nothing was touched.
        """
        self.path = path
        self._connect = connect
        opening.inspect(path, create=create)
        self._writer = Writer(path, salt=salt or RandomSalt(), now=now, connect=connect)
        self._closed = False
        self._idle_readers: list[sqlite3.Connection] = []
        self._lock = threading.Lock()
        # A ledger that is dropped without close() lets its thread end and its rows be written.
        self._finalizer = weakref.finalize(self, self._writer.request_stop)
        self._finalizer.atexit = False

    @property
    def queued(self) -> int:
        """Return how many rows wait to be taken by the writer."""
        return self._writer.queued

    def append(self, decision: Decision) -> Future[int]:
        """Queue a decision; the future gives its row number."""
        if not isinstance(decision, Decision):
            raise LedgerError(f"append takes a Decision, not {type(decision).__name__}")
        return self._writer.submit(decision)

    def resolve(self, outcome: Outcome) -> Future[int]:
        """Queue an outcome; the future fails with ``LedgerError`` for an unknown decision."""
        if not isinstance(outcome, Outcome):
            raise LedgerError(f"resolve takes an Outcome, not {type(outcome).__name__}")
        return self._writer.submit(outcome)

    def audit(self, decision_id: str, prediction: Prediction) -> Future[int]:
        """Queue the LLM's answer to an audited decision, asked off the caller's path.

        The future fails with ``LedgerError`` for an unknown decision, one with ``audit`` False,
        and an answer other than the one stored. The decision's row stays as it is; :meth:`scan`
        and :meth:`get` add the answer to its ``predictions`` and its ``usage``.
        """
        if not isinstance(prediction, Prediction):
            raise LedgerError(f"audit takes a Prediction, not {type(prediction).__name__}")
        return self._writer.submit(Audit(decision_id, prediction))

    def flush(self) -> None:
        """Return once all that was queued before is durable.

        Raises:
            LedgerError: what the first failed write raised whose future nobody has asked.
        """
        self._wait_for(Barrier())

    def redact(self, decision_id: str) -> int:
        """Delete the text of a decision, its outcomes and its audit; return the row of the record.

        The rest of the rows stays, the chain verifies, and the deleted bytes are overwritten in
        the file. Copies elsewhere (backups, exports) are the caller's. Redacting again deletes
        what came since, or returns the earlier record.

        Raises:
            LedgerError: no such decision, or a reader keeps the log that still holds the text.
        """
        return self._wait_for(Redaction(decision_id))

    def scan(
        self, *, domain: str | None = None, after: int = 0
    ) -> Iterator[tuple[Decision, Outcome | None]]:
        """Yield the decisions durable now past row ``after`` in order, with the latest outcome.

        An audit's answer is the last of its decision's predictions. A redacted decision is yielded
        with an empty state.
        """
        with self._reader() as reader:
            last: int = reader.execute("SELECT coalesce(max(row), 0) FROM entries").fetchone()[0]
        return self._pages(domain, after, last)

    def get(self, decision_id: str) -> Decision:
        """Return a durable decision; raises ``LedgerError`` where there is none."""
        with self._reader() as reader:
            found = reader.execute(_GET, (decision_id,)).fetchone()
        if found is None:
            raise LedgerError(
                f"decision {decision_id!r} is not in ledger {self.path}; "
                "flush the ledger if it was just appended"
            )
        return _audited(found)

    def verify(self) -> int:
        """Return the number of rows whose chain holds.

        Raises:
            LedgerCorrupt: names the first row that was changed, or what is missing.
        """
        with self._reader() as reader:
            return verify_chain(reader, self.path)

    def head(self) -> str:
        """Return the hash of the last row in hexadecimal; it stands for all rows before it."""
        with self._reader() as reader:
            return str(reader.execute(_HEAD, (GENESIS.hex(),)).fetchone()[0])

    def export(self, target: Path | TextIO) -> int:
        """Write all rows as JSON lines to a new file or an open one; return their number.

        A file appears under its name only when it is complete.
        """
        with self._reader() as reader:
            return export_rows(reader, target)

    def close(self) -> None:
        """Flush and release the file; later calls raise ``LedgerError``.

        Raises:
            LedgerError: as :meth:`flush`; the file is released all the same.
        """
        self._refuse_on_writing_thread()
        with self._lock:
            if self._closed:
                return
            self._closed = True
            idle, self._idle_readers = self._idle_readers, []
        for reader in idle:
            reader.close()
        self._finalizer.detach()
        self._writer.stop()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        try:
            self.close()
        except LedgerError:
            if error is None:  # otherwise the body's own error is the one to see
                raise

    def _wait_for(self, payload: Payload) -> int:
        self._refuse_on_writing_thread()
        return self._writer.submit(payload).result()

    def _refuse_on_writing_thread(self) -> None:
        if self._writer.is_writing_thread:
            raise LedgerError("a future's callback may not wait for the ledger that runs it")

    @contextmanager
    def _reader(self) -> Iterator[sqlite3.Connection]:
        """Lend a connection of its own to the caller; errors name the path and the remedy."""
        with self._lock:
            if self._closed:
                raise LedgerError(f"ledger {self.path} is closed; open it again")
            reader = self._idle_readers.pop() if self._idle_readers else None
        try:
            if reader is None:
                reader = self._connect(self.path)
                reader.execute("PRAGMA query_only=ON")
            yield reader
        except sqlite3.Error as error:
            raise opening.explain(error, self.path) from error
        finally:
            if reader is not None:
                self._give_back(reader)

    def _give_back(self, reader: sqlite3.Connection) -> None:
        with self._lock:
            if not self._closed:
                self._idle_readers.append(reader)
                return
        reader.close()

    def _pages(
        self, domain: str | None, after: int, last: int
    ) -> Iterator[tuple[Decision, Outcome | None]]:
        while after < last:
            with self._reader() as reader:
                page = reader.execute(_SCAN, (after, last, domain, domain, _PAGE)).fetchall()
            for found in page:
                yield _joined(found)
            if len(page) < _PAGE:
                return
            after = page[-1][0]


_HEAD = "SELECT coalesce((SELECT lower(hex(hash)) FROM entries ORDER BY row DESC LIMIT 1), ?)"
_GET = """
    SELECT d.row, d.decision_id, d.domain, d.body, dt.text, a.row, a.body, at.text
    FROM entries AS d
    LEFT JOIN texts AS dt ON dt.row = d.row
    LEFT JOIN entries AS a ON a.kind = 'audit' AND a.decision_id = d.decision_id
    LEFT JOIN texts AS at ON at.row = a.row
    WHERE d.kind = 'decision' AND d.decision_id = ?
"""
_SCAN = """
    SELECT d.row, d.decision_id, d.domain, d.body, dt.text, a.row, a.body, at.text,
           o.row, o.body, ot.text
    FROM entries AS d NOT INDEXED
    LEFT JOIN texts AS dt ON dt.row = d.row
    LEFT JOIN entries AS a ON a.kind = 'audit' AND a.decision_id = d.decision_id
    LEFT JOIN texts AS at ON at.row = a.row
    LEFT JOIN entries AS o ON o.row = (
        SELECT max(row) FROM entries WHERE kind = 'outcome' AND decision_id = d.decision_id
    )
    LEFT JOIN texts AS ot ON ot.row = o.row
    WHERE d.kind = 'decision' AND d.row > ? AND d.row <= ? AND (? IS NULL OR d.domain = ?)
    ORDER BY d.row LIMIT ?
"""


def _joined(found: tuple[Any, ...]) -> tuple[Decision, Outcome | None]:
    decision, (row, body, text) = _audited(found[:-3]), found[-3:]
    if row is None:
        return decision, None
    return decision, read_outcome(row, decision.decision_id, body, text)


def _audited(found: tuple[Any, ...]) -> Decision:
    """Return the decision of a row with every prediction that was made, its audit's last."""
    decision, (row, body, text) = read_decision(*found[:-3]), found[-3:]
    if row is None:
        return decision
    prediction = read_audit(row, body, text)
    return replace(
        decision,
        predictions=(*decision.predictions, prediction),
        usage=decision.usage + prediction.usage,
    )
