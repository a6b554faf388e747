"""LangChain's ``VectorStore`` and ``BaseRetriever`` over this package's stores and retrievers.

Import it only where LangChain is wanted: nothing of trimtab needs it to retrieve.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterable, Sequence
from typing import Any, Self

import numpy as np
from langchain_core.callbacks import CallbackManagerForRetrieverRun
from langchain_core.documents import Document
from langchain_core.embeddings import Embeddings
from langchain_core.retrievers import BaseRetriever
from langchain_core.vectorstores import VectorStore
from pydantic import ConfigDict

from trimtab.errors import ConfigError, InputError
from trimtab.protocols import Array, Embedder, Retriever
from trimtab.rag.filters import Where
from trimtab.rag.passage_index import Entry, Hit, PassageIndex

_OTHER = "json"  # field that holds what the stores' own types cannot


class TrimtabEmbeddings(Embeddings):
    """Any embedder of trimtab as LangChain's embeddings."""

    def __init__(self, embedder: Embedder) -> None:
        self.embedder = embedder

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        """Return one unit vector a text."""
        rows: list[list[float]] = self.embedder.embed(texts).tolist()
        return rows

    def embed_query(self, text: str) -> list[float]:
        """Return the unit vector of a query."""
        return self.embed_documents([text])[0]


class TrimtabVectorStore(VectorStore):
    """A LangChain vector store over any ``PassageIndex``, such as the embedded one or Pinecone.

    Metadata may be any JSON; filters see texts, numbers, truths and lists of texts at its top.

    Args:
        index: where documents are kept.
        embedding: makes the vectors; its width is the index's.
        namespace: of the documents.
    """

    def __init__(self, index: PassageIndex, embedding: Embeddings, *, namespace: str = "") -> None:
        self._index = index
        self._embedding = embedding
        self._namespace = namespace

    @property
    def embeddings(self) -> Embeddings:
        """Return what makes the vectors."""
        return self._embedding

    def add_texts(
        self,
        texts: Iterable[str],
        metadatas: list[dict[str, Any]] | None = None,
        *,
        ids: list[str] | None = None,
        **kwargs: Any,  # noqa: ANN401 - the base class's
    ) -> list[str]:
        """Store texts and return their ids; those with a known id replace what was there."""
        kept = list(texts)
        fields = metadatas if metadatas is not None else [{} for _ in kept]
        given: Sequence[str | None] = ids if ids is not None else [None] * len(kept)
        if not len(kept) == len(fields) == len(given):
            raise InputError(
                f"{len(kept)} texts, {len(fields)} metadatas and {len(given)} ids; give as many"
            )
        names = [name or uuid.uuid4().hex for name in given]
        vectors = self._embedding.embed_documents(kept)
        self._index.upsert(
            [
                Entry(id=name, text=text, vector=_array(vector), metadata=_stored(plain))
                for name, text, plain, vector in zip(names, kept, fields, vectors, strict=True)
            ],
            namespace=self._namespace,
        )
        return names

    def get_by_ids(self, ids: Sequence[str], /) -> list[Document]:
        """Return the stored documents of those ids, in their order."""
        found = self._index.fetch(list(ids), namespace=self._namespace)
        return [_document(found[name]) for name in ids if name in found]

    def delete(self, ids: list[str] | None = None, **kwargs: Any) -> bool | None:  # noqa: ANN401
        """Delete by ids, or by ``filter=``; deleting everything at once is not offered."""
        self._index.delete(ids=ids, where=kwargs.get("filter"), namespace=self._namespace)
        return True

    def similarity_search(
        self,
        query: str,
        k: int = 4,
        **kwargs: Any,  # noqa: ANN401 - the base class's
    ) -> list[Document]:
        """Return the k nearest documents; ``filter=`` takes Pinecone's filter language."""
        return [document for document, _ in self.similarity_search_with_score(query, k, **kwargs)]

    def similarity_search_with_score(
        self,
        query: str,
        k: int = 4,
        *,
        filter: Where | None = None,  # noqa: A002 - LangChain's name
        **kwargs: Any,  # noqa: ANN401 - the base class's
    ) -> list[tuple[Document, float]]:
        """Return the k nearest documents with their cosine."""
        return self._nearest(self._embedding.embed_query(query), k, filter)

    def similarity_search_by_vector(
        self,
        embedding: list[float],
        k: int = 4,
        **kwargs: Any,  # noqa: ANN401 - the base class's
    ) -> list[Document]:
        """Return the k documents nearest to a vector."""
        return [document for document, _ in self._nearest(embedding, k, kwargs.get("filter"))]

    @classmethod
    def from_texts(
        cls,
        texts: list[str],
        embedding: Embeddings,
        metadatas: list[dict[str, Any]] | None = None,
        *,
        ids: list[str] | None = None,
        index: PassageIndex | None = None,
        **kwargs: Any,  # noqa: ANN401 - the base class's
    ) -> Self:
        """Return a store over ``index`` that holds the texts."""
        if index is None:
            raise ConfigError("from_texts needs index=, the store that shall hold the texts")
        store = cls(index, embedding, **kwargs)
        store.add_texts(texts, metadatas, ids=ids)
        return store

    def _select_relevance_score_fn(self) -> Any:  # noqa: ANN401 - the base class's
        return lambda cosine: (1.0 + cosine) / 2.0

    def _nearest(
        self, vector: Sequence[float], k: int, where: Where | None
    ) -> list[tuple[Document, float]]:
        hits = self._index.nearest(_array(vector), k=k, where=where, namespace=self._namespace)
        return [(_document(hit), hit.score) for hit in hits]


class TrimtabRetriever(BaseRetriever):
    """Any retriever of trimtab (hybrid, for one) as LangChain's.

    Attributes:
        retriever: what retrieves.
        k: passages of an answer.
    """

    model_config = ConfigDict(arbitrary_types_allowed=True)

    retriever: Any
    k: int = 8

    def _get_relevant_documents(
        self,
        query: str,
        *,
        run_manager: CallbackManagerForRetrieverRun,
        k: int | None = None,
    ) -> list[Document]:
        source: Retriever = self.retriever
        return [
            Document(
                id=passage.source_id,
                page_content=passage.text,
                metadata={**passage.metadata, "score": passage.score},
            )
            for passage in source.retrieve(query, k=self.k if k is None else k)
        ]


def _array(vector: Sequence[float]) -> Array:
    return np.array(vector, dtype=np.float32)


def _stored(plain: dict[str, Any]) -> dict[str, Any]:
    """Return the fields that stores can filter by, and all of them as JSON beside."""
    try:
        whole = json.dumps(plain)
    except (TypeError, ValueError) as error:
        raise InputError(f"metadata {plain!r:.80} is no JSON ({error})") from error
    seen = {name: value for name, value in plain.items() if _can_be_filtered(name, value)}
    return seen if seen == plain else {**seen, _OTHER: whole}


def _can_be_filtered(name: str, value: object) -> bool:
    if not name or name[0] in "$_" or name == _OTHER:
        return False
    if isinstance(value, list):
        return all(isinstance(item, str) for item in value)
    return isinstance(value, str | int | float | bool)


def _document(hit: Hit) -> Document:
    fields = dict(hit.metadata)
    whole = fields.get(_OTHER)
    plain = json.loads(whole) if isinstance(whole, str) else fields
    return Document(id=hit.id, page_content=hit.text, metadata=plain)
