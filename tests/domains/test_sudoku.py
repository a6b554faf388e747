"""Sudoku: the domain's laws, the exact solver, and the grades."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tests.contracts.domain import DomainContract
from tests.contracts.whole_answers import WholeAnswersContract
from trimtab.domains import sudoku_solver
from trimtab.domains.sudoku import Sudoku
from trimtab.domains.sudoku_generator import generate, generate_easy, graded, mean_guesses
from trimtab.domains.sudoku_solver import geometry, solutions
from trimtab.errors import IllegalAction, InputError
from trimtab.protocols import Domain

QUESTION = ".....42......1.3"
ANSWER = "1234342143122143"


class TestSudoku4(DomainContract):
    @pytest.fixture
    def domain(self) -> Domain[Any]:
        return Sudoku(4)


class TestSudoku6(WholeAnswersContract, DomainContract):
    @pytest.fixture
    def domain(self) -> Sudoku:
        return Sudoku(6)


@pytest.mark.parametrize("side", [4, 6, 9])
def test_a_generated_puzzle_has_its_answer_as_the_only_solution(side: int) -> None:
    rng = np.random.default_rng(side)
    for _ in range(3):
        puzzle = generate(side, rng)
        assert solutions(side, puzzle.question) == [puzzle.answer]
        assert geometry(side).violations(puzzle.answer) == 0


def test_a_minimal_puzzle_loses_uniqueness_with_any_given() -> None:
    puzzle = generate(6, np.random.default_rng(3))
    for cell, given in enumerate(puzzle.question):
        if given != ".":
            without = f"{puzzle.question[:cell]}.{puzzle.question[cell + 1 :]}"
            assert len(solutions(6, without)) == 2


def test_an_easy_puzzle_needs_no_guess_and_has_its_number_of_givens() -> None:
    puzzle = generate_easy(9, np.random.default_rng(0))
    assert 34 <= 81 - puzzle.question.count(".") <= 45
    assert (
        graded(puzzle.question, puzzle.answer, side=9, rng=np.random.default_rng(0)).rating == 0.0
    )


def test_the_rating_counts_guesses_over_random_orders() -> None:
    assert mean_guesses(QUESTION, side=4, rng=np.random.default_rng(0)) == 0.0
    assert mean_guesses("." * 16, side=4, rng=np.random.default_rng(0)) > 0.0


def test_check_knows_the_solution_and_each_of_its_digits() -> None:
    domain = Sudoku(4)
    state = domain.from_text(QUESTION)
    assert domain.check(state, ANSWER) == 1.0
    assert domain.check(state, "12 34|3421 43 12 2143") == 1.0
    assert domain.check(state, ANSWER[::-1]) == 0.0
    assert domain.check(state, 0) == 1.0
    assert domain.check(state, 2) == 0.0


def test_empty_cells_may_be_written_as_zeros() -> None:
    domain = Sudoku(4)
    assert domain.from_text(QUESTION.replace(".", "0")) == domain.from_text(QUESTION)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("." * 16, "more than one solution"),
        ("11" + "." * 14, "no solution"),
        ("12", "has 2 cells"),
        ("a" * 16, "holds ['a']"),
        ("5" + "." * 15, "holds ['5']"),
        (QUESTION + "/" + "1" * 16, "changes a given"),
        (QUESTION + "/" + QUESTION + "/" + QUESTION, "more than one '/'"),
    ],
)
def test_a_grid_that_cannot_be_used_is_named(text: str, says: str) -> None:
    with pytest.raises(InputError) as caught:
        Sudoku(4).from_text(text)
    assert says in str(caught.value)


def test_a_grid_that_would_keep_the_search_for_hours_is_given_up(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    endless = ".....5.8....6.1.43..........1.5........1.6...3.......553.....61........4........."
    monkeypatch.setattr(sudoku_solver, "MOST_GUESSES", 300)
    with pytest.raises(InputError, match="not settled after 300 guesses"):
        Sudoku(9).from_text(endless)
    # what was found before the guesses ran out is still told
    assert len(solutions(9, "." * 81, limit=1)) == 1


def test_an_answer_that_is_no_grid_is_named() -> None:
    with pytest.raises(IllegalAction, match="no full grid"):
        Sudoku(4).canonical("forty-two")


def test_another_side_is_named() -> None:
    with pytest.raises(InputError, match="side=5"):
        Sudoku(5)


def test_the_grid_is_drawn_a_line_a_row() -> None:
    domain = Sudoku(4)
    drawn = domain.board_text(domain.from_text(QUESTION))
    assert drawn == ". . . .\n. 4 2 .\n. . . .\n. 1 . 3"
