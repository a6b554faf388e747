from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from trimtab.errors import RetrievalError
from trimtab.rag.chunking import Section
from trimtab.rag.paper_store import PaperStore, Progress
from trimtab.rag.papers import Paper

PAPER = Paper(arxiv_id="2505.12028", title="t", abstract="a", version=2)
SECTIONS = (Section(name="1 Intro", text="x"),)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[PaperStore]:
    with PaperStore(tmp_path / "papers.sqlite") as store:
        yield store


def test_a_newer_version_replaces_and_an_older_one_does_not(store: PaperStore) -> None:
    assert store.put([PAPER]) == {"added": 1}
    assert store.put([PAPER]) == {"unchanged": 1}
    newer = replace(PAPER, version=3, title="new")
    assert store.put([newer]) == {"replaced": 1}
    assert store.put([PAPER]) == {"older": 1}
    assert store.put([replace(PAPER, version=None)]) == {"older": 1}
    assert store.get(PAPER.arxiv_id) == newer


def test_the_same_version_keeps_its_full_text_and_a_new_one_drops_it(store: PaperStore) -> None:
    full = replace(PAPER, sections=SECTIONS)
    store.put([full])
    store.put([replace(PAPER, title="mended")])
    assert store.get(PAPER.arxiv_id) == replace(full, title="mended")
    store.put([replace(PAPER, version=3)])
    assert store.get(PAPER.arxiv_id) == replace(PAPER, version=3)


def test_all_papers_come_once_by_id(store: PaperStore) -> None:
    names = [f"2505.{number:05d}" for number in range(600)]
    store.put([replace(PAPER, arxiv_id=name) for name in reversed(names)])
    assert [paper.arxiv_id for paper in store.papers()] == names
    assert store.count() == 600


def test_progress_is_kept_by_query(store: PaperStore) -> None:
    assert store.progress("q") == Progress(query="q", position=0)
    store.put([], progress=Progress(query="q", position=20, total=99))
    store.put([], progress=Progress(query="p", position=1))
    assert store.progress("q") == Progress(query="q", position=20, total=99)
    assert [each.query for each in store.fetches()] == ["p", "q"]


def test_a_closed_store_says_so(store: PaperStore) -> None:
    store.close()
    with pytest.raises(RetrievalError, match="closed"):
        store.count()


def test_another_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "notes").write_text("these are not papers")
    with pytest.raises(RetrievalError, match="not a SQLite file"):
        PaperStore(tmp_path / "notes")
