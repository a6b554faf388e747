"""An agent that answers with what was recorded: one step of a table of recorded answers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from trimtab.domains.questions import NO_ANSWER, Question, RecordedAnswer
from trimtab.errors import RecordingMissing
from trimtab.records import Passage, Prediction, Usage


class RecordedAgent:
    """Plays back one step's answers; a question without one is an error, never a guess.

    Thread-safe: read-only.

    Args:
        name: of the step.
        answers: by the question's text.
        tier: names what was recorded, where the agent's name does not.
    """

    reads_context = False

    def __init__(
        self, *, name: str, answers: Mapping[str, RecordedAnswer], tier: str = "recorded"
    ) -> None:
        self.name = name
        self._tier = tier
        self._answers = dict(answers)

    def predict(
        self, states: Sequence[Question], *, context: Sequence[Sequence[Passage]] = ()
    ) -> list[Prediction]:
        """Return one recorded prediction per question.

        The action of a missing answer is ``NO_ANSWER``, which no domain takes for one.

        Raises:
            RecordingMissing: a question was not recorded.
        """
        return [self._predict(state) for state in states]

    def _predict(self, state: Question) -> Prediction:
        found = self._answers.get(state.text)
        if found is None:
            raise RecordingMissing(
                f"{self.name} has no recorded answer to {state.text[:80]!r}; ask questions of its "
                f"table"
            )
        return Prediction(
            agent=self.name,
            action=NO_ANSWER if found.answer is None else found.answer,
            confidence=None,
            usage=Usage(
                completion_tokens=round(found.out_tokens),
                cost_usd=found.cost_usd,
                latency_s=found.latency_s,
            ),
            tier=self._tier,
        )
