"""SQLite files of this package: opened durably, marked as ours, their errors explained."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from trimtab.errors import RetrievalError

BUSY_TIMEOUT_S = 30.0
_MAGIC = b"SQLite format 3\x00"


def connect(path: Path) -> sqlite3.Connection:
    """Return a connection that commits durably and may be handed from thread to thread."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.is_file() and path.stat().st_size:
            with path.open("rb") as file:
                if not file.read(len(_MAGIC)) == _MAGIC:
                    raise RetrievalError(f"{path} is not a SQLite file; name another file")
    except OSError as error:
        raise RetrievalError(f"{path} cannot be used ({error}); name another file") from error
    with explained(path):
        connection = sqlite3.connect(
            path, timeout=BUSY_TIMEOUT_S, isolation_level=None, check_same_thread=False
        )
        connection.execute("PRAGMA synchronous = FULL")
    return connection


@contextmanager
def explained(path: Path) -> Iterator[None]:
    """Turn SQLite's errors into ``RetrievalError`` with the file and a remedy."""
    try:
        yield
    except sqlite3.OperationalError as error:
        raise RetrievalError(
            f"{path} cannot be used ({error}); make file and folder writable and free some space"
        ) from error
    except sqlite3.DatabaseError as error:
        raise RetrievalError(
            f"{path} is damaged ({error}); delete it, its content can be fetched and indexed again"
        ) from error


@contextmanager
def transaction(connection: sqlite3.Connection, *, write: bool) -> Iterator[None]:
    """Commit on a normal exit, roll back otherwise."""
    connection.execute("BEGIN IMMEDIATE" if write else "BEGIN")
    try:
        yield
        connection.execute("COMMIT")
    finally:
        if connection.in_transaction:
            connection.execute("ROLLBACK")


def is_new(connection: sqlite3.Connection) -> bool:
    """Return whether a file holds no tables yet."""
    return connection.execute("SELECT 1 FROM sqlite_master LIMIT 1").fetchone() is None


def check_marks(
    connection: sqlite3.Connection, path: Path, *, application_id: int, version: int
) -> None:
    """Raise ``RetrievalError`` for a file of another program or of another format."""
    [found] = connection.execute("PRAGMA application_id").fetchone()
    [written] = connection.execute("PRAGMA user_version").fetchone()
    if found != application_id:
        raise RetrievalError(f"{path} is a SQLite file of another program; name another file")
    if written != version:
        raise RetrievalError(
            f"{path} has format {written}, this trimtab uses format {version}; use the trimtab "
            "that wrote it, or delete the file and make it anew"
        )
