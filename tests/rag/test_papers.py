from __future__ import annotations

import json

import pytest

from trimtab.errors import InputError
from trimtab.rag.chunking import Section
from trimtab.rag.papers import Paper, paper_from_json, paper_to_json, split_version


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2505.12028", ("2505.12028", None)),
        ("2505.12028v3", ("2505.12028", 3)),
        ("0704.0001", ("0704.0001", None)),
        ("math/0601001v12", ("math/0601001", 12)),
        ("math.CO/0601001", ("math.CO/0601001", None)),
        ("astro-ph/0601001", ("astro-ph/0601001", None)),
    ],
)
def test_ids_are_split_from_their_version(text: str, expected: tuple[str, int | None]) -> None:
    assert split_version(text) == expected


@pytest.mark.parametrize(
    "text", ["", "abc", "2513.00001", "0000.0000", "2505.1", "2505.12028v0", "arXiv:2505.12028"]
)
def test_what_is_no_id_is_refused(text: str) -> None:
    with pytest.raises(InputError, match="no arXiv id"):
        split_version(text)


def test_a_paper_survives_json() -> None:
    paper = Paper(
        arxiv_id="2505.12028",
        title="Élan",
        abstract="a",
        version=2,
        authors=("A", "B"),
        published="2025",
        sections=(Section(name="1 Intro", text="x"),),
    )
    assert paper_from_json(json.loads(json.dumps(paper_to_json(paper)))) == paper
    assert paper.year == 2025
    assert paper.categories is None


@pytest.mark.parametrize(
    "wrong",
    [
        {"title": " "},
        {"abstract": ""},
        {"published": "2025-13-01"},
        {"published": "May 2025"},
        {"categories": ("cs LG",)},
        {"title": "half \ud800"},
        {"authors": ("half \udfff",)},
    ],
    ids=str,
)
def test_a_paper_without_its_facts_is_refused(wrong: dict[str, object]) -> None:
    plain: dict[str, object] = {"arxiv_id": "2505.12028", "title": "t", "abstract": "a"}
    with pytest.raises(InputError, match=r"2505\.12028"):
        Paper(**{**plain, **wrong})  # type: ignore[arg-type]  # wrong on purpose
