"""Opening the ledger's file: what it is, whose it is, and what to do when it cannot be used."""

from __future__ import annotations

import sqlite3
import time
from pathlib import Path

from trimtab.errors import LedgerCorrupt, LedgerError, LedgerTooNew
from trimtab.ledger.schema import APPLICATION_ID, MIGRATIONS, VERSION

BUSY_TIMEOUT_S = 30.0  # several processes write in turn; each holds the lock for one group

_MAGIC = b"SQLite format 3\x00"
_WAL_ATTEMPTS = 200
_WAL_PAUSE_S = 0.02


def connect(path: Path) -> sqlite3.Connection:
    """Return a connection that commits durably and may be handed from thread to thread.

    Power-loss safety rests on ``synchronous=FULL``: the log is synced at every commit.
    """
    connection = sqlite3.connect(
        f"{path.absolute().as_uri()}?mode=rw",
        uri=True,
        timeout=BUSY_TIMEOUT_S,
        isolation_level=None,
        check_same_thread=False,
    )
    try:
        connection.execute("PRAGMA synchronous=FULL")
        # Deleted text is overwritten with zeros, not only marked free.
        connection.execute("PRAGMA secure_delete=ON")
    except sqlite3.Error:
        connection.close()
        raise
    return connection


def inspect(path: Path, *, create: bool) -> None:
    """Check from outside that the file is, or may become, a ledger that this version can write.

    A missing file is made, empty: connections only open what is there, so that a ledger deleted
    under a running process is an error and not a new, empty ledger. The header is read as bytes:
    opening a write-ahead-logged file with SQLite already touches it.

    Raises:
        LedgerError: the folder or the file is missing, or the file is something else.
        LedgerTooNew: a newer trimtab wrote it.
    """
    if not path.parent.is_dir():
        raise LedgerError(f"ledger {path}: folder {path.parent} does not exist; create it first")
    if not path.exists():
        if not create:
            raise LedgerError(f"ledger {path} does not exist; name an existing ledger")
        try:
            path.touch()
        except OSError as error:
            raise LedgerError(
                f"ledger {path} cannot be created ({error}); make its folder writable"
            ) from error
        return
    if path.is_dir():
        raise LedgerError(f"ledger {path} is a folder; name a file in it")
    try:
        with path.open("rb") as file:
            header = file.read(100)
    except OSError as error:
        raise LedgerError(f"ledger {path} cannot be read ({error}); check its mode") from error
    if not header:
        return
    if len(header) < 100 or not header.startswith(_MAGIC):
        raise LedgerError(f"ledger {path} is not a SQLite file; name another file")
    check_version(
        path,
        application_id=int.from_bytes(header[68:72], "big"),
        version=int.from_bytes(header[60:64], "big"),
    )


def check_version(path: Path, *, application_id: int, version: int) -> None:
    """Raise unless the marks of a file are those of a ledger that this version can write."""
    foreign = application_id not in (0, APPLICATION_ID)
    if foreign or (version > 0 and application_id == 0 and version <= VERSION):
        raise LedgerError(f"ledger {path} is a SQLite file of another program; name another file")
    if version > VERSION:
        raise LedgerTooNew(
            f"ledger {path} has format {version}, this trimtab writes format {VERSION}; "
            "upgrade trimtab (nothing was changed)"
        )


def migrate(connection: sqlite3.Connection, path: Path) -> None:
    """Bring the file to the current format, one numbered migration after the other."""
    version = user_version(connection)
    check_version(path, application_id=_application_id(connection), version=version)
    if version == VERSION:
        return
    _use_write_ahead_log(connection, path)
    connection.execute("BEGIN IMMEDIATE")
    try:
        version = user_version(connection)
        check_version(path, application_id=_application_id(connection), version=version)
        if version == 0 and connection.execute("SELECT 1 FROM sqlite_master LIMIT 1").fetchone():
            raise LedgerError(f"ledger {path} holds tables of another program; name another file")
        for statements in MIGRATIONS[version:]:
            for statement in statements:
                connection.execute(statement)
        connection.execute(f"PRAGMA application_id={APPLICATION_ID}")
        connection.execute(f"PRAGMA user_version={VERSION}")
        connection.execute("COMMIT")
    finally:
        if connection.in_transaction:
            connection.execute("ROLLBACK")


def user_version(connection: sqlite3.Connection) -> int:
    """Return the format of the open file."""
    version: int = connection.execute("PRAGMA user_version").fetchone()[0]
    return version


def explain(error: sqlite3.Error, path: Path) -> LedgerError:
    """Return the error that names the ledger's path and the remedy."""
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    remedy = _REMEDIES.get(code, "run: trimtab ledger verify")
    kind = LedgerCorrupt if code in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB) else LedgerError
    return kind(f"ledger {path}: {error}; {remedy}")


_REMEDIES = {
    sqlite3.SQLITE_FULL: "free some space and append again; rows acknowledged before are kept",
    sqlite3.SQLITE_BUSY: f"another process kept it locked for {BUSY_TIMEOUT_S:g} s; try again",
    sqlite3.SQLITE_READONLY: "make the file and its folder writable, or name another ledger",
    sqlite3.SQLITE_CANTOPEN: "check that the file and its folder are readable and writable",
    sqlite3.SQLITE_PERM: "check that the file and its folder are readable and writable",
    sqlite3.SQLITE_IOERR: "check the disk and its free space, then append again",
    sqlite3.SQLITE_CORRUPT: "the file is damaged; export what can be read and restore a backup",
    sqlite3.SQLITE_NOTADB: "the file is not a SQLite file; name another ledger",
}


def _application_id(connection: sqlite3.Connection) -> int:
    number: int = connection.execute("PRAGMA application_id").fetchone()[0]
    return number


def _use_write_ahead_log(connection: sqlite3.Connection, path: Path) -> None:
    # The switch does not wait for another process that makes it at the same moment.
    for attempt in range(_WAL_ATTEMPTS):
        try:
            mode: str = connection.execute("PRAGMA journal_mode=WAL").fetchone()[0]
        except sqlite3.OperationalError as error:
            last = attempt == _WAL_ATTEMPTS - 1
            if last or error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY:
                raise
            time.sleep(_WAL_PAUSE_S)
            continue
        if mode != "wal":
            raise LedgerError(
                f"ledger {path}: this file system has no write-ahead log (mode {mode!r}); "
                "put the ledger on a local disk"
            )
        return
