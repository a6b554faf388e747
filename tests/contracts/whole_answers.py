"""The laws of ``trimtab.domains.whole_answers.WholeAnswers``, for every implementation to run."""

from __future__ import annotations

import re
from typing import Any

import pytest

from trimtab.domains.whole_answers import WholeAnswers
from trimtab.errors import IllegalAction


class WholeAnswersContract:
    """Subclass it and give a ``domain`` fixture whose ``initial_state`` can be drawn."""

    @pytest.fixture
    def domain(self) -> WholeAnswers[Any]:
        raise NotImplementedError("give a domain fixture")

    def test_solution_is_right_and_of_the_pattern(self, domain: WholeAnswers[Any]) -> None:
        assert isinstance(domain, WholeAnswers)
        for seed in range(3):
            state = domain.initial_state(seed)
            solution = domain.solution(state)
            assert domain.check(state, solution) == 1.0
            assert re.search(domain.answer_pattern, solution)
            assert domain.whole(solution) == domain.canonical(solution) == solution

    def test_lines_are_joined_and_anything_else_is_no_whole_answer(
        self, domain: WholeAnswers[Any]
    ) -> None:
        solution = domain.solution(domain.initial_state(0))
        side = round(len(solution) ** 0.5)
        lines = [solution[start : start + side] for start in range(0, len(solution), side)]
        assert domain.whole("\n".join(lines)) == solution
        for answer in ("", solution[:-1], solution + solution[0], "x" * len(solution)):
            with pytest.raises(IllegalAction):
                domain.whole(answer)

    def test_action_is_no_whole_answer(self, domain: WholeAnswers[Any]) -> None:
        action = domain.legal_actions(domain.initial_state(0))[0]
        with pytest.raises(IllegalAction):
            domain.whole(domain.canonical(action))
