"""The plain searches: right by themselves, and equal to the compiled ones node for node."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.search.evaluators import Hashed
from tests.search.tictactoe import Board, TicTacToe
from trimtab.domains.connect_four import ConnectFour
from trimtab.errors import ConfigError, InputError, LeafFailed, LeafInvalid, SearchError
from trimtab.protocols import ONGOING, AnyGame
from trimtab.search.mcts import MCTSConfig, search
from trimtab.search.reference import ReferenceResult, ReferenceSearch, SplitMix64, reference_uct
from trimtab.search.uct import UCTConfig, search_uct
from trimtab.search.workers import Leaf, LeafFn

TOE, FOUR = TicTacToe(), ConnectFour()


def _toe_player(state: Board) -> int:
    return (state.mover | state.other).bit_count() % 2


def _four_player(state: Any) -> int:
    return int(state.stones % 2)


PLAYERS: dict[Any, Callable[[Any], int]] = {TOE: _toe_player, FOUR: _four_player}
GAMES = st.sampled_from([TOE, FOUR])


def _walk(domain: Any, seed: int, plies: int) -> Any:
    """Return a state that is not terminal, reached by random moves."""
    rng = np.random.default_rng(seed)
    state = domain.initial_state(0)
    for _ in range(plies):
        following = domain.apply_action(state, int(rng.choice(domain.legal_actions(state))))
        if domain.is_terminal(following):
            break
        state = following
    return state


def _plain(game: AnyGame, evaluate: Hashed) -> LeafFn[Any]:
    def leaf(state: Any) -> Leaf:
        priors, values = evaluate(game.encode(state)[None])
        return Leaf(priors=priors[0].tolist(), value=float(values[0]))

    return leaf


def _uniform(domain: Any) -> LeafFn[Any]:
    def leaf(state: Any) -> Leaf:
        legal = domain.legal_actions(state)
        share = [1.0 / len(legal) if a in legal else 0.0 for a in range(domain.num_actions)]
        return Leaf(priors=share, value=0.0)

    return leaf


def _agrees(ours: Any, theirs: ReferenceResult) -> None:
    assert tuple(ours.visit_counts[0].tolist()) == theirs.visit_counts
    assert ours.action[0] == theirs.action
    assert ours.q[0].tolist() == pytest.approx(list(theirs.q), abs=1e-12)
    assert ours.value[0] == pytest.approx(theirs.value, abs=1e-12)
    assert (None if ours.proven[0] == ONGOING else ours.proven[0]) == theirs.proven


@settings(max_examples=40, deadline=None)
@given(GAMES, st.integers(0, 10_000), st.integers(0, 30), st.integers(1, 200))
def test_the_forest_makes_the_visits_of_the_reference(
    domain: Any, seed: int, plies: int, simulations: int
) -> None:
    game, state = domain.compiled, _walk(domain, seed, plies)
    plain = ReferenceSearch(domain, state, player=PLAYERS[domain])
    theirs = plain.run(_plain(game, Hashed(game)), simulations=simulations)
    config = MCTSConfig(simulations=simulations, final_move="robust")
    _agrees(search(game, game.encode(state)[None], Hashed(game), config, [0]), theirs)


@settings(max_examples=40, deadline=None)
@given(GAMES, st.integers(0, 10_000), st.integers(0, 30), st.integers(1, 300))
def test_compiled_uct_makes_the_visits_of_the_reference(
    domain: Any, seed: int, plies: int, simulations: int
) -> None:
    game, state = domain.compiled, _walk(domain, seed, plies)
    theirs = reference_uct(
        domain, state, player=PLAYERS[domain], simulations=simulations, c=1.4, seed=seed
    )
    config = UCTConfig(simulations=simulations, c=1.4)
    _agrees(search_uct(game, game.encode(state)[None], config, [seed]), theirs)


@pytest.mark.parametrize(
    ("cells", "move"),
    [([0, 3, 1, 4], 2), ([8, 0, 7, 1, 3], 2), ([0, 4, 8, 1], 7), ([0, 8, 1], 2)],
    ids=["win first", "win second", "block first", "block second"],
)
def test_wins_and_blocks_in_one_are_played(cells: list[int], move: int) -> None:
    state = TOE.after(cells)
    puct = ReferenceSearch(TOE, state, player=_toe_player)
    assert puct.run(_uniform(TOE), simulations=100).action == move
    for seed in range(5):
        uct = reference_uct(TOE, state, player=_toe_player, simulations=300, c=1.4, seed=seed)
        assert uct.action == move


@dataclass(frozen=True)
class Digits:
    """A puzzle of one player: write some digits; the value is their share of ones."""

    length: int = 4
    name = "digits"
    num_actions = 10

    def legal_actions(self, state: str) -> Sequence[int]:
        return [] if len(state) == self.length else range(10)

    def apply_action(self, state: str, action: int) -> str:
        return state + str(action)

    def is_terminal(self, state: str) -> bool:
        return len(state) == self.length

    def returns(self, state: str) -> tuple[float, ...]:
        return (2.0 * state.count("1") / self.length - 1.0,)

    def to_text(self, state: str) -> str:
        return state


def test_a_puzzle_of_one_player_never_changes_the_sign() -> None:
    domain: Any = Digits()
    puct = ReferenceSearch(domain, "1", player=lambda state: 0)
    assert puct.run(_uniform(domain), simulations=300).action == 1
    uct = reference_uct(domain, "1", player=lambda state: 0, simulations=500, c=0.5, seed=0)
    assert uct.action == 1
    assert uct.value > 0.0


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 200), st.floats(0.5, 3.0), st.floats(0.2, 0.9))
def test_widening_keeps_the_children_at_its_bound(n: int, k: float, alpha: float) -> None:
    # too long for a proof, which would end the search
    domain: Any = Digits(length=300)
    search_ = ReferenceSearch(domain, "", player=lambda state: 0, widening=(k, alpha))
    tried = sum(count > 0 for count in search_.run(_uniform(domain), simulations=n).visit_counts)
    assert tried <= k * n**alpha + 1.0
    # a visit adds a child wherever the bound leaves room for one
    allowed = 0
    for visit in range(1, n + 1):
        allowed += allowed < min(10, k * visit**alpha)
    assert tried == allowed


def test_widening_tries_the_likeliest_actions() -> None:
    domain: Any = Digits()
    priors = [0.01] * 10
    priors[7], priors[3] = 0.62, 0.3
    search_ = ReferenceSearch(domain, "", player=lambda state: 0, widening=(0.3, 0.5))
    result = search_.run(lambda state: Leaf(priors=priors, value=0.0), simulations=30)
    assert {action for action, n in enumerate(result.visit_counts) if n} == {7, 3}


def test_a_leaf_function_that_fails_leaves_a_search_that_goes_on() -> None:
    search_ = ReferenceSearch(FOUR, FOUR.initial_state(0), player=_four_player)
    calls = 0

    def leaf(state: Any) -> Leaf:
        nonlocal calls
        calls += 1
        if calls == 6:
            raise TimeoutError("no answer within 1 s")
        return _uniform(FOUR)(state)

    with pytest.raises(LeafFailed, match="TimeoutError") as caught:
        search_.run(leaf, simulations=20)
    partial = caught.value.partial
    assert isinstance(partial, ReferenceResult)
    assert sum(partial.visit_counts) == 4
    undisturbed = ReferenceSearch(FOUR, FOUR.initial_state(0), player=_four_player)
    expected = undisturbed.run(_uniform(FOUR), simulations=20)
    assert search_.run(leaf, simulations=20) == expected


@pytest.mark.parametrize(
    "answer",
    [
        None,
        Leaf(priors=[1.0], value=0.0),
        Leaf(priors=[1.0] * 7, value=0.0),
        Leaf(priors=[1 / 7] * 7, value=float("nan")),
        Leaf(priors=[float("nan")] * 7, value=0.0),
    ],
)
def test_an_unusable_answer_is_named(answer: Any) -> None:
    search_ = ReferenceSearch(FOUR, FOUR.initial_state(0), player=_four_player)
    with pytest.raises(LeafInvalid, match="leaf function") as caught:
        search_.run(lambda state: answer, simulations=5)
    assert caught.value.partial is None
    assert sum(search_.run(_uniform(FOUR), simulations=5).visit_counts) == 5


def test_bad_input_is_refused() -> None:
    over = FOUR.from_text("1212121")
    with pytest.raises(InputError, match="finished"):
        ReferenceSearch(FOUR, over, player=_four_player)
    with pytest.raises(InputError, match="finished"):
        reference_uct(FOUR, over, player=_four_player, simulations=1, c=1.4, seed=0)
    search_ = ReferenceSearch(FOUR, FOUR.initial_state(0), player=_four_player)
    with pytest.raises(ConfigError, match="simulations=0"):
        search_.run(_uniform(FOUR), simulations=0)
    with pytest.raises(SearchError):
        search_.result()


def test_the_generator_is_even() -> None:
    generator = SplitMix64(0)
    counts = np.bincount([generator.below(7) for _ in range(7_000)], minlength=7)
    # χ² with 6 degrees of freedom is below 22.5 in 999 of 1,000 cases
    assert ((counts - 1000) ** 2 / 1000).sum() < 22.5
