"""An index whose vectors a service searches, while texts and words stay in a file here.

A service such as Pinecone finds by vectors; hybrid retrieval also wants words, which the embedded
index finds.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from trimtab.errors import ConfigError
from trimtab.protocols import Array, Embedder
from trimtab.rag.embedded_index import EmbeddedIndex
from trimtab.rag.filters import Where
from trimtab.rag.passage_index import Entry, Hit, PassageIndex
from trimtab.rag.pinecone_index import PineconeConfig, PineconeIndex
from trimtab.settings import INDEXES, Settings

OpenService = Callable[[Embedder], PassageIndex]
"""Opens the service for the vectors of an embedder; whoever calls it closes what it returns."""


class ServedIndex(EmbeddedIndex):
    """Writes to both, finds by vectors in the service and by words in the file.

    Args:
        path: the file; made if absent.
        service: holds the vectors; closed with this index.
        corpus: namespace of the service that stands for the empty one here.

    Raises:
        ConfigError: the file was made by another embedder than the service.
        RetrievalError: the file cannot be used.
    """

    def __init__(self, path: Path, *, service: PassageIndex, corpus: str) -> None:
        super().__init__(path, embedder=service.embedder_name, dim=service.dim)
        self._service = service
        self._corpus = corpus

    def upsert(self, entries: Sequence[Entry], *, namespace: str = "") -> None:
        """Store entries, first in the service."""
        self._service.upsert(entries, namespace=self._space(namespace))
        super().upsert(entries, namespace=namespace)

    def delete(
        self, *, ids: Sequence[str] | None = None, where: Where | None = None, namespace: str = ""
    ) -> None:
        """Delete by ids or by a filter, first in the service."""
        self._service.delete(ids=ids, where=where, namespace=self._space(namespace))
        super().delete(ids=ids, where=where, namespace=namespace)

    def nearest(
        self, vector: Array, *, k: int, where: Where | None = None, namespace: str = ""
    ) -> list[Hit]:
        """Return at most k hits by cosine, nearest first, as the service finds them."""
        return self._service.nearest(vector, k=k, where=where, namespace=self._space(namespace))

    def vectors_of(self, ids: Sequence[str], *, namespace: str = "") -> dict[str, Array]:
        """Return the `[D]` unit vector of each entry of those ids that the service holds."""
        return self._service.vectors_of(ids, namespace=self._space(namespace))

    def close(self) -> None:
        """Close file and service; a second call does nothing."""
        super().close()
        self._service.close()

    def _space(self, namespace: str) -> str:
        return f"{self._corpus}.{namespace}" if namespace else self._corpus


def service_of(settings: Settings, *, index: str | None = None) -> OpenService | None:
    """Return how to open the service that is to search vectors; None where this machine does.

    Args:
        settings: key and name, and the choice where none is given.
        index: ``embedded``, ``faiss`` or ``pinecone``; that of the settings if None.

    Raises:
        ConfigError: Pinecone is wanted without a key, or the index is not known.
    """
    chosen = settings.index if index is None else index
    if chosen in ("embedded", "faiss"):
        return None
    if chosen != "pinecone":
        raise ConfigError(f"index={chosen!r} is not known; use one of {list(INDEXES)}")
    key = settings.pinecone_api_key
    if key is None:
        raise ConfigError(
            "index=pinecone needs PINECONE_API_KEY; set it, or use --index embedded "
            "(TRIMTAB_INDEX=embedded)"
        )
    config = PineconeConfig(name=settings.pinecone_index, control_url=settings.pinecone_url)
    return lambda embedder: PineconeIndex(
        config, api_key=key, embedder=embedder.name, dim=embedder.dim
    )
