"""What every retriever must keep, whatever it searches."""

from __future__ import annotations

import pytest

from trimtab.errors import InputError
from trimtab.protocols import Retriever


class RetrieverContract:
    """Subclass it and provide the fixtures."""

    @pytest.fixture
    def retriever(self) -> Retriever:
        """Return a retriever over at least four passages."""
        raise NotImplementedError

    @pytest.fixture
    def query(self) -> str:
        raise NotImplementedError

    @pytest.mark.parametrize("k", [1, 2, 4])
    def test_k_passages_come_back(self, retriever: Retriever, query: str, k: int) -> None:
        assert len(retriever.retrieve(query, k=k)) == k

    def test_a_small_store_gives_fewer(self, retriever: Retriever, query: str) -> None:
        assert 4 <= len(retriever.retrieve(query, k=10_000)) < 10_000

    def test_the_nearest_comes_first(self, retriever: Retriever, query: str) -> None:
        scores = [passage.score for passage in retriever.retrieve(query, k=4)]
        assert scores == sorted(scores, reverse=True)

    def test_a_larger_k_only_appends(self, retriever: Retriever, query: str) -> None:
        longest = retriever.retrieve(query, k=10_000)
        for k in (1, 2, 3, len(longest) - 1, len(longest)):
            assert retriever.retrieve(query, k=k) == longest[:k]

    def test_no_passage_comes_twice(self, retriever: Retriever, query: str) -> None:
        sources = [passage.source_id for passage in retriever.retrieve(query, k=10_000)]
        assert len(set(sources)) == len(sources)

    @pytest.mark.parametrize("k", [0, -1])
    def test_no_k_is_refused(self, retriever: Retriever, query: str, k: int) -> None:
        with pytest.raises(InputError, match=f"k={k}"):
            retriever.retrieve(query, k=k)
