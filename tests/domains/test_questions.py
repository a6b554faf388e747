"""Recorded questions as a domain."""

import pytest

from tests.contracts.domain import DomainContract
from trimtab.domains.questions import NO_ANSWER, RecordedQuestions
from trimtab.errors import IllegalAction, InputError, TruthUnknown

REWARDS = {
    "one and one?": {"2": True, "3": False},
    "two and two?": {"4": True, "5": False, "2": False},
    "what colour is grass?": {"green": True, "blue": False},
}


class TestRecordedQuestions(DomainContract):
    @pytest.fixture
    def domain(self) -> RecordedQuestions:
        return RecordedQuestions(name="sums", rewards=REWARDS)


@pytest.fixture
def domain() -> RecordedQuestions:
    return RecordedQuestions(name="sums", rewards=REWARDS)


def test_a_recorded_answer_is_worth_what_was_recorded(domain: RecordedQuestions) -> None:
    state = domain.from_text("two and two?")
    assert domain.check(state, "4") == 1.0
    assert domain.check(state, "2") == 0.0


def test_truth_is_unknown_for_an_answer_to_another_question(domain: RecordedQuestions) -> None:
    with pytest.raises(TruthUnknown, match="nobody gave the answer 'green'"):
        domain.check(domain.from_text("one and one?"), "green")


def test_no_answer_has_no_canonical_form(domain: RecordedQuestions) -> None:
    with pytest.raises(IllegalAction, match="is unknown"):
        domain.canonical(NO_ANSWER)


def test_an_unrecorded_question_is_no_state(domain: RecordedQuestions) -> None:
    with pytest.raises(InputError, match="is no question of 'sums'"):
        domain.from_text("three and three?")


def test_a_question_that_nobody_answered_is_an_end() -> None:
    domain = RecordedQuestions(name="sums", rewards={**REWARDS, "why?": {}})
    assert domain.is_terminal(domain.from_text("why?"))


def test_a_right_end_returns_one(domain: RecordedQuestions) -> None:
    assert domain.returns(domain.from_text("one and one?\x1f2")) == (1.0,)


@pytest.mark.parametrize("rewards", [{}, {"why?": {}}, {" ": {"2": True}}, {"why?": {"": True}}])
def test_a_table_without_questions_or_answers_is_an_error(
    rewards: dict[str, dict[str, bool]],
) -> None:
    with pytest.raises(InputError, match=r"rewards holds no recorded answer|is empty"):
        RecordedQuestions(name="sums", rewards=rewards)
