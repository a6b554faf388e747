"""Questions with recorded answers, as a domain: the answers of a table are its actions."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import numpy as np

from trimtab.domains.texts import short
from trimtab.errors import IllegalAction, InputError, TruthUnknown
from trimtab.protocols import Array

NO_ANSWER = ""
"""The action of a step that gave no answer; it has no canonical form and agrees with nothing."""
_ANSWERED = "\x1f"  # stands between a question and the answer in the text form of an answered state


@dataclass(frozen=True, slots=True)
class Question:
    """A question, and the answer that was given (None while it is open)."""

    text: str
    answer: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordedAnswer:
    """What a step answered to one question; ``answer`` None where it gave none."""

    answer: str | None
    cost_usd: float
    out_tokens: float = 0.0
    latency_s: float = 0.0


class RecordedQuestions:
    """A domain whose states are recorded questions and whose actions are the recorded answers.

    Answers are compared as they stand: a table holds one canonical form of each. Those recorded to
    a question are its legal actions, for only of them the truth is known; a question that nobody
    answered is an end.

    Args:
        name: the domain's name.
        rewards: question's text -> recorded answer -> whether it is right.

    Raises:
        InputError: there is no question or no answer, or one holds the control character U+001F.
    """

    def __init__(self, *, name: str, rewards: Mapping[str, Mapping[str, bool]]) -> None:
        answers = sorted({answer for given in rewards.values() for answer in given})
        if not rewards or not answers:
            raise InputError("rewards holds no recorded answer; give a table with answers")
        marked = [text for text in (*rewards, *answers) if _ANSWERED in text]
        marked += [text for text in rewards if not text.strip()]
        # a blank is what some programs print; nothing at all is no answer
        marked += [answer for answer in answers if answer == NO_ANSWER]
        if marked:
            raise InputError(
                f"question or answer {short(marked[0])} is empty or holds the control character "
                f"U+001F; mend it"
            )
        self.name = name
        self.instructions = "Answer the question."
        self.answers: tuple[str, ...] = tuple(answers)
        self._index = {answer: action for action, answer in enumerate(self.answers)}
        self._rewards = {text: dict(given) for text, given in rewards.items()}
        self._texts = tuple(rewards)

    @property
    def num_actions(self) -> int:
        """Return the number of different recorded answers; action i is ``answers[i]``."""
        return len(self.answers)

    def initial_state(self, seed: int) -> Question:
        """Return one of the questions, drawn uniformly by the seed."""
        return Question(self._texts[int(np.random.default_rng(seed).integers(len(self._texts)))])

    def legal_actions(self, state: Question) -> tuple[int, ...]:
        """Return the places of the question's recorded answers, none for an answered one."""
        if state.answer is not None:
            return ()
        return tuple(sorted(self._index[given] for given in self._rewards.get(state.text, {})))

    def apply_action(self, state: Question, action: int) -> Question:
        """Return the answered question; raises ``IllegalAction``."""
        legal = self.legal_actions(state)
        if isinstance(action, str) or action not in legal:
            raise IllegalAction(f"action {short(action)} is not legal; legal: {list(legal)}")
        return replace(state, answer=self.answers[action])

    def is_terminal(self, state: Question) -> bool:
        """Return whether the question is answered, or was by nobody."""
        return not self.legal_actions(state)

    def returns(self, state: Question) -> tuple[float, ...]:
        """Return 1 for a right answer and -1 for a wrong one.

        Raises:
            InputError: the question is open.
            TruthUnknown: the answer was not recorded to this question.
        """
        if state.answer is None:
            raise InputError("the question is open; returns are those of an answered one")
        return (2.0 * self.check(state, state.answer) - 1.0,)

    def observation(self, state: Question) -> Array:
        """Return `[1]` the logarithm of the question's length: what every text has."""
        return np.array([np.log1p(len(state.text))], dtype=np.float32)

    def to_text(self, state: Question) -> str:
        """Return the question, and the answer behind a control character if there is one."""
        return state.text if state.answer is None else f"{state.text}{_ANSWERED}{state.answer}"

    def from_text(self, text: str) -> Question:
        """Return the state of a text form; raises ``InputError`` for a question of no table."""
        question, mark, answer = text.partition(_ANSWERED)
        if question not in self._rewards:
            raise InputError(f"{short(question)} is no question of {self.name!r}; use one of it")
        return Question(question, self.canonical(answer) if mark else None)

    def canonical(self, answer: int | str) -> str:
        """Return the answer as it was recorded; raises ``IllegalAction`` for none of the table."""
        if isinstance(answer, str):
            if answer not in self._index:
                raise IllegalAction(f"answer {short(answer)} is unknown; legal: {self._legal()}")
            return answer
        if isinstance(answer, bool) or not 0 <= answer < len(self.answers):
            raise IllegalAction(f"action {short(answer)} is no index; legal: {self._legal()}")
        return self.answers[answer]

    def check(self, state: Question, answer: int | str) -> float:
        """Return 1 for a right answer, 0 for a wrong one.

        Raises:
            IllegalAction: the answer is none of the table's.
            TruthUnknown: it was not recorded to this question.
        """
        right = self._rewards.get(state.text, {}).get(self.canonical(answer))
        if right is None:
            raise TruthUnknown(
                f"nobody gave the answer {short(answer)} to {short(state.text)} in {self.name!r}"
            )
        return float(right)

    def _legal(self) -> str:
        return f"0..{len(self.answers) - 1}, or a recorded answer"


def worded(canonical: Callable[[int | str], str], action: int | str) -> str:
    """Return an answer in a domain's canonical words, ``NO_ANSWER`` for a step that gave none."""
    return NO_ANSWER if action == NO_ANSWER else canonical(action)
