"""The papers of a corpus in one SQLite file, with how far each fetch came."""

from __future__ import annotations

import json
import sqlite3
import threading
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from trimtab.errors import RetrievalError
from trimtab.rag.papers import Paper, paper_from_json, paper_to_json
from trimtab.rag.sqlite_file import check_marks, connect, explained, is_new, transaction

APPLICATION_ID = 0x74725061  # "trPa"
VERSION = 1
_PAGE = 256

_TABLES = (
    "CREATE TABLE papers (arxiv_id TEXT PRIMARY KEY, document TEXT NOT NULL) WITHOUT ROWID",
    "CREATE TABLE fetches (query TEXT PRIMARY KEY, position INTEGER NOT NULL, "
    "total INTEGER) WITHOUT ROWID",
    f"PRAGMA application_id = {APPLICATION_ID}",
    f"PRAGMA user_version = {VERSION}",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """How far a fetch came: ``position`` results of a query were taken, of ``total``."""

    query: str
    position: int
    total: int | None = None


class PaperStore:
    """Papers by id; threads take turns, several processes may share the file.

    Raises:
        RetrievalError: the file cannot be used.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = threading.RLock()
        self._connection = connect(path)
        try:
            with explained(path):
                self._create()
        except BaseException:
            self._connection.close()
            raise

    def __enter__(self) -> PaperStore:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def put(self, papers: Sequence[Paper], *, progress: Progress | None = None) -> Counter[str]:
        """Store papers and a fetch's progress, durably and in one step.

        A newer version replaces an older one and never the other way round; the same version
        takes over what changed, and keeps a full text that the new record lacks.

        Returns:
            How many were ``added``, ``replaced``, ``unchanged`` or ``older``.
        """
        counts: Counter[str] = Counter()
        with self._open(write=True) as connection:
            for paper in papers:
                stored = self._get(connection, paper.arxiv_id)
                paper, verdict = _merged(stored, paper)
                counts[verdict] += 1
                if verdict in ("added", "replaced"):
                    document = json.dumps(paper_to_json(paper), ensure_ascii=False)
                    connection.execute(
                        "INSERT OR REPLACE INTO papers VALUES (?, ?)", (paper.arxiv_id, document)
                    )
            if progress is not None:
                connection.execute(
                    "INSERT OR REPLACE INTO fetches VALUES (?, ?, ?)",
                    (progress.query, progress.position, progress.total),
                )
        return counts

    def get(self, arxiv_id: str) -> Paper | None:
        """Return a paper, None where it is not stored."""
        with self._open() as connection:
            return self._get(connection, arxiv_id)

    def papers(self) -> Iterator[Paper]:
        """Yield all papers by id; what is stored meanwhile may come or not."""
        last = ""
        while True:
            with self._open() as connection:
                rows = connection.execute(
                    "SELECT arxiv_id, document FROM papers WHERE arxiv_id > ? "
                    "ORDER BY arxiv_id LIMIT ?",
                    (last, _PAGE),
                ).fetchall()
            if not rows:
                return
            for _, document in rows:
                yield paper_from_json(json.loads(document))
            last = rows[-1][0]

    def count(self) -> int:
        """Return the number of papers."""
        with self._open() as connection:
            [number] = connection.execute("SELECT count(*) FROM papers").fetchone()
        return int(number)

    def progress(self, query: str) -> Progress:
        """Return how far the fetch of a query came; position 0 where it never began."""
        for found in self.fetches():
            if found.query == query:
                return found
        return Progress(query=query, position=0)

    def fetches(self) -> list[Progress]:
        """Return the progress of every query that was fetched, by query."""
        with self._open() as connection:
            rows = connection.execute(
                "SELECT query, position, total FROM fetches ORDER BY query"
            ).fetchall()
        return [Progress(query=row[0], position=row[1], total=row[2]) for row in rows]

    def close(self) -> None:
        """Close the file; a second call does nothing."""
        with self._lock:
            self._connection.close()

    def _get(self, connection: sqlite3.Connection, arxiv_id: str) -> Paper | None:
        query = "SELECT document FROM papers WHERE arxiv_id = ?"
        found = connection.execute(query, (arxiv_id,)).fetchone()
        return None if found is None else paper_from_json(json.loads(found[0]))

    def _create(self) -> None:
        if is_new(self._connection):
            self._connection.execute("PRAGMA journal_mode = WAL")
            with transaction(self._connection, write=True):
                for statement in _TABLES if is_new(self._connection) else ():
                    self._connection.execute(statement)
        check_marks(self._connection, self.path, application_id=APPLICATION_ID, version=VERSION)

    @contextmanager
    def _open(self, *, write: bool = False) -> Iterator[sqlite3.Connection]:
        with self._lock, explained(self.path):
            try:
                with transaction(self._connection, write=write):
                    yield self._connection
            except sqlite3.ProgrammingError as error:
                raise RetrievalError(f"the store {self.path} is closed; open it again") from error


def _merged(stored: Paper | None, paper: Paper) -> tuple[Paper, str]:
    if stored is None:
        return paper, "added"
    if (stored.version or 0) > (paper.version or 0):
        return stored, "older"
    if stored.version == paper.version and not paper.sections:
        paper = replace(paper, sections=stored.sections)
    return paper, "unchanged" if paper == stored else "replaced"
