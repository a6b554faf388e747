from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from langchain_core.documents import Document
from langchain_core.retrievers import BaseRetriever
from langchain_core.vectorstores import VectorStore
from langchain_tests.integration_tests import (
    EmbeddingsIntegrationTests,
    RetrieversIntegrationTests,
    VectorStoreIntegrationTests,
)
from langchain_tests.integration_tests.vectorstores import EMBEDDING_SIZE

from tests.rag.pinecone_server import pinecone_server
from tests.rag.test_pinecone_index import connected
from tests.support import LetterEmbedder
from trimtab.errors import ConfigError, InputError
from trimtab.rag.embedded_index import EmbeddedIndex
from trimtab.rag.hybrid import HybridRetriever
from trimtab.rag.langchain_store import TrimtabEmbeddings, TrimtabRetriever, TrimtabVectorStore
from trimtab.rag.passage_index import Entry


class TestEmbeddedStore(VectorStoreIntegrationTests):
    @pytest.fixture
    def vectorstore(self, tmp_path: Path) -> Iterator[VectorStore]:  # type: ignore[override]
        path = tmp_path / "index.sqlite"
        with EmbeddedIndex(path, embedder="fake", dim=EMBEDDING_SIZE) as index:
            yield TrimtabVectorStore(index, self.get_embeddings())


class TestPineconeStore(VectorStoreIntegrationTests):
    @pytest.fixture
    def vectorstore(self) -> Iterator[VectorStore]:  # type: ignore[override]
        with (
            pinecone_server(lag=1) as (state, _),
            connected(state, embedder="fake", dim=EMBEDDING_SIZE) as index,
        ):
            yield TrimtabVectorStore(index, self.get_embeddings())


@pytest.fixture
def index(tmp_path: Path) -> Iterator[EmbeddedIndex]:
    embedder = LetterEmbedder()
    with EmbeddedIndex(tmp_path / "i.sqlite", embedder=embedder.name, dim=embedder.dim) as index:
        yield index


class TestHybridRetriever(RetrieversIntegrationTests):
    @pytest.fixture(autouse=True)
    def filled(self, index: EmbeddedIndex) -> None:
        texts = ["a router refuses", "a tree of moves", "words of papers", "the last of four"]
        vectors = LetterEmbedder().embed(texts)
        index.upsert(
            [
                Entry(id=str(number), text=text, vector=vector, metadata={"year": 2024})
                for number, (text, vector) in enumerate(zip(texts, vectors, strict=True))
            ]
        )
        self.index = index

    @property
    def retriever_constructor(self) -> type[BaseRetriever]:
        return TrimtabRetriever

    @property
    def retriever_constructor_params(self) -> dict[str, Any]:
        return {"retriever": HybridRetriever(self.index, self.index, LetterEmbedder())}

    @property
    def retriever_query_example(self) -> str:
        return "which router"


class TestEmbeddings(EmbeddingsIntegrationTests):
    @property
    def embeddings_class(self) -> type[TrimtabEmbeddings]:
        return TrimtabEmbeddings

    @property
    def embedding_model_params(self) -> dict[str, Any]:
        return {"embedder": LetterEmbedder()}


def test_any_json_survives_and_its_top_can_be_filtered(index: EmbeddedIndex) -> None:
    store = TrimtabVectorStore(index, TrimtabEmbeddings(LetterEmbedder()))
    odd = {"year": 2024, "nested": {"a": [1, None]}, "_private": "x", "tags": ["a", "b"]}
    store.add_documents([Document(id="x", page_content="abc", metadata=odd)])
    store.add_documents([Document(id="y", page_content="abd", metadata={"year": 2020})])
    [found] = store.similarity_search("abc", k=5, filter={"year": {"$gt": 2021}, "tags": "b"})
    assert (found.id, found.metadata) == ("x", odd)
    store.delete(filter={"year": 2020})
    assert store.get_by_ids(["x", "y"])[0].id == "x"


def test_metadata_that_is_no_json_is_refused(index: EmbeddedIndex) -> None:
    store = TrimtabVectorStore(index, TrimtabEmbeddings(LetterEmbedder()))
    with pytest.raises(InputError, match="no JSON"):
        store.add_texts(["a"], [{"x": object()}])
    with pytest.raises(InputError, match="1 texts"):
        store.add_texts(["a"], [], ids=["1", "2"])


def test_from_texts_wants_the_index(index: EmbeddedIndex) -> None:
    embeddings = TrimtabEmbeddings(LetterEmbedder())
    store = TrimtabVectorStore.from_texts(["abc", "xyz"], embeddings, ids=["1", "2"], index=index)
    assert store.similarity_search_by_vector(embeddings.embed_query("xyz"), k=1)[0].id == "2"
    with pytest.raises(ConfigError, match="index="):
        TrimtabVectorStore.from_texts(["abc"], embeddings)
