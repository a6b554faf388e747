"""An agent that plays back recorded answers."""

from collections.abc import Sequence

import pytest

from tests.contracts.agent import AgentContract
from tests.domains.test_questions import REWARDS
from trimtab.agents.recorded import RecordedAgent
from trimtab.domains.questions import NO_ANSWER, Question, RecordedAnswer, RecordedQuestions
from trimtab.errors import RecordingMissing

ANSWERS = {
    "one and one?": RecordedAnswer(answer="2", cost_usd=0.001, out_tokens=3.0, latency_s=0.5),
    "two and two?": RecordedAnswer(answer="5", cost_usd=0.002),
    "what colour is grass?": RecordedAnswer(answer=None, cost_usd=0.003),
}


class TestRecordedAgent(AgentContract):
    @pytest.fixture
    def agent(self) -> RecordedAgent:
        return RecordedAgent(name="small", answers=ANSWERS)

    @pytest.fixture
    def domain(self) -> RecordedQuestions:
        return RecordedQuestions(name="sums", rewards=REWARDS)

    @pytest.fixture
    def states(self) -> Sequence[Question]:
        return [Question(text) for text in ANSWERS]


def test_the_recorded_price_and_length_are_its_usage() -> None:
    (found,) = RecordedAgent(name="small", answers=ANSWERS).predict([Question("one and one?")])
    assert (found.action, found.tier) == ("2", "recorded")
    assert (found.usage.cost_usd, found.usage.completion_tokens) == (0.001, 3)
    assert found.usage.latency_s == 0.5


def test_a_missing_answer_is_no_answer() -> None:
    (found,) = RecordedAgent(name="small", answers=ANSWERS).predict(
        [Question("what colour is grass?")]
    )
    assert found.action == NO_ANSWER


def test_a_question_that_was_not_recorded_is_an_error() -> None:
    with pytest.raises(RecordingMissing, match="no recorded answer to 'why"):
        RecordedAgent(name="small", answers=ANSWERS).predict([Question("why?")])
