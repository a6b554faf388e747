from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from trimtab.bench.retrieval import FIGURES, run, steadiest
from trimtab.bench.retrieval_data import read_data
from trimtab.errors import InputError

DOCS = [
    {"doc_id": "a", "title": "Routing", "text": "A router asks the large model when it must."},
    {"doc_id": "b", "title": "Search", "text": "A tree search plays the game of Go."},
    {"doc_id": "c", "title": "", "text": "Retrieval finds passages for a question."},
    {"doc_id": "d", "title": "Sums", "text": "We add small numbers, QX-77b among them."},
]
QUERIES = [
    {"query_id": "1", "query": "tree search for Go", "relevant": ["b"]},
    {"query_id": "2", "query": "QX-77b", "relevant": ["d"]},
    {"query_id": "3", "query": "zzzz", "relevant": ["a", "c"]},
]


def _write(path: Path, rows: list[dict[str, Any]]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


@pytest.fixture
def docs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("TRIMTAB_HOME", str(tmp_path / "home"))
    return _write(tmp_path / "docs.jsonl", DOCS)


def test_every_way_has_its_figures_and_the_default_stands_on_top(docs: Path) -> None:
    queries = _write(docs.with_name("queries.jsonl"), QUERIES)
    result = run(docs=docs, queries=queries, embedder="wordllama", weights=True)
    measures = result["measures"]
    for figure in FIGURES:
        assert measures[figure] == measures[f"hybrid.{figure}"]
        for mode in ("bm25", "dense", "rrf"):
            measure = measures[f"{mode}.{figure}"]
            assert measure["low"] <= measure["value"] <= measure["high"]
        assert measures[f"selector.{figure}"]["value"] is None
    assert measures["bm25.recall_at_1"]["value"] == pytest.approx(2 / 3)
    assert measures["bm25.recall_at_10"]["value"] == pytest.approx(2 / 3)
    assert measures["dense.recall_at_10"]["value"] == 1.0
    assert 0.0 <= measures["weight.chosen"]["value"] <= 1.0
    assert set(result["bars"]) == {"hybrid.margin"}


def test_known_items_are_asked_by_their_hidden_titles(docs: Path) -> None:
    papers = _write(
        docs.with_name("papers.jsonl"),
        [
            {"arxiv_id": f"2505.0000{k}", "title": f"Zebra{k}", "abstract": row["text"]}
            for k, row in enumerate(DOCS)
        ],
    )
    data = read_data(papers, queries=None, known_item="title")
    assert {document.title for document in data.documents} == {""}
    assert [query.query for query in data.queries] == ["Zebra0", "Zebra1", "Zebra2", "Zebra3"]
    assert data.kind == ""


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([{"query_id": "1", "query": "x", "relevant": ["nowhere"]}], "not among the documents"),
        ([{"query_id": "1", "query": "x", "relevant": []}], "relevant"),
        ([{"query_id": "1", "query": " ", "relevant": ["a"]}], "query"),
        ([], "0 queries"),
    ],
)
def test_queries_that_cannot_be_asked_are_refused(
    docs: Path, rows: list[dict[str, Any]], message: str
) -> None:
    with pytest.raises(InputError, match=message):
        read_data(docs, queries=_write(docs.with_name("q.jsonl"), rows), known_item=None)


@pytest.mark.parametrize("known_item", [None, "abstract"])
def test_either_queries_or_a_known_item_is_wanted(docs: Path, known_item: str | None) -> None:
    with pytest.raises(InputError, match=r"known.item"):
        read_data(docs, queries=None, known_item=known_item)


def test_doubled_documents_are_refused(docs: Path) -> None:
    _write(docs, [*DOCS, DOCS[0]])
    queries = _write(docs.with_name("q.jsonl"), QUERIES)
    with pytest.raises(InputError, match="occur twice"):
        read_data(docs, queries=queries, known_item=None)


def test_a_weight_far_from_one_half_needs_evidence() -> None:
    rng = np.random.default_rng(1)
    base = rng.random(200)
    noise = rng.normal(scale=0.2, size=200)
    assert steadiest({0.5: base, 0.9: base + noise - noise.mean() + 1e-3}) == 0.5
    assert steadiest({0.5: base, 0.9: base + 0.1}) == 0.9
