from __future__ import annotations

import json

from trimtab.agents.answers import (
    Answer,
    Claim,
    answer_from_json,
    answer_to_json,
    compose,
    sources_of,
)
from trimtab.records import Passage, Route, Usage

PASSAGES = [
    Passage(
        text="x",
        source_id=f"2505.0000{n}#0",
        score=1.0,
        metadata={
            "paper": f"2505.0000{n}",
            "title": f"T{n}",
            "section": "summary",
            "start": "0",
            "end": "9",
            "authors": '["Ada Bee"]',
            "date": "20250518",
        },
    )
    for n in (1, 2)
]
SOURCES = sources_of([*PASSAGES, PASSAGES[0]])


def _claim(text: str, n: int = 1, *, start: int = 0, item: str = "q1", by: str = "llm") -> Claim:
    return Claim(
        text=text,
        item=item,
        source_id=f"2505.0000{n}#0",
        quote=text,
        start=start,
        end=start + 5,
        support=1.0,
        by=by,
    )


def _plan(*tools: str) -> list[dict[str, object]]:
    return [{"id": f"q{n}", "goal": f"goal {n}", "tool": t} for n, t in enumerate(tools, start=1)]


def test_a_source_has_one_number_and_its_facts() -> None:
    assert [source.number for source in SOURCES] == [1, 2]
    assert (SOURCES[0].authors, SOURCES[0].date) == (("Ada Bee",), "2025-05-18")
    [bare] = sources_of([Passage(text="x", source_id="a#0", score=0.0, metadata={"paper": "a"})])
    assert (bare.authors, bare.date) == (None, None)


def test_a_claim_of_two_papers_is_said_once() -> None:
    claims = [_claim("It works.", 1), _claim("It works.", 2)]
    assert compose(claims, SOURCES, _plan("search"), "question") == "It works. [1] [2]"


def test_sentences_of_one_passage_stand_in_its_order() -> None:
    claims = [
        _claim("Then this.", start=20, by="extractive"),
        _claim("First that.", start=5, by="extractive"),
    ]
    said = compose(claims, SOURCES, _plan("search"), "question")
    assert said == "First that. [1] Then this. [1]"


def test_papers_are_listed_and_sides_are_named_and_gaps_are_stated() -> None:
    assert compose([_claim("It works.")], SOURCES, _plan("papers"), "papers") == (
        "- T1: It works. [1]"
    )
    said = compose(
        [_claim("It works.")], SOURCES, _plan("search", "search"), "comparison", unanswered=["q2"]
    )
    assert said.splitlines() == ["goal 1: It works. [1]", "goal 2: the corpus does not say."]


def test_nothing_to_say_is_said() -> None:
    assert compose([], SOURCES, _plan("search"), "question") == "The corpus does not say."


def test_an_answer_returns_from_json() -> None:
    answer = Answer(
        question="q",
        decision_id="d",
        answerable=True,
        answerable_probability=0.9,
        confidence=0.8,
        mark="extractive",
        text="It works. [1]",
        claims=(_claim("It works."),),
        dropped=(),
        sources=SOURCES,
        nearest=(),
        plan=({"id": "q1", "goal": "g", "needs": [], "tool": "search"},),
        kind="question",
        planned_by="rules",
        marks=("m",),
        rounds=1,
        route=Route(agent="extractive", reason="confident", confidence=0.8, threshold=0.5),
        calls={"llm": 0},
        usage=Usage(cpu_s=1.0),
    )
    plain = answer_to_json(answer)
    assert json.loads(json.dumps(plain)) == plain
    assert answer_from_json(plain) == answer


def test_a_sentence_that_answers_two_parts_is_read_once() -> None:
    claims = [_claim("It works.", item="q1"), _claim("It works.", item="q2")]
    assert compose(claims, SOURCES, _plan("search", "search"), "several") == "It works. [1]"
    sides = compose(claims, SOURCES, _plan("search", "search"), "comparison")
    assert sides == "goal 1: It works. [1]\ngoal 2: It works. [1]"
