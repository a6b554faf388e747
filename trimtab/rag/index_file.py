"""The file of the embedded index: its tables, and who may open it."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from trimtab.errors import ConfigError, RetrievalError
from trimtab.rag.search_terms import TOKENIZER

APPLICATION_ID = 0x74724958  # "trIX"
VERSION = 1
BUSY_TIMEOUT_S = 30.0
_MAGIC = b"SQLite format 3\x00"

_TABLES = (
    "CREATE TABLE made_with (embedder TEXT NOT NULL, dim INTEGER NOT NULL)",
    # AUTOINCREMENT: a row number is never used again, so readers see what is new by its number
    "CREATE TABLE passages (row INTEGER PRIMARY KEY AUTOINCREMENT, namespace TEXT NOT NULL, "
    "id TEXT NOT NULL, title TEXT NOT NULL, text TEXT NOT NULL, keywords TEXT NOT NULL, "
    "metadata TEXT NOT NULL, vector BLOB NOT NULL, UNIQUE (namespace, id))",
    # one row per value of a field; kind is t(ext), n(umber) or b(oolean)
    "CREATE TABLE attributes (field TEXT NOT NULL, kind TEXT NOT NULL, value NOT NULL, "
    "row INTEGER NOT NULL, PRIMARY KEY (field, kind, value, row)) WITHOUT ROWID",
    "CREATE INDEX attributes_of_row ON attributes (row)",
    # without content: the passages hold the text, here lie only the postings
    f"CREATE VIRTUAL TABLE words USING fts5(title, text, keywords, content='', "
    f"tokenize='{TOKENIZER}')",
    f"PRAGMA application_id = {APPLICATION_ID}",
    f"PRAGMA user_version = {VERSION}",
)


def open_index(path: Path, *, embedder: str, dim: int) -> sqlite3.Connection:
    """Return a connection to an index, made if the file is absent or empty.

    Raises:
        ConfigError: another embedder made it.
        RetrievalError: the file cannot be used, is of another program or of a newer trimtab.
    """
    connection = connect(path)
    try:
        with explained(path):
            _create(connection, path, embedder=embedder, dim=dim)
            made_with = connection.execute("SELECT embedder, dim FROM made_with").fetchone()
        if made_with != (embedder, dim):
            raise ConfigError(
                f"the index {path} was made by {made_with[0]!r} ({made_with[1]} wide), not by "
                f"{embedder!r} ({dim} wide); use that embedder, or delete the file and index anew"
            )
    except BaseException:
        connection.close()
        raise
    return connection


def embedder_of(path: Path) -> str:
    """Return the name of the embedder that made an index.

    Raises:
        RetrievalError: there is no index.
    """
    if not path.is_file():
        raise RetrievalError(f"there is no index at {path}; run: trimtab corpus import FILE")
    connection = connect(path)
    try:
        with explained(path):
            _check_marks(connection, path)
            found = connection.execute("SELECT embedder FROM made_with").fetchone()
    finally:
        connection.close()
    return str(found[0])


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


def _create(connection: sqlite3.Connection, path: Path, *, embedder: str, dim: int) -> None:
    if not _is_new(connection):
        _check_marks(connection, path)
        return
    connection.execute("PRAGMA journal_mode = WAL")
    with transaction(connection, write=True):
        if not _is_new(connection):  # another process was faster
            return
        for statement in _TABLES:
            connection.execute(statement)
        connection.execute("INSERT INTO made_with VALUES (?, ?)", (embedder, dim))


def _is_new(connection: sqlite3.Connection) -> bool:
    return connection.execute("SELECT 1 FROM sqlite_master LIMIT 1").fetchone() is None


def _check_marks(connection: sqlite3.Connection, path: Path) -> None:
    [application] = connection.execute("PRAGMA application_id").fetchone()
    [version] = connection.execute("PRAGMA user_version").fetchone()
    if application != APPLICATION_ID:
        raise RetrievalError(f"{path} is a SQLite file of another program; name another file")
    if version != VERSION:
        raise RetrievalError(
            f"{path} has format {version}, this trimtab uses format {VERSION}; use the trimtab "
            "that wrote it, or delete the file and index anew"
        )
