from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing

import pytest

from tests.contracts.embedder import EmbedderContract
from tests.loopback import Loopback, Reply, serving
from tests.rag.embeddings_server import letters
from tests.support import LetterEmbedder
from trimtab.errors import EmbedderMissing
from trimtab.protocols import Embedder
from trimtab.rag.openai_embedder import OpenAIEmbedder


def embedder_at(server: Loopback, *, dim: int = LetterEmbedder.dim) -> OpenAIEmbedder:
    return OpenAIEmbedder("letters", dim=dim, api_key="no-secret", base_url=server.url)


class TestOpenAIEmbedder(EmbedderContract):
    @pytest.fixture
    def embedder(self) -> Iterator[Embedder]:
        with serving(letters) as server, closing(embedder_at(server)) as embedder:
            yield embedder


def test_texts_go_as_texts_with_the_width_that_is_wanted() -> None:
    with serving(letters) as server, closing(embedder_at(server)) as embedder:
        embedder.embed(["two texts", " "])
    [request] = server.requests
    assert request.body["input"] == ["two texts", "."]
    assert request.body["dimensions"] == 27


def test_a_refusal_is_a_missing_embedder() -> None:
    refusal = Reply(status=401, body={"error": {"message": "wrong key"}})
    with (
        serving([refusal]) as server,
        closing(embedder_at(server)) as embedder,
        pytest.raises(EmbedderMissing, match="wrong key"),
    ):
        embedder.embed(["a"])


def test_another_width_is_refused() -> None:
    with (
        serving(letters) as server,
        closing(embedder_at(server, dim=5)) as embedder,
        pytest.raises(EmbedderMissing, match="not as"),
    ):
        embedder.embed(["a"])
