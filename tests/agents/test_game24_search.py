"""The Game of 24 by search: solutions, proofs that there is none, and proposals as priors."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from trimtab.agents.game24_search import (
    Game24Steps,
    ProposedPriors,
    even_priors,
    solve_game24,
)
from trimtab.domains.game24 import Game24, Game24State
from trimtab.errors import ConfigError, InputError, LeafFailed, LLMUnavailable, ParseError
from trimtab.records import Passage, Prediction

GAME = Game24()


class _Proposer:
    """Proposes a right first step, a wrong one, or fails."""

    name = "proposer"
    reads_context = False

    def __init__(self, *, right: bool = True, error: Exception | None = None) -> None:
        self._right, self._error = right, error

    def predict(
        self, states: Sequence[Game24State], *, context: Sequence[Sequence[Passage]] = ()
    ) -> list[Prediction]:
        if self._error is not None:
            raise self._error
        return [
            Prediction(agent=self.name, action=self._step(state), confidence=None)
            for state in states
        ]

    def _step(self, state: Game24State) -> int:
        judged = {a: GAME.check(state, a) == 1.0 for a in GAME.legal_actions(state)}
        return next(action for action, right in judged.items() if right == self._right)


@pytest.mark.parametrize("seed", range(10))
def test_what_is_found_is_worth_24_and_uses_each_number_once(seed: int) -> None:
    state = GAME.initial_state(seed)
    solved = solve_game24(state, seed=seed)
    assert solved.expression is not None
    assert GAME.check(state, solved.expression) == 1.0
    assert solved.proven


@pytest.mark.parametrize("puzzle", ["1 1 1 1", "1 1 1 2", "13 13", "7 11 13"])
def test_a_puzzle_without_a_solution_is_proven_to_have_none(puzzle: str) -> None:
    solved = solve_game24(GAME.from_text(puzzle), seed=0)
    assert (solved.expression, solved.proven) == (None, True)


def test_a_small_budget_proves_nothing() -> None:
    solved = solve_game24(GAME.from_text("1 1 1 1"), seed=0, simulations=20)
    assert (solved.expression, solved.proven, solved.simulations) == (None, False, 20)


def test_one_seed_gives_one_search() -> None:
    state = GAME.from_text("3 3 8 8")
    assert solve_game24(state, seed=4) == solve_game24(state, seed=4)


def test_a_finished_puzzle_is_refused() -> None:
    with pytest.raises(InputError, match="is finished"):
        solve_game24(GAME.from_text("24"), seed=0)


def test_right_proposals_need_fewer_simulations_than_even_priors_and_wrong_ones_still_solve() -> (
    None
):
    states = [GAME.initial_state(seed) for seed in range(100, 112)]

    def taken(proposer: _Proposer | None) -> int:
        priors = even_priors if proposer is None else ProposedPriors(proposer)
        solved = [solve_game24(state, seed=0, priors=priors) for state in states]
        assert all(one.expression for one in solved)
        return sum(one.simulations for one in solved)

    even = taken(None)
    assert taken(_Proposer()) < 0.7 * even
    assert taken(_Proposer(right=False)) > 0


def test_priors_sum_to_1_over_the_legal_steps_with_half_on_the_proposal() -> None:
    state = GAME.from_text("4 4 8 10")
    priors = np.array(ProposedPriors(_Proposer())(state))
    legal = list(GAME.legal_actions(state))
    assert priors.sum() == pytest.approx(1.0)
    assert priors[legal].sum() == pytest.approx(1.0)
    assert priors.max() == pytest.approx(0.5 + 0.5 / len(legal))


def test_the_agent_is_asked_about_the_puzzle_alone() -> None:
    priors = ProposedPriors(_Proposer())
    solve_game24(GAME.from_text("4 4 8 10"), seed=0, priors=priors)
    assert priors.asked == 1


def test_an_unreadable_proposal_is_counted_and_leaves_even_priors() -> None:
    priors = ProposedPriors(_Proposer(error=ParseError("no step")))
    state = GAME.from_text("4 4 8 10")
    assert priors(state) == even_priors(state)
    assert (priors.asked, priors.unreadable) == (1, 1)


def test_an_agent_that_is_gone_ends_the_search_with_its_error_as_cause() -> None:
    priors = ProposedPriors(_Proposer(error=LLMUnavailable("gone")))
    with pytest.raises(LeafFailed, match="gone") as caught:
        solve_game24(GAME.from_text("4 4 8 10"), seed=0, priors=priors)
    assert isinstance(caught.value.__cause__, LLMUnavailable)


def test_a_weight_is_a_share() -> None:
    with pytest.raises(ConfigError, match=r"weight=1.5"):
        ProposedPriors(_Proposer(), weight=1.5)


def test_the_steps_that_an_llm_may_answer_are_explained_to_it() -> None:
    steps = Game24Steps()
    state = steps.from_text("4 4 8 10")
    assert "d-a" in steps.instructions
    assert "d-a" in {steps.canonical(action) for action in steps.legal_actions(state)}
