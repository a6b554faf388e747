"""The laws of ``trimtab.protocols.Domain``, for every implementation to run."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from trimtab.errors import IllegalAction, InputError, TruthUnknown
from trimtab.protocols import Domain

SEEDS = range(5)
MAX_PLIES = 500


class DomainContract:
    """Subclass it and give a ``domain`` fixture whose ``initial_state`` can be drawn.

    ``num_players`` is how many values ``returns`` holds.
    """

    num_players = 1

    @pytest.fixture
    def domain(self) -> Domain[Any]:
        raise NotImplementedError("give a domain fixture")

    def episode(self, domain: Domain[Any], seed: int) -> Iterator[Any]:
        """Yield the states of an episode of uniformly drawn legal actions."""
        rng = np.random.default_rng(seed)
        state = domain.initial_state(seed)
        yield state
        for _ in range(MAX_PLIES):
            legal = list(domain.legal_actions(state))
            if not legal:
                return
            state = domain.apply_action(state, legal[int(rng.integers(len(legal)))])
            yield state
        raise AssertionError(f"no end after {MAX_PLIES} actions")

    def states(self, domain: Domain[Any]) -> list[Any]:
        return [state for seed in SEEDS for state in self.episode(domain, seed)]

    def test_name_and_instructions_are_words(self, domain: Domain[Any]) -> None:
        assert domain.name.strip()
        assert domain.instructions.strip()

    def test_same_seed_gives_the_same_start(self, domain: Domain[Any]) -> None:
        for seed in SEEDS:
            assert domain.initial_state(seed) == domain.initial_state(seed)

    def test_legal_actions_ascend_within_the_actions(self, domain: Domain[Any]) -> None:
        for state in self.states(domain):
            legal = list(domain.legal_actions(state))
            assert legal == sorted(set(legal))
            assert all(0 <= action < domain.num_actions for action in legal)

    def test_an_action_is_legal_exactly_if_it_can_be_applied(self, domain: Domain[Any]) -> None:
        for state in self.states(domain):
            legal = set(domain.legal_actions(state))
            for action in (-1, *range(domain.num_actions), domain.num_actions):
                if action in legal:
                    domain.apply_action(state, action)
                else:
                    with pytest.raises(IllegalAction):
                        domain.apply_action(state, action)

    def test_applying_an_action_leaves_the_state_as_it_was(self, domain: Domain[Any]) -> None:
        for state in self.states(domain):
            before = domain.to_text(state)
            for action in domain.legal_actions(state):
                domain.apply_action(state, action)
            assert domain.to_text(state) == before

    def test_a_state_is_terminal_exactly_if_no_action_is_legal(self, domain: Domain[Any]) -> None:
        for state in self.states(domain):
            assert domain.is_terminal(state) == (len(domain.legal_actions(state)) == 0)

    def test_text_form_gives_the_state_back(self, domain: Domain[Any]) -> None:
        for state in self.states(domain):
            assert domain.from_text(domain.to_text(state)) == state

    def test_empty_text_is_an_input_error(self, domain: Domain[Any]) -> None:
        with pytest.raises(InputError):
            domain.from_text("")

    def test_observation_has_one_shape_and_is_finite_float32(self, domain: Domain[Any]) -> None:
        observations = [domain.observation(state) for state in self.states(domain)]
        assert {observation.shape for observation in observations} == {observations[0].shape}
        assert all(observation.dtype == np.float32 for observation in observations)
        assert all(np.isfinite(observation).all() for observation in observations)

    def test_returns_of_an_end_hold_one_value_per_player(self, domain: Domain[Any]) -> None:
        for state in self.states(domain):
            if domain.is_terminal(state):
                values = domain.returns(state)
                assert len(values) == self.num_players
                assert all(-1.0 <= value <= 1.0 for value in values)

    def test_canonical_is_idempotent_and_tells_actions_apart(self, domain: Domain[Any]) -> None:
        actions = domain.legal_actions(domain.initial_state(0))
        names = [domain.canonical(action) for action in actions]
        assert [domain.canonical(name) for name in names] == names
        assert len(set(names)) == len(names)

    def test_no_answer_has_no_canonical_form(self, domain: Domain[Any]) -> None:
        for answer in (-1, domain.num_actions, "", "\u2603 no such answer \u2603"):
            with pytest.raises(IllegalAction):
                domain.canonical(answer)

    def test_reward_is_in_range_and_the_same_for_one_meaning(self, domain: Domain[Any]) -> None:
        state = domain.initial_state(0)
        for action in domain.legal_actions(state):
            try:
                reward = domain.check(state, action)
            except TruthUnknown:
                continue
            assert 0.0 <= reward <= 1.0
            assert domain.check(state, domain.canonical(action)) == reward
