"""The exact tier: proven answers, and a net that saves it guesses."""

from __future__ import annotations

from typing import Any

import pytest

from tests.contracts.agent import AgentContract
from trimtab.agents.exact_search import ExactSearch
from trimtab.domains.maze import Maze
from trimtab.domains.sudoku import Sudoku, SudokuState
from trimtab.domains.sudoku_solver import Search, geometry
from trimtab.errors import InputError
from trimtab.protocols import AnyDomain


class TestExactSearch(AgentContract):
    @pytest.fixture
    def agent(self) -> ExactSearch:
        return ExactSearch(net=None, usd_per_cpu_s=1e-5)

    @pytest.fixture
    def domain(self) -> AnyDomain:
        return Sudoku(6)

    @pytest.fixture
    def states(self, domain: AnyDomain) -> list[Any]:
        return [domain.initial_state(seed) for seed in range(3)]


@pytest.mark.parametrize("domain", [Sudoku(4), Sudoku(9), Maze(11)], ids=lambda d: d.name)
def test_its_answer_is_the_solution_and_it_is_sure(domain: Sudoku | Maze) -> None:
    state: Any = domain.initial_state(1)
    [prediction] = ExactSearch(net=None, usd_per_cpu_s=0.0).predict([state])
    assert domain.check(state, prediction.action) == 1.0
    assert prediction.confidence == 1.0


def test_the_right_digit_first_leaves_only_needed_guesses() -> None:
    domain = Sudoku(9)
    states = [domain.initial_state(seed) for seed in range(40)]
    shape = geometry(9)
    guesses = {"right first": 0, "right last": 0}
    for state in states:
        solution = domain.solution(state)
        for name, sign in (("right first", -1), ("right last", 1)):
            masks = shape.candidates(state.givens)
            assert masks is not None

            def order(cell: int, bits: list[int], *, s: int = sign, a: str = solution) -> list[int]:
                return sorted(bits, key=lambda bit: s * (bit == 1 << int(a[cell]) - 1))

            search = Search(shape, 1, order=order)
            search.run(masks)
            guesses[name] += search.guesses
    assert 0 < guesses["right first"] < guesses["right last"]


def test_a_puzzle_without_solution_is_named() -> None:
    givens = "11" + "." * 14
    with pytest.raises(InputError, match="no solution"):
        ExactSearch(net=None, usd_per_cpu_s=0.0).predict([SudokuState(givens, givens)])
