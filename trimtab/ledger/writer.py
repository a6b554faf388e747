"""The one thread that writes: it takes what is queued and commits it as a group.

While one group is being synced to disk the next one gathers, so a lone caller waits for one
commit and many callers share one. Rows that nobody waits for gather for ``GATHER_S`` first: a
commit of one row costs more processor time than most decisions. Rows are serialised before the
write lock is taken, which leaves the file to other processes for that long.
"""

from __future__ import annotations

import atexit
import os
import sqlite3
import threading
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from trimtab.errors import LedgerError
from trimtab.ledger.commit import commit_group, commit_redaction
from trimtab.ledger.connection import explain, migrate
from trimtab.ledger.rows import (
    Entry,
    audit_entry,
    decision_entry,
    outcome_entry,
    redaction_entry,
)
from trimtab.ledger.ticket import Ticket
from trimtab.records import Decision, Outcome, Prediction

MAX_GROUP = 512  # rows in one transaction: about 10 ms under the write lock
GATHER_S = 0.1  # at most this long is a row queued that nobody waits for
MAX_PENDING = 65_536  # rows in the queue before callers wait for the disk
_FAILURES_KEPT = 256


@dataclass(frozen=True, slots=True)
class Audit:
    """The LLM's answer to an audited decision."""

    decision_id: str
    prediction: Prediction


@dataclass(frozen=True, slots=True)
class Redaction:
    """Asks for the deletion of a decision's text."""

    decision_id: str


@dataclass(frozen=True, slots=True)
class Barrier:
    """Asks to be told when all that was queued before is durable."""


Payload = Decision | Outcome | Audit | Redaction | Barrier


