"""Hex's rules, text form and drawing."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.contracts.compiled_game import CompiledGameContract
from tests.contracts.domain import DomainContract
from trimtab.domains.hex import Hex, HexState
from trimtab.errors import ConfigError, IllegalAction, InputError, TruthUnknown
from trimtab.protocols import AnyGame

SMALL, LARGE = Hex(4), Hex(8)


class TestSmallHexKeepsTheLaws(DomainContract, CompiledGameContract):
    num_players = 2

    @pytest.fixture
    def domain(self) -> Hex:
        return SMALL

    @pytest.fixture
    def game(self) -> AnyGame:
        return SMALL.compiled


class TestLargestHexKeepsTheLaws(CompiledGameContract):
    @pytest.fixture
    def domain(self) -> Hex:
        return LARGE

    @pytest.fixture
    def game(self) -> AnyGame:
        return LARGE.compiled


def filled(game: Hex, order: list[int]) -> HexState:
    """Return the position after the cells in their order, as far as the game goes."""
    state = game.initial_state(0)
    for cell in order:
        if not game.is_terminal(state):
            state = game.apply_action(state, cell)
    return state


def joined_by_search(game: Hex, state: HexState, *, second: bool) -> bool:
    """Return whether a player has joined the sides, by a walk over neighbouring cells."""
    n = game.size
    bits = state.second if second else state.first
    mine = {divmod(c, n) for c in range(n * n) if bits >> c & 1}
    axis = 1 if second else 0
    seen = {cell for cell in mine if cell[axis] == 0}
    walk = list(seen)
    while walk:
        r, c = walk.pop()
        for near in (
            (r, c + 1),
            (r, c - 1),
            (r + 1, c),
            (r - 1, c),
            (r - 1, c + 1),
            (r + 1, c - 1),
        ):
            if near in mine and near not in seen:
                seen.add(near)
                walk.append(near)
    return any(cell[axis] == n - 1 for cell in seen)


@pytest.mark.parametrize("size", [2, 3, 5, 8])
def test_somebody_wins_every_game_and_only_one(size: int) -> None:
    game = Hex(size)
    for seed in range(20):
        order = np.random.default_rng(seed).permutation(size * size).tolist()
        state = filled(game, order)
        wins = [joined_by_search(game, state, second=second) for second in (False, True)]
        assert sorted(wins) == [False, True]
        assert game.returns(state) == ((1.0, -1.0) if wins[0] else (-1.0, 1.0))


@given(st.permutations(range(16)), st.integers(0, 16))
def test_half_a_turn_keeps_the_result(order: list[int], plies: int) -> None:
    state = filled(SMALL, order[:plies])
    turned = SMALL.rotate(state)
    assert SMALL.rotate(turned) == state
    assert SMALL.is_terminal(turned) == SMALL.is_terminal(state)
    assert (SMALL.observation(turned) == SMALL.observation(state)[:, ::-1, ::-1]).all()
    if SMALL.is_terminal(state):
        assert SMALL.returns(turned) == SMALL.returns(state)


@given(st.permutations(range(16)))
def test_a_finished_game_keeps_its_text(order: list[int]) -> None:
    state = filled(SMALL, order)
    assert SMALL.from_text(SMALL.to_text(state)) == state


@pytest.mark.parametrize(
    ("moves", "said"),
    [
        ("", "is empty"),
        ("a1 e1", "move 2, 'e1', is not possible: answer 'e1' is no cell"),
        ("a1 a1", "move 2, 'a1', is not possible: cell a1 is taken"),
        ("a1 b1 a2 b2 a3 b3 a4 b4", "move 8, 'b4', is not possible: the game is over"),
    ],
)
def test_unusable_moves_are_named(moves: str, said: str) -> None:
    with pytest.raises(InputError, match=said):
        SMALL.from_text(moves)


@pytest.mark.parametrize("size", [1, 9, True, "5"])
def test_a_board_has_two_to_eight_rows(size: object) -> None:
    with pytest.raises(ConfigError, match="use 2 to 8"):
        Hex(size)  # type: ignore[arg-type]


def test_returns_need_an_end() -> None:
    with pytest.raises(InputError, match="not over"):
        SMALL.returns(SMALL.initial_state(0))


def test_truth_is_unknown_but_a_wrong_cell_is_told() -> None:
    with pytest.raises(TruthUnknown):
        SMALL.check(SMALL.initial_state(0), "b2")
    with pytest.raises(IllegalAction):
        SMALL.check(SMALL.initial_state(0), "z2")
