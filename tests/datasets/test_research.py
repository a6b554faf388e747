from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from trimtab.datasets.research import (
    ORIGINS,
    Gold,
    labelled_citations,
    read_citations,
    read_questions,
    research_questions,
)
from trimtab.datasets.shipped_papers import shipped_papers
from trimtab.errors import InputError
from trimtab.rag.papers import Paper

PAPERS = {paper.arxiv_id: paper for paper in shipped_papers()}
QUESTION: dict[str, Any] = {
    "question_id": "q1",
    "question": "What is asked?",
    "kind": "definition",
    "split": "dev",
    "answerable": True,
    "reason": None,
    "gold": [{"arxiv_id": "2505.00001", "sentences": ["It is this."], "fields": []}],
    "also": [],
    "facts": ["this"],
}
CITATION: dict[str, Any] = {
    "pair_id": "c1",
    "claim": "This is it.",
    "arxiv_id": "2505.00001",
    "sentence": "It is this.",
    "supports": True,
    "kind": "paraphrase",
    "split": "dev",
}


def _plain(text: str) -> str:
    return " ".join(text.casefold().split())


def _evidence(gold: Gold) -> str:
    paper = PAPERS[gold.arxiv_id]
    return " ".join((*gold.sentences, *(_field(paper, name) for name in gold.fields)))


def _field(paper: Paper, name: str) -> str:
    value: str | tuple[str, ...] | None = getattr(paper, name)
    assert value
    return value if isinstance(value, str) else " ".join(value)


def _file(folder: Path, *rows: dict[str, Any]) -> Path:
    path = folder / "rows.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def test_questions_are_as_many_as_promised() -> None:
    questions = research_questions()
    assert len(questions) >= 90
    assert sum(not question.answerable for question in questions) >= 25
    assert len({question.question for question in questions}) == len(questions)
    share = len(research_questions("dev")) / len(questions)
    assert 0.35 <= share <= 0.5
    assert len(research_questions("dev")) + len(research_questions("test")) == len(questions)


def test_gold_sentences_stand_word_for_word_in_their_summary() -> None:
    for question in research_questions():
        for gold in question.gold:
            assert all(text in PAPERS[gold.arxiv_id].abstract for text in gold.sentences)
        assert set(question.also) <= set(PAPERS)
        assert not set(question.also) & set(question.gold_ids)


def test_every_fact_stands_in_a_gold_passage() -> None:
    for question in research_questions():
        evidence = [_plain(_evidence(gold)) for gold in question.gold]
        for fact in question.facts:
            assert any(_plain(fact) in text for text in evidence), (question.question_id, fact)


def test_no_gold_paper_and_no_cited_paper_belongs_to_both_splits() -> None:
    splits: dict[str, set[str]] = {}
    for question in research_questions():
        for name in question.gold_ids:
            splits.setdefault(name, set()).add(question.split)
    for pair in labelled_citations():
        splits.setdefault(pair.arxiv_id, set()).add(pair.split)
    assert all(len(found) == 1 for found in splits.values())


def test_pairs_cite_whole_sentences_and_are_labelled_both_ways_in_both_splits() -> None:
    pairs = labelled_citations()
    assert len(pairs) >= 100
    assert len({(pair.claim, pair.sentence) for pair in pairs}) == len(pairs)
    assert all(pair.sentence in PAPERS[pair.arxiv_id].abstract for pair in pairs)
    assert {pair.kind for pair in pairs} == set(ORIGINS)
    counts = Counter((pair.split, pair.supports) for pair in pairs)
    assert min(counts.values()) >= 20
    assert len(counts) == 4


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"question": " "}, "line 2: question=' ' is no text"),
        ({"kind": "riddle"}, "kind='riddle'; use one of definition"),
        ({"split": "train"}, "split='train'; use one of dev, test"),
        ({"answerable": "yes"}, "answerable='yes' is neither true nor false"),
        ({"answerable": False}, "answerable=False does not go with 1 gold"),
        ({"facts": []}, "needs gold and facts"),
        ({"facts": "this"}, "facts='this' is no list"),
        ({"facts": [3]}, "holds what is no text"),
        ({"also": ["one"]}, "arxiv_id='one' is no arXiv id"),
        ({"gold": ["2505.00001"]}, "is no object"),
        ({"gold": [QUESTION["gold"][0] | {"fields": ["doi"]}]}, "fields of title"),
        ({"question_id": "q1"}, "question_id='q1' occurs twice"),
    ],
)
def test_an_unusable_question_names_line_and_field(
    tmp_path: Path, change: dict[str, Any], message: str
) -> None:
    path = _file(tmp_path, QUESTION, QUESTION | {"question_id": "q2"} | change)
    with pytest.raises(InputError) as caught:
        read_questions(path)
    assert str(caught.value).startswith(f"{path}: line 2: ")
    assert message in str(caught.value)


def test_an_unanswerable_question_has_a_reason_alone(tmp_path: Path) -> None:
    plain = QUESTION | {"answerable": False, "reason": "missing_fact", "gold": [], "facts": []}
    (question,) = read_questions(_file(tmp_path, plain))
    assert question.gold_ids == ()
    assert question.reason == "missing_fact"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"kind": "negation"}, "kind='negation' does not go with supports=True"),
        ({"supports": 1}, "supports=1 is neither true nor false"),
        ({"claim": None}, "claim=None is no text"),
        ({"pair_id": "c1"}, "pair_id='c1' occurs twice"),
    ],
)
def test_an_unusable_pair_names_line_and_field(
    tmp_path: Path, change: dict[str, Any], message: str
) -> None:
    path = _file(tmp_path, CITATION, CITATION | {"pair_id": "c2"} | change)
    with pytest.raises(InputError, match=message):
        read_citations(path)
