from __future__ import annotations

import json

import pytest

from tests.desk import DESK
from trimtab.agents.human import question, read_reply
from trimtab.domains.choices import Choices
from trimtab.domains.sudoku import Sudoku
from trimtab.errors import IllegalAction
from trimtab.records import Prediction

COLUMNS = Choices(name="columns", labels=["0", "1", "2"])
SUGGESTED = Prediction(agent="policy", action=1, confidence=0.4)


def test_the_question_is_plain_json() -> None:
    asked = question(DESK, "where is my money", [SUGGESTED])
    assert json.loads(json.dumps(asked)) == asked


def test_the_question_holds_text_options_and_suggestions() -> None:
    asked = question(DESK, "where is my money", [SUGGESTED])
    assert asked["text"] == "where is my money"
    assert asked["options"][2] == {"number": 3, "label": "technical"}
    assert asked["suggestions"] == [{"agent": "policy", "label": "refund", "confidence": 0.4}]


@pytest.mark.parametrize("reply", [2, "2", " refund ", "REFUND"])
def test_number_and_label_are_read(reply: object) -> None:
    answer = read_reply(DESK, reply)
    assert (answer.agent, answer.action) == ("human", 1)


@pytest.mark.parametrize("reply", [0, 4, "", "money", True, None, 1.0, ["refund"]])
def test_anything_else_is_refused_and_the_options_listed(reply: object) -> None:
    with pytest.raises(IllegalAction, match="1 = delivery, 2 = refund"):
        read_reply(DESK, reply)


def test_names_that_are_numbers_are_names() -> None:
    assert question(COLUMNS, "drop", [])["options"][0] == {"number": None, "label": "0"}
    assert read_reply(COLUMNS, "2").action == 2


def test_an_answer_that_is_not_legal_in_the_state_is_refused() -> None:
    answered = DESK.to_text(DESK.apply_action(DESK.from_text("where is my money"), 0))
    with pytest.raises(IllegalAction, match="options"):
        read_reply(DESK, "refund", state_text=answered)


def test_every_option_offered_is_read_back() -> None:
    for option in question(DESK, "hello", [])["options"]:
        assert DESK.canonical(read_reply(DESK, option["number"]).action) == option["label"]


def test_puzzle_has_no_options_and_its_whole_answer_is_read() -> None:
    puzzle, solution = ".....42......1.3", "1234342143122143"
    assert question(Sudoku(4), puzzle, [])["options"] == []
    assert read_reply(Sudoku(4), "1234 3421\n4312 2143").action == solution
    with pytest.raises(IllegalAction, match="16 digits"):
        read_reply(Sudoku(4), "r1c1=1")
