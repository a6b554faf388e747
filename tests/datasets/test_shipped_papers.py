from __future__ import annotations

import itertools
import json
import re
from datetime import date
from pathlib import Path

from tests.support import LetterEmbedder
from trimtab.datasets.shipped_papers import open_shipped_corpus, shipped_papers

FOLDER = Path(__file__).parents[2] / "trimtab" / "shipped" / "papers"
ROWS = [json.loads(line) for line in (FOLDER / "papers.jsonl").read_text("utf-8").splitlines()]
FIELDS = {"arxiv_id", "version", "title", "authors", "categories", "published", "summary"}


def _runs(text: str, length: int) -> set[tuple[str, ...]]:
    words = re.findall(r"\w+", text.lower())
    return {tuple(words[start : start + length]) for start in range(len(words) - length + 1)}


def test_every_row_has_all_fields_and_knows_title_authors_and_date() -> None:
    for row in ROWS:
        assert set(row) == FIELDS
        assert isinstance(row["version"], int)
        for name in ("title", "published", "summary"):
            assert row[name] == " ".join(row[name].split()) != ""
        assert row["authors"]
        assert all(name == " ".join(name.split()) != "" for name in row["authors"])
        assert row["categories"] is None or row["categories"]


def test_ids_are_unique_and_in_order() -> None:
    ids = [row["arxiv_id"] for row in ROWS]
    assert ids == sorted(set(ids))
    assert [paper.arxiv_id for paper in shipped_papers()] == ids


def test_dates_agree_with_the_month_in_the_id() -> None:
    for row in ROWS:
        published = row["published"]
        assert published[2:4] == row["arxiv_id"][:2]
        if len(published) > 4:
            # an id's month is that of the announcement, a few days after submission at most
            month = 12 * int(row["arxiv_id"][:2]) + int(row["arxiv_id"][2:4])
            day = date.fromisoformat(published)
            assert month - (12 * (day.year - 2000) + day.month) in (0, 1)


def test_summaries_have_60_to_150_words() -> None:
    assert {
        row["arxiv_id"]: len(row["summary"].split())
        for row in ROWS
        if not 60 <= len(row["summary"].split()) <= 150
    } == {}


def test_no_two_summaries_share_eight_words_in_a_row() -> None:
    runs = [(row["arxiv_id"], _runs(row["summary"], 8)) for row in ROWS]
    shared = [(a, b) for (a, one), (b, two) in itertools.combinations(runs, 2) if one & two]
    assert shared == []


def test_the_loader_says_that_the_words_are_not_the_authors() -> None:
    assert all(paper.summarised for paper in shipped_papers())


def test_the_card_states_the_number_of_papers() -> None:
    assert f"{len(ROWS)} papers" in (FOLDER / "CARD.md").read_text("utf-8")


def test_the_corpus_is_embedded_once_and_then_opened(tmp_path: Path) -> None:
    embedder = LetterEmbedder()
    with open_shipped_corpus(tmp_path, embedder) as corpus:
        folder = corpus.folder
        with corpus.open_index(embedder) as index:
            assert index.count() == len(ROWS)
    asked = len(embedder.asked)
    with open_shipped_corpus(tmp_path, embedder) as corpus:
        assert corpus.folder == folder
    assert (asked, len(embedder.asked)) == (len(ROWS), len(ROWS))


def test_another_embedder_has_an_index_of_its_own(tmp_path: Path) -> None:
    other = LetterEmbedder()
    other.name = "letters-other"
    with (
        open_shipped_corpus(tmp_path, LetterEmbedder()) as one,
        open_shipped_corpus(tmp_path, other) as two,
    ):
        assert one.folder != two.folder
        assert two.embedder_name == "letters-other"
