from __future__ import annotations

import itertools
import os
import secrets
from collections.abc import Iterator

import pytest

from tests.contracts.index import DIM, PAPERS, TOWARDS_A, IndexContract, direction, entry
from tests.loopback import Loopback, Reply
from tests.rag.pinecone_server import PineconeServer, pinecone_server
from trimtab.errors import ConfigError, InputError, RetrievalError
from trimtab.rag.passage_index import Entry
from trimtab.rag.pinecone_index import PineconeConfig, PineconeIndex


def connected(
    server: PineconeServer, *, embedder: str = "axes", dim: int = DIM, settle_s: float = 60.0
) -> PineconeIndex:
    ticks = itertools.count()
    return PineconeIndex(
        PineconeConfig(name="papers", control_url=server.url, settle_s=settle_s),
        api_key="no-secret",
        embedder=embedder,
        dim=dim,
        clock=lambda: float(next(ticks)),
        sleep=lambda seconds: None,
    )


class TestPineconeIndex(IndexContract):
    @pytest.fixture
    def index(self) -> Iterator[PineconeIndex]:
        with pinecone_server() as (state, _), connected(state) as index:
            yield index


class TestSlowPineconeIndex(IndexContract):
    """The same service, that shows each write only after some reads."""

    @pytest.fixture
    def index(self) -> Iterator[PineconeIndex]:
        with pinecone_server(lag=3) as (state, _), connected(state) as index:
            yield index


@pytest.mark.live
class TestLivePineconeIndex(IndexContract):
    @pytest.fixture
    def index(self) -> Iterator[PineconeIndex]:
        key = os.environ.get("PINECONE_API_KEY")
        if not key:
            pytest.skip("needs PINECONE_API_KEY")
        name = f"trimtab-test-{secrets.token_hex(4)}"
        config = PineconeConfig(name=name)
        with PineconeIndex(config, api_key=key, embedder="axes", dim=DIM) as index:
            yield index
            index._client.delete_index(name)


@pytest.fixture
def server() -> Iterator[tuple[PineconeServer, Loopback]]:
    with pinecone_server() as pair:
        yield pair


def test_a_missing_index_is_made_and_an_existing_one_is_used(
    server: tuple[PineconeServer, Loopback],
) -> None:
    state, loopback = server
    with connected(state) as index:
        index.upsert(PAPERS)
    with connected(state) as index:
        assert index.count() == len(PAPERS)
    made = [each for each in loopback.requests if each.method == "POST" and "indexes" in each.path]
    assert len(made) == 1
    assert made[0].body["schema"]["fields"] == {
        "_values": {"type": "dense_vector", "dimension": DIM, "metric": "cosine"}
    }
    assert made[0].body["tags"] == {"trimtab_embedder": "axes"}


@pytest.mark.parametrize(("embedder", "dim"), [("minilm", DIM), ("axes", 384)])
def test_another_embedder_is_refused(
    server: tuple[PineconeServer, Loopback], embedder: str, dim: int
) -> None:
    state, _ = server
    connected(state).close()
    with pytest.raises(ConfigError, match="made by 'axes'"):
        connected(state, embedder=embedder, dim=dim)


def test_requests_keep_to_their_limits(server: tuple[PineconeServer, Loopback]) -> None:
    state, loopback = server
    long = [Entry(id=f"l{k}", text="x" * 30_000, vector=direction(1, k, 0, 0)) for k in range(100)]
    many = [entry(f"m{k}", 1, k, 0, 0) for k in range(1500)]
    with connected(state) as index:
        index.upsert([*long, *many])
    sent = [each for each in loopback.requests if each.path.endswith("/vectors/upsert")]
    assert sum(len(each.body["vectors"]) for each in sent) == 1600
    assert max(len(each.body["vectors"]) for each in sent) <= 1000
    assert max(int(each.headers["content-length"]) for each in sent) <= 2_000_000


def test_a_bad_entry_is_refused_before_anything_is_sent(
    server: tuple[PineconeServer, Loopback],
) -> None:
    state, loopback = server
    with connected(state) as index:
        before = len(loopback.requests)
        with pytest.raises(InputError, match="40,960"):
            index.upsert([PAPERS[0], Entry(id="x", text="y" * 41_000, vector=TOWARDS_A)])
        with pytest.raises(InputError, match="10,000"):
            index.nearest(TOWARDS_A, k=10_001)
        assert len(loopback.requests) == before


def test_a_refused_batch_says_what_is_stored(server: tuple[PineconeServer, Loopback]) -> None:
    state, _ = server
    with connected(state) as index:
        state.failures.append(Reply(status=403, body={"error": {"message": "quota"}}))
        with pytest.raises(RetrievalError, match="0 of 5 entries are stored"):
            index.upsert(PAPERS)
        state.failures.append(Reply(body={"upsertedCount": 3}))
        with pytest.raises(RetrievalError, match="stored 3 of 5"):
            index.upsert(PAPERS)


def test_a_passing_fault_is_tried_again(server: tuple[PineconeServer, Loopback]) -> None:
    state, _ = server
    with connected(state) as index:
        state.failures.append(Reply(status=503, body={"error": {"message": "busy"}}))
        index.upsert(PAPERS)
        assert index.count() == len(PAPERS)


def test_a_write_that_is_never_shown_is_an_error() -> None:
    with (
        pinecone_server(lag=10**9) as (state, _),
        connected(state, settle_s=5.0) as index,
        pytest.raises(RetrievalError, match="did not show it within 5 s"),
    ):
        index.upsert(PAPERS)


def test_a_service_that_is_not_there_is_an_error() -> None:
    with pinecone_server() as (state, _):
        pass
    with pytest.raises(RetrievalError, match="'papers' cannot be used"):
        connected(state)


@pytest.mark.parametrize("name", ["", "Papers", "-x", "a" * 46, "a_b"])
def test_a_name_that_cannot_be_is_refused(name: str) -> None:
    with pytest.raises(ConfigError, match="no name"):
        PineconeConfig(name=name)
