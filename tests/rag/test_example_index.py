from __future__ import annotations

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given

from tests.contracts.retriever import RetrieverContract
from tests.support import LetterEmbedder
from trimtab.errors import InputError
from trimtab.protocols import Array, Embedder
from trimtab.rag.example_index import ExampleIndex

TEXTS = ("cab", "abc", "cat", "dog", "god", "zebra")
LABELS = ("x", "x", "y", "z", "z", "y")


def index_of(texts: tuple[str, ...]) -> ExampleIndex:
    embedder = LetterEmbedder()
    labels = [f"label {row}" for row in range(len(texts))]
    return ExampleIndex(texts, labels, embedder.embed(texts), embedder)


@pytest.fixture
def index() -> ExampleIndex:
    embedder = LetterEmbedder()
    return ExampleIndex(TEXTS, LABELS, embedder.embed(TEXTS), embedder)


class TestExampleIndex(RetrieverContract):
    @pytest.fixture
    def retriever(self, index: ExampleIndex) -> ExampleIndex:
        return index

    @pytest.fixture
    def query(self) -> str:
        return "a cab"


def test_passages_carry_text_row_and_label(index: ExampleIndex) -> None:
    [passage] = index.retrieve("zebras", k=1)
    assert (passage.text, passage.source_id, passage.metadata) == ("zebra", "5", {"label": "y"})
    assert passage.score == pytest.approx(np.sqrt(5 / 6), abs=1e-6)


def test_ties_go_to_the_earlier_row(index: ExampleIndex) -> None:
    assert [p.text for p in index.retrieve("god", k=2)] == ["dog", "god"]
    assert [p.text for p in index.retrieve("bca", k=1)] == ["cab"]


def test_equal_rows_tie_wherever_they_lie() -> None:
    index = index_of(("anagram",) * 37)
    assert [p.source_id for p in index.retrieve("nag a ram", k=30)] == [str(i) for i in range(30)]


def test_a_text_of_the_index_can_be_kept_from_finding_itself(index: ExampleIndex) -> None:
    assert index.retrieve("dog", k=1)[0].text == "dog"
    assert index.retrieve("dog", k=1, exclude_same_text=True)[0].text == "god"
    assert len(index.retrieve("dog", k=6, exclude_same_text=True)) == 5


@given(st.lists(st.text("abcde", min_size=1, max_size=6), min_size=1, max_size=30), st.data())
def test_no_example_that_was_left_out_is_nearer(texts: list[str], data: st.DataObject) -> None:
    query = data.draw(st.text("abcde", max_size=6))
    k = data.draw(st.integers(1, 40))
    embedder = LetterEmbedder()
    cosines = embedder.embed(texts).astype(np.float64) @ embedder.embed([query])[0]
    found = index_of(tuple(texts)).retrieve(query, k=k)
    rows = [int(passage.source_id) for passage in found]
    assert len(rows) == min(k, len(texts))
    np.testing.assert_allclose([p.score for p in found], cosines[rows], atol=1e-6)
    left_out = np.delete(cosines, rows)
    assert not left_out.size or left_out.max() <= found[-1].score + 1e-6
    assert [(-p.score, int(p.source_id)) for p in found] == sorted(
        (-p.score, int(p.source_id)) for p in found
    )


def test_nearest_cosine_is_that_of_the_best_example(index: ExampleIndex) -> None:
    queries = [f"query {'abcdefgh'[i % 8] * (i % 5)}" for i in range(600)]
    cosines = index.nearest_cosine(LetterEmbedder().embed(queries))
    best = [index.retrieve(query, k=1)[0].score for query in queries]
    np.testing.assert_allclose(cosines, best, atol=2e-6)


def test_no_queries_have_no_nearest(index: ExampleIndex) -> None:
    assert index.nearest_cosine(np.empty((0, 27), dtype=np.float32)).shape == (0,)


@pytest.mark.parametrize(
    ("texts", "labels", "vectors", "message"),
    [
        (["a"], ["x", "y"], np.eye(1, 27), "1 texts, 2 labels and 1 vectors"),
        (["a", "b"], ["x", "y"], np.eye(1, 27), "2 texts, 2 labels and 1 vectors"),
        (["a"], ["x"], np.eye(1, 9), "letters-27"),
        (["a"], ["x"], np.ones(1), "letters-27"),
        (["a"], ["x"], np.full((1, 27), np.nan), "NaN"),
        ([], [], np.empty((0, 27)), "at least one"),
    ],
)
def test_what_does_not_fit_is_refused(
    texts: list[str], labels: list[str], vectors: Array, message: str
) -> None:
    embedder: Embedder = LetterEmbedder()
    with pytest.raises(InputError, match=message):
        ExampleIndex(texts, labels, vectors.astype(np.float32), embedder)
