"""The Game of 24: its steps and its exact checker."""

from __future__ import annotations

from fractions import Fraction
from itertools import permutations, product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.contracts.domain import DomainContract
from trimtab.domains.arithmetic import Operation, value
from trimtab.domains.game24 import Game24, can_reach_target
from trimtab.errors import IllegalAction, InputError

GAME = Game24()


class TestGame24KeepsTheLaws(DomainContract):
    @pytest.fixture
    def domain(self) -> Game24:
        return GAME


def solvable_by_trees(drawn: list[int]) -> bool:
    """Return whether one of the five shapes of four numbers is worth 24."""
    for a, b, c, d in set(permutations(drawn)):
        for s, t, u in product("+-*/", repeat=3):
            shapes = (
                Operation(u, Operation(t, Operation(s, a, b), c), d),
                Operation(u, Operation(s, a, Operation(t, b, c)), d),
                Operation(t, Operation(s, a, b), Operation(u, c, d)),
                Operation(s, a, Operation(u, Operation(t, b, c), d)),
                Operation(s, a, Operation(t, b, Operation(u, c, d))),
            )
            if any(value(shape) == 24 for shape in shapes):
                return True
    return False


@pytest.mark.parametrize("numbers", ["1 1 1 1", "3 3 8 8", "1 5 5 5", "13 13 13 13", "4 4 10 8"])
def test_what_can_be_reached_is_what_some_expression_is_worth(numbers: str) -> None:
    state = GAME.from_text(numbers)
    assert can_reach_target(state.values) == solvable_by_trees(state.numbers)


@pytest.mark.parametrize(
    ("answer", "reward"),
    [
        ("8/(3-8/3)", 1.0),
        ("8 ÷ (3 − 8/3) = 24", 1.0),
        ("8*3", 0.0),  # two numbers are left out
        ("(8-3-3)*8+8", 0.0),  # one is used twice
        ("8*3+8-8+3-3", 0.0),
        ("8/(3-3)+8", 0.0),  # divides by zero
    ],
)
def test_an_expression_must_be_worth_24_and_use_each_number_once(
    answer: str, reward: float
) -> None:
    assert GAME.check(GAME.from_text("3 3 8 8"), answer) == reward


@given(st.integers(0, 10_000))
def test_right_steps_lead_to_a_solution_that_the_checker_takes(seed: int) -> None:
    start = state = GAME.initial_state(seed)
    while not GAME.is_terminal(state):
        right = [a for a in GAME.legal_actions(state) if GAME.check(state, a) == 1.0]
        state = GAME.apply_action(state, right[seed % len(right)])
    assert GAME.returns(state) == (1.0,)
    assert GAME.check(start, GAME.solution(state)) == 1.0


def test_a_wrong_last_step_returns_minus_one() -> None:
    state = GAME.apply_action(GAME.from_text("4 5"), GAME.index("a+b") or 0)
    assert state.values == (Fraction(9),)
    assert GAME.returns(state) == (-1.0,)
    with pytest.raises(InputError, match="numbers are left"):
        GAME.returns(GAME.from_text("4 5"))


def test_swapped_letters_of_a_sum_mean_the_same_step() -> None:
    assert GAME.canonical("b + a") == GAME.canonical("a+b") == "a+b"
    assert GAME.canonical("b - a") != GAME.canonical("a - b")


def test_dividing_by_zero_is_no_step() -> None:
    state = GAME.from_text("(4-4) 6")
    names = [GAME.canonical(action) for action in GAME.legal_actions(state)]
    assert names == ["a+b", "a-b", "b-a", "a*b", "a/b"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("1 2 3 4 5", "has 5 parts"),
        ("1+2 3+4 5", "holds"),
        ("20000 1", "above 10000"),
        ("4/(2-2)", "divides by zero"),
        ("4 x", "use whole numbers"),
    ],
)
def test_unusable_numbers_are_named(text: str, said: str) -> None:
    with pytest.raises(InputError, match=said):
        GAME.from_text(text)


@pytest.mark.parametrize("answer", ["a+a", "a+e", "4 and 5", "4+5=25"])
def test_neither_step_nor_expression_is_illegal(answer: str) -> None:
    with pytest.raises(IllegalAction):
        GAME.canonical(answer)
