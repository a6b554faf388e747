"""Passages in one SQLite file: FTS5 for words, an exact scan in memory for vectors.

A passage, its vector, its words and its fields are written in one transaction, so that a killed
process leaves whole entries or none. Recall of the scan is 1 by construction.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from trimtab.errors import InputError, RetrievalError
from trimtab.protocols import Array
from trimtab.rag.filters import Condition, Where, parse_filter
from trimtab.rag.index_file import open_index
from trimtab.rag.index_rows import (
    allowed_rows,
    grouped,
    hits_of,
    insert_entry,
    remove_rows,
    rows_of,
)
from trimtab.rag.passage_index import (
    Entry,
    Hit,
    check_deletion,
    check_entry,
    check_k,
    check_vector,
)
from trimtab.rag.scan import nearest
from trimtab.rag.search_terms import match_expression
from trimtab.rag.sqlite_file import explained, transaction
from trimtab.rag.vector_rows import VectorRows

_BATCH = 500  # entries of one transaction


class EmbeddedIndex:
    """Implements ``PassageIndex`` and ``KeywordIndex`` over one file.

    Several processes may write and read the file. Threads take turns on one connection.

    Args:
        path: the file; made if absent.
        embedder: name of the embedder of all vectors.
        dim: D.

    Raises:
        ConfigError: the file was made by another embedder.
        RetrievalError: the file cannot be used.
    """

    def __init__(self, path: Path, *, embedder: str, dim: int) -> None:
        self.path = path
        self.embedder_name = embedder
        self.dim = dim
        self._connection = open_index(path, embedder=embedder, dim=dim)
        self._lock = threading.RLock()
        self._memory = VectorRows(dim)
        self._closed = False

    def __enter__(self) -> EmbeddedIndex:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def upsert(self, entries: Sequence[Entry], *, namespace: str = "") -> None:
        """Store entries, 500 in one durable transaction; known ids are replaced.

        Raises:
            InputError: an entry breaks a limit; nothing was stored then.
        """
        fields = [check_entry(entry, dim=self.dim) for entry in entries]
        for start in range(0, len(entries), _BATCH):
            part = slice(start, start + _BATCH)
            # of two entries under one id the later one stays
            last = {
                entry.id: (entry, kept)
                for entry, kept in zip(entries[part], fields[part], strict=True)
            }
            with self._open(write=True) as connection:
                remove_rows(connection, rows_of(connection, list(last), namespace))
                for entry, kept in last.values():
                    insert_entry(connection, entry, kept, namespace)

    def fetch(self, ids: Sequence[str], *, namespace: str = "") -> dict[str, Hit]:
        """Return the entries of those ids that are stored."""
        with self._open() as connection:
            rows = rows_of(connection, ids, namespace)
            return {hit.id: hit for hit in hits_of(connection, rows, [0.0] * len(rows))}

    def delete(
        self, *, ids: Sequence[str] | None = None, where: Where | None = None, namespace: str = ""
    ) -> None:
        """Delete by ids or by a filter; unknown ids are no error."""
        check_deletion(ids, where)
        condition = None if where is None else parse_filter(where)
        with self._open(write=True) as connection:
            if condition is None:
                rows = rows_of(connection, ids or (), namespace)
            else:
                self._memory.synchronise(connection)
                mask = allowed_rows(connection, self._memory, condition, namespace)
                rows = self._memory.rows[mask].tolist()
            remove_rows(connection, rows)

    def nearest(
        self, vector: Array, *, k: int, where: Where | None = None, namespace: str = ""
    ) -> list[Hit]:
        """Return at most k hits by cosine, nearest first, equally near ones oldest first."""
        check_k(k)
        unit = check_vector(vector, dim=self.dim)
        condition = None if where is None else parse_filter(where)
        with self._open() as connection:
            self._memory.synchronise(connection)
            allowed = allowed_rows(connection, self._memory, condition, namespace)
            places, scores = self._scan(unit, k, allowed)
            return hits_of(connection, self._memory.rows[places].tolist(), scores.tolist())

    def _scan(
        self, unit: Array, k: int, allowed: NDArray[np.bool_]
    ) -> tuple[NDArray[np.intp], Array]:
        return nearest(self._memory.vectors, unit, k, allowed=allowed)

    def cosines(
        self, vector: Array, ids: Sequence[str], *, namespace: str = ""
    ) -> dict[str, float]:
        """Return the cosine of a vector to each stored entry of those ids."""
        unit = check_vector(vector, dim=self.dim)
        found = self.vectors_of(ids, namespace=namespace)
        return {name: float((row * unit).sum()) for name, row in found.items()}

    def vectors_of(self, ids: Sequence[str], *, namespace: str = "") -> dict[str, Array]:
        """Return the `[D]` unit vector of each stored entry of those ids."""
        found: dict[str, Array] = {}
        with self._open() as connection:
            for marks, group in grouped(ids):
                query = f"SELECT id, vector FROM passages WHERE namespace = ? AND id IN ({marks})"  # noqa: S608 - marks only
                for name, kept in connection.execute(query, (namespace, *group)):
                    found[name] = np.frombuffer(kept, dtype="<f4")
        return found

    def matching(
        self, query: str, *, k: int, where: Where | None = None, namespace: str = ""
    ) -> list[Hit]:
        """Return at most k hits by BM25 over title, text and keywords, best first."""
        check_k(k)
        condition = None if where is None else parse_filter(where)
        expression = match_expression(query)
        if expression is None:
            return []
        with self._open() as connection:
            if condition is not None or self.namespaces() != [namespace]:
                return self._matching_some(connection, expression, k, condition, namespace)
            found = connection.execute(
                "SELECT rowid, -rank FROM words WHERE words MATCH ? ORDER BY rank, rowid LIMIT ?",
                (expression, k),
            ).fetchall()
            return hits_of(connection, [row for row, _ in found], [score for _, score in found])

    def frequencies(self, words: Sequence[str]) -> dict[str, int]:
        """Return how many entries of all namespaces hold each word, in any of its forms."""
        found: dict[str, int] = {}
        with self._open() as connection:
            for word in words:
                expression = match_expression(f'"{word}"')
                found[word] = 0
                if expression is not None:
                    query = "SELECT count(*) FROM words WHERE words MATCH ?"
                    [found[word]] = connection.execute(query, (expression,)).fetchone()
        return found

    def list_ids(
        self, *, prefix: str = "", limit: int = 100, after: str = "", namespace: str = ""
    ) -> tuple[list[str], str]:
        """Return a page of ids, sorted, and the last of them, or empty where the ids end."""
        if limit < 1:
            raise InputError(f"limit={limit} asks for no id; give at least 1")
        with self._open() as connection:
            found = connection.execute(
                "SELECT id FROM passages WHERE namespace = ? AND id > ? AND "
                "substr(id, 1, ?) = ? ORDER BY id LIMIT ?",
                (namespace, after, len(prefix), prefix, limit + 1),
            ).fetchall()
        names = [name for (name,) in found[:limit]]
        return names, names[-1] if len(found) > limit else ""

    def count(self, *, namespace: str = "") -> int:
        """Return the number of entries of a namespace."""
        with self._open() as connection:
            query = "SELECT count(*) FROM passages WHERE namespace = ?"
            [number] = connection.execute(query, (namespace,)).fetchone()
        return int(number)

    def namespaces(self) -> list[str]:
        """Return the namespaces that hold entries, sorted."""
        # a jump from one to the next over the index of (namespace, id), not a scan of all entries
        query = (
            "WITH RECURSIVE jump(name) AS (SELECT min(namespace) FROM passages UNION ALL "
            "SELECT (SELECT min(namespace) FROM passages WHERE namespace > name) FROM jump "
            "WHERE name IS NOT NULL) SELECT name FROM jump WHERE name IS NOT NULL"
        )
        with self._open() as connection:
            return [name for (name,) in connection.execute(query)]

    def vectors(self, *, namespace: str = "") -> Iterator[tuple[str, Array]]:
        """Yield the id and the `[D]` unit vector of every entry, as it was at the first."""
        with self._open() as connection:
            rows = connection.execute(
                "SELECT id, vector FROM passages WHERE namespace = ? ORDER BY id", (namespace,)
            ).fetchall()
        for name, kept in rows:
            yield name, np.frombuffer(kept, dtype="<f4")

    def check(self) -> None:
        """Raise ``RetrievalError`` unless file, words and vectors belong together."""
        with self._open() as connection:
            [verdict] = connection.execute("PRAGMA integrity_check").fetchone()
            [passages] = connection.execute("SELECT count(*) FROM passages").fetchone()
            [words] = connection.execute("SELECT count(*) FROM words_docsize").fetchone()
            self._memory.synchronise(connection)
        in_memory = int(self._memory.rows.size)
        if verdict != "ok" or passages != words or passages > in_memory:
            raise RetrievalError(
                f"the index {self.path} does not hold together ({verdict}; {passages} passages, "
                f"{words} with words, {in_memory} vectors); delete it and index anew"
            )

    def close(self) -> None:
        """Close the file; a second call does nothing."""
        with self._lock:
            self._closed = True
            self._connection.close()

    @contextmanager
    def _open(self, *, write: bool = False) -> Iterator[sqlite3.Connection]:
        with self._lock:
            if self._closed:
                raise RetrievalError(f"the index {self.path} is closed; open it again")
            with explained(self.path):
                if self._connection.in_transaction:  # a call within a call
                    yield self._connection
                    return
                with transaction(self._connection, write=write):
                    yield self._connection

    def _matching_some(
        self,
        connection: sqlite3.Connection,
        expression: str,
        k: int,
        condition: Condition | None,
        namespace: str,
    ) -> list[Hit]:
        self._memory.synchronise(connection)
        mask = allowed_rows(connection, self._memory, condition, namespace)
        allowed = set(self._memory.rows[mask].tolist())
        rows, scores = [], []
        query = "SELECT rowid, -rank FROM words WHERE words MATCH ? ORDER BY rank, rowid"
        for row, score in connection.execute(query, (expression,)):
            if row in allowed:
                rows.append(row)
                scores.append(score)
                if len(rows) == k:
                    break
        return hits_of(connection, rows, scores)
