from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from trimtab.datasets.papers import read_papers
from trimtab.errors import InputError
from trimtab.rag.papers import Paper

OURS = {
    "arxiv_id": "2505.12028",
    "version": "v1",
    "title": "Two\n  lines",
    "authors": ["A. Bee", "C. Dee"],
    "abstract": " Text. ",
    "categories": ["cs.CL"],
    "published": "2025-05-17",
    "source": "B",
}
DUMP = {
    "id": "0704.0001",
    "title": "Sums",
    "abstract": "We add.",
    "authors": "A. Bee, C. Dee and E. Eff",
    "categories": "math.CO cs.CG",
    "update_date": "2008-11-26",
}


def _write(path: Path, *rows: dict[str, Any]) -> Path:
    text = "".join(json.dumps(row) + "\n" for row in rows)
    if path.suffix == ".gz":
        path.write_bytes(gzip.compress(text.encode()))
    else:
        path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.parametrize("name", ["p.jsonl", "p.jsonl.gz"])
def test_both_forms_are_read(tmp_path: Path, name: str) -> None:
    assert list(read_papers(_write(tmp_path / name, OURS, DUMP))) == [
        Paper(
            arxiv_id="2505.12028",
            version=1,
            title="Two lines",
            authors=("A. Bee", "C. Dee"),
            abstract="Text.",
            categories=("cs.CL",),
            published="2025-05-17",
        ),
        Paper(
            arxiv_id="0704.0001",
            title="Sums",
            authors=("A. Bee", "C. Dee", "E. Eff"),
            abstract="We add.",
            categories=("math.CO", "cs.CG"),
            updated="2008-11-26",
        ),
    ]


def test_what_is_not_known_stays_unknown(tmp_path: Path) -> None:
    row = {"arxiv_id": "2505.12028", "title": "t", "abstract": "a", "categories": None}
    [paper] = read_papers(_write(tmp_path / "p.jsonl", row))
    assert (paper.version, paper.authors, paper.categories, paper.year) == (None, None, None, None)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"arxiv_id": "x"}, "line 1: arxiv_id='x'"),
        ({"title": None}, "title=None"),
        ({"abstract": " "}, "abstract=' '"),
        ({"authors": [1]}, "authors"),
        ({"version": "two"}, "version='two'"),
        ({"published": "soon"}, "published='soon'"),
    ],
    ids=str,
)
def test_a_wrong_line_names_line_field_and_value(
    tmp_path: Path, wrong: dict[str, Any], message: str
) -> None:
    with pytest.raises(InputError, match=message):
        list(read_papers(_write(tmp_path / "p.jsonl", {**OURS, **wrong})))


def test_another_kind_of_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="jsonl"):
        list(read_papers(tmp_path / "papers.csv"))


def test_a_summary_takes_the_place_of_the_abstract_and_is_marked(tmp_path: Path) -> None:
    row = {"arxiv_id": "2505.12028", "title": "t", "summary": " In other words. "}
    [paper] = read_papers(_write(tmp_path / "p.jsonl", row))
    assert (paper.abstract, paper.summarised) == ("In other words.", True)
    [paper] = read_papers(_write(tmp_path / "q.jsonl", {**row, "abstract": "a"}))
    assert (paper.abstract, paper.summarised) == ("a", False)
