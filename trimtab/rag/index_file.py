"""The file of the embedded index: its tables, and who may open it."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from trimtab.errors import ConfigError, RetrievalError
from trimtab.rag.search_terms import TOKENIZER
from trimtab.rag.sqlite_file import check_marks, connect, explained, is_new, transaction

APPLICATION_ID = 0x74724958  # "trIX"
VERSION = 1

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


def made_with(path: Path) -> tuple[str, int]:
    """Return name and width of the embedder that made an index.

    Raises:
        RetrievalError: there is no index.
    """
    if not path.is_file():
        raise RetrievalError(f"there is no index at {path}; run: trimtab corpus import FILE")
    connection = connect(path)
    try:
        with explained(path):
            check_marks(connection, path, application_id=APPLICATION_ID, version=VERSION)
            [name, dim] = connection.execute("SELECT embedder, dim FROM made_with").fetchone()
    finally:
        connection.close()
    return str(name), int(dim)


def _create(connection: sqlite3.Connection, path: Path, *, embedder: str, dim: int) -> None:
    if not is_new(connection):
        check_marks(connection, path, application_id=APPLICATION_ID, version=VERSION)
        return
    # a passage with its vector takes some 3 KB: of pages of 4 KB a third would stay empty
    connection.execute("PRAGMA page_size = 16384")
    connection.execute("PRAGMA journal_mode = WAL")
    with transaction(connection, write=True):
        if not is_new(connection):  # another process was faster
            return
        for statement in _TABLES:
            connection.execute(statement)
        connection.execute("INSERT INTO made_with VALUES (?, ?)", (embedder, dim))
