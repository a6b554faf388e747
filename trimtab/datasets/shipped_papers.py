"""The papers that trimtab brings along: facts from arXiv, summaries of our own."""

from __future__ import annotations

import functools
import hashlib
from importlib import resources
from pathlib import Path

from trimtab.datasets.papers import read_papers
from trimtab.protocols import Embedder
from trimtab.rag.corpus import Corpus
from trimtab.rag.papers import Paper
from trimtab.rag.vector_service import OpenService


@functools.cache
def shipped_papers() -> tuple[Paper, ...]:
    """Return the shipped papers by id; their card is ``trimtab/shipped/papers/CARD.md``."""
    with resources.as_file(_file()) as path:
        return tuple(read_papers(path))


def open_shipped_corpus(
    home: Path, embedder: Embedder, *, service: OpenService | None = None
) -> Corpus:
    """Return the shipped papers as an indexed corpus; the caller closes it.

    It is made on first use; a run that was killed meanwhile is finished by the next. Another
    release of the papers, or another embedder, has a folder of its own.

    Args:
        home: where trimtab keeps its files.
        embedder: of the index.
        service: opens what searches the vectors in the place of the embedded index.
    """
    plain = _file().read_bytes() + embedder.name.encode()
    folder = home / "shipped-papers" / hashlib.sha256(plain).hexdigest()[:16]
    corpus = Corpus(folder, service=service)
    try:
        corpus.papers.put(shipped_papers())
        corpus.index(embedder)
    except BaseException:
        corpus.papers.close()
        raise
    return corpus


def _file() -> resources.abc.Traversable:
    return resources.files("trimtab") / "shipped" / "papers" / "papers.jsonl"
