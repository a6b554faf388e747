"""The laws of ``trimtab.protocols.CompiledGame``, for every implementation to run."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from trimtab.protocols import ONGOING, AnyDomain, CompiledGame, Words

GAMES = 40


class CompiledGameContract:
    """Subclass it beside ``DomainContract`` and give ``game`` and ``domain`` fixtures."""

    @pytest.fixture
    def game(self) -> CompiledGame[Any]:
        raise NotImplementedError("give a game fixture")

    @pytest.fixture
    def domain(self) -> AnyDomain:
        raise NotImplementedError("give a domain fixture")

    def pairs(self, game: CompiledGame[Any], domain: AnyDomain) -> Iterator[tuple[int, Any, Words]]:
        """Yield plies and states of drawn games beside the words that ``play`` wrote for them."""
        for seed in range(GAMES):
            rng = np.random.default_rng(seed)
            state = domain.initial_state(seed)
            words = game.encode(state)
            for ply in range(game.max_plies + 1):
                yield ply, state, words
                legal = list(domain.legal_actions(state))
                if not legal:
                    break
                assert ply < game.max_plies
                action = int(rng.choice(legal))
                state = domain.apply_action(state, action)
                game.play(words, action, words)

    def test_sizes_fit_the_domain(self, game: CompiledGame[Any], domain: AnyDomain) -> None:
        state = domain.initial_state(0)
        assert game.name == domain.name
        assert game.num_actions == domain.num_actions <= 64
        assert game.encode(state).shape == (game.words,)
        assert game.encode(state).dtype == np.uint64
        assert domain.observation(state).shape == game.observation_shape

    def test_legal_actions_agree(self, game: CompiledGame[Any], domain: AnyDomain) -> None:
        for _, state, words in self.pairs(game, domain):
            mask = int(game.legal_mask(words))
            assert [a for a in range(64) if mask >> a & 1] == list(domain.legal_actions(state))

    def test_played_words_are_those_of_the_state(
        self, game: CompiledGame[Any], domain: AnyDomain
    ) -> None:
        for _, state, words in self.pairs(game, domain):
            assert game.encode(state).tolist() == words.tolist()
            assert game.decode(words) == state

    def test_play_leaves_its_input_alone(self, game: CompiledGame[Any], domain: AnyDomain) -> None:
        words = game.encode(domain.initial_state(0))
        before, out = words.copy(), np.zeros_like(words)
        action = domain.legal_actions(domain.initial_state(0))[0]
        game.play(words, action, out)
        assert words.tolist() == before.tolist()
        game.play(words, action, words)
        assert words.tolist() == out.tolist()

    def test_results_agree_for_the_player_to_move(
        self, game: CompiledGame[Any], domain: AnyDomain
    ) -> None:
        ends = 0
        for ply, state, words in self.pairs(game, domain):
            result = game.result(words)
            if domain.is_terminal(state):
                assert result == domain.returns(state)[ply % 2]
                ends += 1
            else:
                assert result == ONGOING
        assert ends == GAMES

    def test_observations_agree(self, game: CompiledGame[Any], domain: AnyDomain) -> None:
        out = np.full(game.observation_shape, 7.0, np.float32)
        for _, state, words in self.pairs(game, domain):
            game.observe(words, out)
            assert (out == domain.observation(state)).all()
