"""A corpus on disk: a folder with its papers and their index."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from contextlib import closing
from datetime import date
from pathlib import Path

from trimtab.errors import InputError, RetrievalError
from trimtab.protocols import Embedder
from trimtab.rag.chunking import ChunkConfig
from trimtab.rag.embedded_index import EmbeddedIndex
from trimtab.rag.faiss_index import FaissIndex
from trimtab.rag.filters import Where
from trimtab.rag.hybrid import HybridConfig, HybridRetriever
from trimtab.rag.index_file import made_with
from trimtab.rag.ingest import ingest
from trimtab.rag.paper_store import PaperStore
from trimtab.rag.papers import check_category
from trimtab.rag.vector_service import OpenService, ServedIndex, service_of
from trimtab.settings import Settings

PAPERS = "papers.sqlite"
INDEX = "index.sqlite"


class Corpus:
    """Papers and their embedded index in one folder.

    Args:
        folder: made if absent, unless ``create`` is False.
        create: False wants a corpus that is there.
        service: opens what searches the vectors in the place of the embedded index; there the
            folder's name is the namespace.
        inverted: search the vectors of the file by an inverted file, which may miss some.

    Raises:
        RetrievalError: there is no corpus, or it cannot be used.
    """

    def __init__(
        self,
        folder: Path,
        *,
        create: bool = True,
        service: OpenService | None = None,
        inverted: bool = False,
    ) -> None:
        self.folder = folder
        self._service = service
        self._inverted = inverted
        if not create and not (folder / PAPERS).is_file():
            raise RetrievalError(
                f"there is no corpus at {folder}; run: trimtab corpus import FILE, or fetch"
            )
        self.papers = PaperStore(folder / PAPERS)

    def __enter__(self) -> Corpus:
        return self

    def __exit__(self, *_: object) -> None:
        self.papers.close()

    @property
    def embedder_name(self) -> str | None:
        """Return the name of the index's embedder, None where nothing is indexed yet."""
        path = self.folder / INDEX
        return made_with(path)[0] if path.is_file() else None

    def open_index(self, embedder: Embedder) -> EmbeddedIndex:
        """Return the index, made if absent; the caller closes it.

        Raises:
            ConfigError: another embedder made it.
            RetrievalError: its service cannot be reached.
        """
        if self._service is not None:
            return ServedIndex(
                self.folder / INDEX, service=self._service(embedder), corpus=self._namespace
            )
        return self._open_file(embedder)

    @property
    def _namespace(self) -> str:
        return self.folder.resolve().name

    def _open_file(self, embedder: Embedder) -> EmbeddedIndex:
        kind = FaissIndex if self._inverted else EmbeddedIndex
        return kind(self.folder / INDEX, embedder=embedder.name, dim=embedder.dim)

    def index(
        self,
        embedder: Embedder,
        *,
        config: ChunkConfig | None = None,
        progress: Callable[[Counter[str]], None] | None = None,
    ) -> Counter[str]:
        """Bring the index up to date with the papers; see :func:`trimtab.rag.ingest.ingest`.

        File and service are brought up to date apart from each other: either may be behind.
        What the service took is counted with ``service_`` before its name.
        """
        with self._open_file(embedder) as file:
            counts = ingest(self.papers.papers(), file, embedder, config=config, progress=progress)
        if self._service is None:
            return counts
        with closing(self._service(embedder)) as service:
            sent = ingest(
                self.papers.papers(),
                service,
                embedder,
                config=config,
                namespace=self._namespace,
                progress=progress,
            )
        return counts + Counter({f"service_{name}": count for name, count in sent.items()})

    def retriever(
        self,
        index: EmbeddedIndex,
        embedder: Embedder,
        *,
        config: HybridConfig | None = None,
        where: Where | None = None,
    ) -> HybridRetriever:
        """Return a retriever over an open index of this corpus."""
        return HybridRetriever(index, index, embedder, config=config, where=where)


def open_corpus(
    folder: Path, settings: Settings, *, create: bool = True, index: str | None = None
) -> Corpus:
    """Return a corpus whose vectors are searched where the settings, or ``index``, say.

    Raises:
        RetrievalError: there is no corpus, or it cannot be used.
        ConfigError: Pinecone is to search and its key is not set.
    """
    service = service_of(settings, index=index)
    inverted = (settings.index if index is None else index) == "faiss"
    return Corpus(folder, create=create, service=service, inverted=inverted)


def paper_filter(*, category: str | None, since: str | None, until: str | None) -> Where | None:
    """Return the filter of papers of a category and of a time, None where nothing is asked.

    A paper of which only the year is known passes where its whole year does.

    Args:
        category: such as ``cs.LG``.
        since: first day, ``YYYY-MM-DD``.
        until: last day.

    Raises:
        InputError: none of arXiv's categories, no day, or a span that ends before it begins.
    """
    parts: list[Where] = []
    if category is not None:
        check_category(category)
        parts.append({"categories": category})
    if since is not None:
        day, year = _day(since, "since")
        first_whole = year if day == year * 10_000 + 101 else year + 1
        parts.append(_dated({"$gte": day}, {"$gte": first_whole}))
    if until is not None:
        day, year = _day(until, "until")
        last_whole = year if day == year * 10_000 + 1231 else year - 1
        parts.append(_dated({"$lte": day}, {"$lte": last_whole}))
        if since is not None and _day(since, "since")[0] > day:
            raise InputError(f"since={since!r} lies behind until={until!r}; swap them")
    return {"$and": parts} if parts else None


def _dated(day: Where, year: Where) -> Where:
    return {"$or": [{"date": day}, {"$and": [{"date": {"$exists": False}}, {"year": year}]}]}


def _day(text: str, field: str) -> tuple[int, int]:
    try:
        found = date.fromisoformat(text)
    except ValueError as error:
        raise InputError(f"{field}={text!r} is no day; write it like 2024-05-01") from error
    return int(found.strftime("%Y%m%d")), found.year
