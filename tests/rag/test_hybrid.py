from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.contracts.retriever import RetrieverContract
from tests.support import LetterEmbedder
from trimtab.errors import ConfigError
from trimtab.protocols import Retriever
from trimtab.rag.embedded_index import EmbeddedIndex
from trimtab.rag.hybrid import MODES, HybridConfig, HybridRetriever, Mode, fused, reciprocal_ranks
from trimtab.rag.passage_index import Entry
from trimtab.rag.search_terms import is_literal

PAPERS = {
    "routing": ("Routing between models", "A router asks the large model only where it must."),
    "search": ("Tree search in games", "Visits decide which move is played, as in Go."),
    "identifier": ("A benchmark", "We evaluate QX-77b and others on twelve tasks."),
    "distractor": ("Benchmarks of tasks", "We evaluate evaluation: tasks, tasks and benchmarks."),
    "accent": ("Équilibres de Nash", "Le théorème de Hölder est démontré."),
    "chinese": ("深度学习", "本文研究深度学习在围棋中的应用。"),
    "russian": ("Обучение без учителя", "Нейронные сети учатся без разметки."),
    "phrase": ("On attention", "It is said that attention is all you need."),
    "scrambled": ("On needs", "All you need is said to attention; you need all attention."),
}


@pytest.fixture
def index(tmp_path: Path) -> Iterator[EmbeddedIndex]:
    embedder = LetterEmbedder()
    with EmbeddedIndex(tmp_path / "i.sqlite", embedder=embedder.name, dim=embedder.dim) as index:
        vectors = embedder.embed([f"{title}\n{text}" for title, text in PAPERS.values()])
        index.upsert(
            [
                Entry(
                    id=name,
                    title=title,
                    text=text,
                    vector=vector,
                    metadata={"year": 2020 + number, "categories": ["cs.AI"]},
                )
                for number, ((name, (title, text)), vector) in enumerate(
                    zip(PAPERS.items(), vectors, strict=True)
                )
            ]
        )
        yield index


def _retriever(index: EmbeddedIndex, mode: Mode = "hybrid") -> HybridRetriever:
    return HybridRetriever(index, index, LetterEmbedder(), config=HybridConfig(mode=mode))


class _ModeContract(RetrieverContract):
    mode: Mode

    @pytest.fixture
    def retriever(self, index: EmbeddedIndex) -> Retriever:
        return _retriever(index, self.mode)

    @pytest.fixture
    def query(self) -> str:
        # every word list holds at least four of these
        return "all tasks, all models you need said evaluate router move"


class TestHybrid(_ModeContract):
    mode = "hybrid"


class TestReciprocalRanks(_ModeContract):
    mode = "rrf"


class TestDense(_ModeContract):
    mode = "dense"


class TestWords(_ModeContract):
    mode = "bm25"


@pytest.mark.parametrize(
    ("query", "name"),
    [
        ("QX-77b", "identifier"),
        ("how good is qx-77B at tasks", "identifier"),
        ('"attention is all you need"', "phrase"),
        ("equilibres holder", "accent"),
        ("围棋", "chinese"),
        ("нейронные сети", "russian"),
    ],
)
def test_hybrid_finds(index: EmbeddedIndex, query: str, name: str) -> None:
    assert _retriever(index).retrieve(query, k=1)[0].source_id == name


@pytest.mark.parametrize("query", ["ab-1", "the ab-1", '"ab 1"'])
def test_a_bare_identifier_outweighs_any_cosine(index: EmbeddedIndex, query: str) -> None:
    near, right = "ab abab", "Zzz mentions ab-1 zzz among quite other words"
    vectors = LetterEmbedder().embed([near, right])
    index.upsert(
        [
            Entry(id="near", text=near, vector=vectors[0]),
            Entry(id="right", text=right, vector=vectors[1]),
        ]
    )
    assert _retriever(index, "dense").retrieve("ab-1", k=1)[0].source_id == "near"
    assert _retriever(index).retrieve(query, k=1)[0].source_id == "right"


@pytest.mark.parametrize(
    ("query", "literal"),
    [
        ("2505.12028", True),
        ("the QX-77b", True),
        ('"attention is all"', True),
        ("QX-77b on tasks", False),
        ("attention", False),
        ("level 3", False),
        ("", False),
    ],
)
def test_a_literal_query_names_and_does_not_describe(query: str, literal: bool) -> None:
    assert is_literal(query) is literal


def test_a_passage_carries_title_and_fields(index: EmbeddedIndex) -> None:
    [passage] = _retriever(index).retrieve("QX-77b", k=1)
    assert passage.text == PAPERS["identifier"][1]
    assert passage.metadata == {
        "title": "A benchmark",
        "year": "2022",
        "categories": '["cs.AI"]',
    }


@pytest.mark.parametrize("mode", MODES)
def test_a_filter_holds_in_every_mode(index: EmbeddedIndex, mode: Mode) -> None:
    where = {"year": {"$gte": 2027}}
    config = HybridConfig(mode=mode)
    retriever = HybridRetriever(index, index, LetterEmbedder(), config=config, where=where)
    found = {passage.source_id for passage in retriever.retrieve("attention need tasks", k=9)}
    assert found == {"phrase", "scrambled"}


def test_what_no_word_finds_is_found_by_vector(index: EmbeddedIndex) -> None:
    assert _retriever(index, "bm25").retrieve("zzz", k=3) == []
    assert len(_retriever(index).retrieve("zzz", k=3)) == 3


def test_another_embedder_is_refused(index: EmbeddedIndex) -> None:
    class Other(LetterEmbedder):
        name = "other"

    with pytest.raises(ConfigError, match="'other'"):
        HybridRetriever(index, index, Other())


def test_fusion_weighs_scores_relative_to_the_largest() -> None:
    scores = fused({"a": 0.8, "b": 0.4}, {"b": 6.0, "c": 3.0}, weight=0.75)
    assert scores == pytest.approx({"a": 0.75, "b": 0.375 + 0.25, "c": 0.125})


def test_fusion_survives_cosines_below_zero() -> None:
    assert fused({"a": -0.5}, {}, weight=0.5)["a"] < 0


def test_reciprocal_ranks_add_up() -> None:
    assert reciprocal_ranks([["a", "b"], ["b"]], k=60) == pytest.approx(
        {"a": 1 / 61, "b": 1 / 62 + 1 / 61}
    )


@pytest.mark.parametrize(
    "settings",
    [{"mode": "best"}, {"dense_weight": 1.5}, {"word_candidates": 0}, {"rrf_k": 0.0}],
    ids=str,
)
def test_a_config_that_cannot_be_is_refused(settings: dict[str, object]) -> None:
    with pytest.raises(ConfigError):
        HybridConfig(**settings)  # type: ignore[arg-type]  # wrong on purpose
