from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from tests.support import LetterEmbedder
from trimtab.errors import ConfigError, InputError, RetrievalError
from trimtab.protocols import Array
from trimtab.rag.chunking import ChunkConfig, Section
from trimtab.rag.corpus import Corpus, paper_filter
from trimtab.rag.embedded_index import EmbeddedIndex
from trimtab.rag.ingest import ingest
from trimtab.rag.papers import Paper

BODY = "\n\n".join(f"Paragraph {k} says that routers save calls." for k in range(12))
PAPERS = [
    Paper(
        arxiv_id=f"2505.{number:05d}",
        title=f"Title {number}",
        abstract=f"Abstract about topic {number}.",
        version=1,
        authors=("Ada Müller",),
        categories=("cs.LG", "cs.AI"),
        published=day,
    )
    for number, day in enumerate(["2024-05-01", "2025-01-31", "2024", None])
]
CONFIG = ChunkConfig(max_chars=120, overlap_chars=0)


@pytest.fixture
def index(tmp_path: Path) -> Iterator[EmbeddedIndex]:
    embedder = LetterEmbedder()
    with EmbeddedIndex(tmp_path / "i.sqlite", embedder=embedder.name, dim=embedder.dim) as index:
        yield index
        index.check()


def test_an_abstract_is_one_passage_with_what_is_known(index: EmbeddedIndex) -> None:
    assert ingest(PAPERS, index, LetterEmbedder())["passages"] == 4
    hit = index.fetch(["2505.00000#0"])["2505.00000#0"]
    assert (hit.title, hit.text) == ("Title 0", "Abstract about topic 0.")
    known = {name: value for name, value in hit.metadata.items() if name != "content"}
    assert known == {
        "paper": "2505.00000",
        "section": "abstract",
        "start": 0,
        "end": 23,
        "version": 1,
        "year": 2024,
        "date": 20240501,
        "categories": ["cs.LG", "cs.AI"],
        "authors": ["Ada Müller"],
    }
    assert "date" not in index.fetch(["2505.00002#0"])["2505.00002#0"].metadata
    assert "year" not in index.fetch(["2505.00003#0"])["2505.00003#0"].metadata


def test_ids_and_authors_are_found_by_their_words(index: EmbeddedIndex) -> None:
    ingest(PAPERS, index, LetterEmbedder())
    assert index.matching("2505.00002", k=1)[0].id == "2505.00002#0"
    assert len(index.matching("muller", k=9)) == 4


def test_a_second_run_embeds_nothing(index: EmbeddedIndex) -> None:
    ingest(PAPERS, index, LetterEmbedder())
    embedder = LetterEmbedder()
    counts = ingest(PAPERS, index, embedder)
    assert (counts["unchanged"], counts["passages"]) == (4, 0)
    assert embedder.asked == []


def test_a_shorter_version_leaves_no_old_passage(index: EmbeddedIndex) -> None:
    long = replace(PAPERS[0], sections=(Section(name="1 Intro", text=BODY),))
    ingest([long, PAPERS[1]], index, LetterEmbedder(), config=CONFIG)
    assert index.count() > 5
    counts = ingest([PAPERS[0]], index, LetterEmbedder(), config=CONFIG)
    assert counts["replaced"] == 1
    assert index.list_ids()[0] == ["2505.00000#0", "2505.00001#0"]


class _Stopping(EmbeddedIndex):
    """Fails at the n-th upsert, as a full disk would."""

    left = 0

    def upsert(self, entries: Sequence[object], *, namespace: str = "") -> None:
        self.left -= 1
        if self.left == 0:
            raise RetrievalError("the disk is full")
        super().upsert(entries, namespace=namespace)  # type: ignore[arg-type]  # entries they are


@pytest.mark.parametrize("stop", [1, 2])
def test_a_stopped_run_is_finished_by_the_next(tmp_path: Path, stop: int) -> None:
    papers = [replace(PAPERS[0], sections=(Section(name="1 Intro", text=BODY),)), *PAPERS[1:]]
    embedder = LetterEmbedder()
    whole, broken = (
        _Stopping(tmp_path / name, embedder=embedder.name, dim=embedder.dim)
        for name in ("whole", "broken")
    )
    ingest(papers, whole, embedder, config=CONFIG)
    broken.left = stop
    with pytest.raises(RetrievalError, match="full"):
        ingest(papers, broken, embedder, config=CONFIG)
    ingest(papers, broken, embedder, config=CONFIG)
    assert broken.list_ids() == whole.list_ids()
    broken.check()
    for index in (whole, broken):
        index.close()


@pytest.mark.parametrize(
    ("asked", "numbers"),
    [
        ({"since": "2024-05-01"}, {0, 1}),
        ({"since": "2024-01-01"}, {0, 1, 2}),
        ({"since": "2024-05-02"}, {1}),
        ({"until": "2024-12-31"}, {0, 2}),
        ({"until": "2024-12-30"}, {0}),
        ({"since": "2024-01-01", "until": "2024-06-01"}, {0}),
        ({"category": "cs.AI"}, {0, 1, 2, 3}),
        ({"category": "math.CO"}, set()),
    ],
    ids=str,
)
def test_papers_are_filtered_by_time_and_category(
    index: EmbeddedIndex, asked: dict[str, str], numbers: set[int]
) -> None:
    ingest(PAPERS, index, LetterEmbedder())
    where = paper_filter(**{"category": None, "since": None, "until": None, **asked})
    vector: Array = LetterEmbedder().embed(["x"])[0]
    found = {hit.id for hit in index.nearest(vector, k=9, where=where)}
    assert found == {f"2505.{number:05d}#0" for number in numbers}


def test_a_day_that_is_none_is_refused() -> None:
    with pytest.raises(InputError, match="since='yesterday'"):
        paper_filter(category=None, since="yesterday", until=None)


def test_a_filter_that_nothing_can_pass_is_refused() -> None:
    with pytest.raises(InputError, match="swap"):
        paper_filter(category=None, since="2025-02-01", until="2025-01-31")
    with pytest.raises(InputError, match=r"cs\.LG,cs\.AI"):
        paper_filter(category="cs.LG,cs.AI", since=None, until=None)


def test_a_corpus_is_papers_and_their_index(tmp_path: Path) -> None:
    with pytest.raises(RetrievalError, match="no corpus"):
        Corpus(tmp_path / "c", create=False)
    embedder = LetterEmbedder()
    with Corpus(tmp_path / "c") as corpus:
        assert corpus.embedder_name is None
        corpus.papers.put(PAPERS)
        corpus.index(embedder)
        assert corpus.embedder_name == embedder.name
        with corpus.open_index(embedder) as index:
            [passage] = corpus.retriever(index, embedder).retrieve("topic 3", k=1)
    assert passage.source_id == "2505.00003#0"


def test_a_corpus_keeps_its_embedder(tmp_path: Path) -> None:
    class Other(LetterEmbedder):
        name = "other"

    with Corpus(tmp_path / "c") as corpus:
        corpus.papers.put(PAPERS)
        corpus.index(LetterEmbedder())
        with pytest.raises(ConfigError, match="made by 'letters-27'"):
            corpus.index(Other())
