from __future__ import annotations

from collections.abc import Mapping, Sequence

from tests.papers import minilm
from tests.planted import CANARY, ORDERS
from trimtab.agents.extractive import FEATURES, answer_from, wants_number
from trimtab.agents.planning import PlanItem
from trimtab.rag.library import COSINE
from trimtab.records import Passage

TITLE = "CP-Router: An Uncertainty-Aware Router"


def _passage(text: str, name: str = "2505.19970", **known: str) -> Passage:
    metadata = {"paper": name, "title": TITLE, COSINE: "0.5", **known}
    return Passage(text=text, source_id=f"{name}#0", score=1.0, metadata=metadata)


def _rare(words: Sequence[str]) -> Mapping[str, float]:
    return dict.fromkeys(words, 0.7)


def test_the_sentence_that_answers_comes_first_with_its_place() -> None:
    text = "Routing is old. CP-Router needs no training. It saves 40 % of the tokens."
    answer = answer_from(
        PlanItem(id="q1", goal="How many tokens does CP-Router save?"),
        [_passage(text)],
        minilm(),
        _rare,
    )
    best = answer.candidates[0]
    assert text[best.start : best.end] == best.text == "It saves 40 % of the tokens."
    assert len(answer.features) == len(FEATURES)


def test_sentences_that_speak_to_a_model_are_left_out_and_reported() -> None:
    text = f"CP-Router needs no training. {ORDERS[0]}"
    answer = answer_from(PlanItem(id="q1", goal=CANARY), [_passage(text)], minilm(), _rare)
    assert [one.text for one in answer.candidates] == ["CP-Router needs no training."]
    assert answer.skipped == ("2505.19970#0",)


def test_no_passage_gives_no_candidate() -> None:
    answer = answer_from(PlanItem(id="q1", goal="anything"), [], minilm(), _rare)
    assert answer.candidates == ()


def test_the_record_of_the_paper_that_is_meant_answers_or_none_does() -> None:
    other = _passage("Bees.", name="2505.00001", title="Bees", categories='["q-bio.PE"]')
    item = PlanItem(id="q1", goal="In which categories is CP-Router?", tool="facts")
    asked = [other, _passage("CP-Router decides.")]
    assert answer_from(item, asked, minilm(), _rare).candidates == ()
    filed = [other, _passage("CP-Router decides.", categories='["cs.CL"]')]
    [found] = answer_from(item, filed, minilm(), _rare).candidates
    assert "cs.CL" in found.text


def test_questions_for_a_number_are_known() -> None:
    assert wants_number("By how much is it faster?")
    assert not wants_number("How does it work?")


def test_a_question_that_names_nothing_finds_nothing() -> None:
    item = PlanItem(id="q1", goal="What does it find?")
    assert answer_from(item, [_passage("It finds much.")], minilm(), _rare).candidates == ()


def test_a_question_in_a_script_without_spaces_names_something() -> None:
    item = PlanItem(id="q1", goal="神经网络路由器决定什么？")
    [found] = answer_from(item, [_passage("神经网络路由器决定模型。")], minilm(), _rare).candidates
    assert {"神", "路"} <= set(found.words)