class Writer:
    """Owns the writing connection and its thread; :meth:`submit` may be called from any thread."""

    def __init__(
        self,
        path: Path,
        *,
        salt: Callable[[], bytes],
        now: Callable[[], datetime],
        connect: Callable[[Path], sqlite3.Connection],
    ) -> None:
        self._path = path
        self._salt = salt
        self._now = now
        self._connect = connect
        self._connection: sqlite3.Connection | None = self._open()
        self._identity = _identity(path)
        self._pid = os.getpid()
        # Reentrant: the garbage collector may call request_stop on a thread that holds it.
        self._lock = threading.RLock()
        self._filled = threading.Condition(self._lock)
        self._drained = threading.Condition(self._lock)
        self._pending: deque[tuple[Ticket, Payload]] = deque()
        self._idle = False
        self._gathering = False
        self._urgent = False
        self._closed = False
        self._failures: deque[Ticket] = deque(maxlen=_FAILURES_KEPT)
        self._thread = threading.Thread(target=self._run, name=f"ledger {path.name}", daemon=True)
        self._thread.start()
        # A daemon thread dies with the interpreter; this writes what is still queued before that.
        atexit.register(self.stop)

    @property
    def is_writing_thread(self) -> bool:
        """Return whether the caller runs on the writer's own thread, which must not wait."""
        return threading.current_thread() is self._thread

    @property
    def queued(self) -> int:
        """Return how many rows have not been taken yet."""
        return len(self._pending)

    def submit(self, payload: Payload) -> Ticket:
        """Queue a payload; waits only when the queue is full."""
        ticket = Ticket(self._hurry)
        with self._lock:
            while len(self._pending) >= MAX_PENDING and not self.is_writing_thread:
                self._check_open()
                self._drained.wait()
            self._check_open()
            self._pending.append((ticket, payload))
            if self._idle or (self._gathering and len(self._pending) >= MAX_GROUP):
                self._idle = self._gathering = False
                self._filled.notify()
        return ticket

    def request_stop(self) -> None:
        """Refuse new rows and let the thread end once the queue is empty; does not wait."""
        with self._lock:
            self._closed = True
            self._filled.notify_all()
            self._drained.notify_all()

    def stop(self) -> None:
        """Write what is queued and end the thread; raises the first failure nobody was told."""
        atexit.unregister(self.stop)
        if os.getpid() != self._pid:
            return  # a forked child: the rows are the parent's to write
        self.request_stop()
        if not self.is_writing_thread:
            self._thread.join()
        failure = self._unseen_failure()
        if failure is not None:
            raise failure

    def _hurry(self) -> None:
        """Let what is queued be written now: somebody waits for it."""
        with self._lock:
            self._urgent = True
            if self._gathering:
                self._gathering = False
                self._filled.notify()

    def _check_open(self) -> None:
        if self._closed:
            raise LedgerError(f"ledger {self._path} is closed; open it again")
        if os.getpid() != self._pid:
            raise LedgerError(
                f"ledger {self._path} was opened before a fork; open it in the child process"
            )

    def _open(self) -> sqlite3.Connection:
        try:
            connection = self._connect(self._path)
            try:
                migrate(connection, self._path)
                # A file that can only be read opens without complaint: ask for the lock once.
                connection.execute("BEGIN IMMEDIATE")
                connection.execute("ROLLBACK")
            except BaseException:
                connection.close()
                raise
        except sqlite3.Error as error:
            raise explain(error, self._path) from error
        return connection

    def _run(self) -> None:
        try:
            while group := self._take():
                self._write(group)
        finally:
            # Reached with rows left only if the loop itself failed: nobody may wait for ever.
            with self._lock:
                self._closed = True
                left = list(self._pending)
                self._pending.clear()
                self._drained.notify_all()
            for ticket, _ in left:
                ticket.fail(LedgerError(f"ledger {self._path}: the writer thread has ended"))
            if self._connection is not None:
                self._connection.close()

    def _take(self) -> list[tuple[Ticket, Payload]]:
        """Return the next group, empty once the writer is closed and the queue is empty."""
        with self._lock:
            while not self._pending and not self._closed:
                self._idle = True
                self._filled.wait()
            self._idle = False
            if len(self._pending) < MAX_GROUP and not (self._urgent or self._closed):
                self._gathering = True
                self._filled.wait(GATHER_S)
                self._gathering = False
            size = min(len(self._pending), MAX_GROUP)
            group = [self._pending.popleft() for _ in range(size)]
            # who waits for a row that this group has no room for still waits
            self._urgent = self._urgent and bool(self._pending)
            self._drained.notify_all()
        return group

    def _write(self, group: list[tuple[Ticket, Payload]]) -> None:
        rows: list[tuple[Ticket, Entry]] = []
        for ticket, payload in group:
            try:
                if isinstance(payload, Decision):
                    rows.append((ticket, decision_entry(payload, self._salt)))
                elif isinstance(payload, Outcome):
                    rows.append((ticket, outcome_entry(payload, self._salt)))
                elif isinstance(payload, Audit):
                    entry = audit_entry(payload.decision_id, payload.prediction, self._salt)
                    rows.append((ticket, entry))
                else:
                    self._commit(rows)
                    rows = []
                    self._serve(ticket, payload)
            except LedgerError as error:
                self._fail(ticket, error)
        self._commit(rows)

    def _serve(self, ticket: Ticket, payload: Redaction | Barrier) -> None:
        if isinstance(payload, Barrier):
            failure = self._unseen_failure()
            if failure is not None:
                ticket.fail(failure)
            else:
                ticket.set_result(0)
            return
        entry = redaction_entry(payload.decision_id, at=self._now().isoformat())
        try:
            row = commit_redaction(self._connected(), self._path, entry)
        except sqlite3.Error as error:
            self._reopen_later()
            raise explain(error, self._path) from error
        ticket.set_result(row)

    def _commit(self, rows: Sequence[tuple[Ticket, Entry]]) -> None:
        if not rows:
            return
        try:
            results = commit_group(self._connected(), self._path, [entry for _, entry in rows])
        except sqlite3.Error as error:
            self._reopen_later()
            results = [explain(error, self._path)] * len(rows)
        except LedgerError as error:
            results = [error] * len(rows)
        for (ticket, _), result in zip(rows, results, strict=True):
            if isinstance(result, LedgerError):
                self._fail(ticket, result)
            else:
                ticket.set_result(result)

    def _fail(self, ticket: Ticket, error: LedgerError) -> None:
        self._failures.append(ticket)
        ticket.fail(error)

    def _unseen_failure(self) -> LedgerError | None:
        """Return the first failure that no caller has asked for, and forget the others."""
        unseen = [ticket for ticket in self._failures if not ticket.seen]
        self._failures.clear()
        error = unseen[0].exception() if unseen else None
        return error if isinstance(error, LedgerError) else None

    def _connected(self) -> sqlite3.Connection:
        # A deleted file still takes rows, which vanish when it is closed: look at the name.
        if _identity(self._path) != self._identity:
            raise LedgerError(
                f"ledger {self._path} was moved, deleted or replaced while it was open; put it "
                "back, or close the ledger and open it again"
            )
        if self._connection is None:
            self._connection = self._open()
        return self._connection

    def _reopen_later(self) -> None:
        # After a failed write the state of a connection is not worth guessing at.
        if self._connection is not None:
            self._connection.close()
            self._connection = None


def _identity(path: Path) -> tuple[int, int] | None:
    """Return what tells the file from another of its name, None where there is none."""
    try:
        status = path.stat()
    except FileNotFoundError:
        return None
    return status.st_dev, status.st_ino
