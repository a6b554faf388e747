from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.contracts.index import DIM, PAPERS, TOWARDS_A, IndexContract
from tests.rag.pinecone_server import PineconeServer, pinecone_server
from tests.rag.test_pinecone_index import connected
from tests.support import LetterEmbedder
from trimtab.errors import ConfigError
from trimtab.rag.embedded_index import EmbeddedIndex
from trimtab.rag.library import COSINE, Library
from trimtab.rag.passage_index import Entry
from trimtab.rag.vector_service import ServedIndex, service_of
from trimtab.settings import load_settings


def opened(state: PineconeServer, folder: Path) -> ServedIndex:
    return ServedIndex(folder / "index.sqlite", service=connected(state), corpus="bio")


class TestServedIndex(IndexContract):
    @pytest.fixture
    def index(self, tmp_path: Path) -> Iterator[ServedIndex]:
        with pinecone_server() as (state, _), opened(state, tmp_path) as index:
            yield index


def test_the_service_finds_vectors_and_the_file_finds_words(tmp_path: Path) -> None:
    with pinecone_server() as (state, loopback), opened(state, tmp_path) as index:
        index.upsert(PAPERS)
        before = len(loopback.requests)
        assert index.nearest(TOWARDS_A, k=1)[0].id == "a"
        assert len(loopback.requests) == before + 1
        assert index.matching("text of b", k=1)[0].id == "b"
        assert len(loopback.requests) == before + 1


def test_a_library_asks_the_service_for_cosines_and_the_file_for_words(tmp_path: Path) -> None:
    embedder = LetterEmbedder()
    texts = ["zebras decide", "routers ask", "owls sleep"]
    with pinecone_server() as (state, _):
        service = connected(state, embedder=embedder.name, dim=embedder.dim)
        path = tmp_path / "index.sqlite"
        with ServedIndex(path, service=service, corpus="bio") as index:
            vectors = embedder.embed(texts)
            rows = enumerate(zip(texts, vectors, strict=True))
            index.upsert([Entry(id=f"p{k}", text=text, vector=row) for k, (text, row) in rows])
            library = Library(index, embedder)
            [first] = library.find("zebras", k=1)
            [asked] = embedder.embed(["zebras"])
            assert first.source_id == "p0"
            assert float(first.metadata[COSINE]) == pytest.approx(float(asked @ vectors[0]), 1e-4)
            assert library.rarity(["zebras", "gnus"])["gnus"] == 1.0


def test_two_corpora_share_an_index_of_the_service_in_namespaces_of_their_own(
    tmp_path: Path,
) -> None:
    with pinecone_server() as (state, _):
        with opened(state, tmp_path) as index:
            index.upsert(PAPERS)
        with connected(state) as service:
            assert service.namespaces() == ["bio"]


def test_a_file_of_another_embedder_is_refused(tmp_path: Path) -> None:
    EmbeddedIndex(tmp_path / "index.sqlite", embedder="other", dim=DIM).close()
    with pinecone_server() as (state, _):
        service = connected(state)
        with pytest.raises(ConfigError, match="made by 'other'"):
            ServedIndex(tmp_path / "index.sqlite", service=service, corpus="bio")
        service.close()


def test_this_machine_searches_unless_a_service_is_named() -> None:
    assert service_of(load_settings({})) is None
    with pytest.raises(ConfigError, match="PINECONE_API_KEY"):
        service_of(load_settings({"TRIMTAB_INDEX": "pinecone"}))
    with pytest.raises(ConfigError, match="PINECONE_API_KEY"):
        service_of(load_settings({}), index="pinecone")
    keyed = load_settings({"TRIMTAB_INDEX": "pinecone", "PINECONE_API_KEY": "k"})
    assert service_of(keyed) is not None
    assert service_of(keyed, index="embedded") is None
    with pytest.raises(ConfigError, match="chroma"):
        service_of(keyed, index="chroma")
