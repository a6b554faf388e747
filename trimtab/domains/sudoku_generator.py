"""Makes Sudoku puzzles with one solution, and grades them by what a solver of singles needs.

A puzzle's *rating* is the mean number of guesses that the exact search makes over several random
orders of the branches: it is a scale of its own, not comparable with the backtracks that other
solvers count, because those propagate more between guesses.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from trimtab.domains.sudoku_solver import Chooser, Geometry, Search, geometry, grid_text
from trimtab.errors import InputError

Grade = Literal["easy", "medium", "hard", "extreme"]
GRADES: tuple[Grade, ...] = ("easy", "medium", "hard", "extreme")
EASY_CLUES = {4: (4, 8), 6: (12, 18), 9: (34, 40)}
"""Givens of an easy puzzle, which naked singles alone solve."""
EXTREME_RATING = 10.0
RATING_ORDERS = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Puzzle:
    """A puzzle with one solution, and how hard it was for a solver of singles.

    Attributes:
        question: givens, ``.`` for empty.
        answer: the solution.
        grade: easy = naked singles solve it; medium = hidden singles, too; hard = guesses are
            needed; extreme = a rating of at least ``EXTREME_RATING``.
        rating: mean number of guesses; 0 where singles solve it.
    """

    question: str
    answer: str
    grade: Grade
    rating: float


def generate(side: int, rng: np.random.Generator) -> Puzzle:
    """Return a minimal puzzle: givens are removed in random order while it stays unique."""
    shape = geometry(side)
    answer = _full_grid(shape, rng)
    question = list(answer)
    for cell in rng.permutation(len(answer)):
        if _stays_unique(shape, question, int(cell)):
            question[int(cell)] = "."
    return graded("".join(question), answer, side=side, rng=rng)


def generate_easy(side: int, rng: np.random.Generator) -> Puzzle:
    """Return a puzzle that naked singles alone solve, with ``EASY_CLUES`` givens."""
    shape = geometry(side)
    answer = _full_grid(shape, rng)
    low, high = EASY_CLUES[side]
    wanted = int(rng.integers(low, high + 1))
    question = list(answer)
    clues = len(answer)
    for cell in rng.permutation(len(answer)):
        if clues <= wanted:
            break
        given, question[int(cell)] = question[int(cell)], "."
        if _naked_singles_solve(shape, "".join(question)):
            clues -= 1
        else:
            question[int(cell)] = given
    return Puzzle(question="".join(question), answer=answer, grade="easy", rating=0.0)


def graded(question: str, answer: str, *, side: int, rng: np.random.Generator) -> Puzzle:
    """Return the puzzle with its grade; ``rng`` draws the orders in which guesses are made."""
    shape = geometry(side)
    if _naked_singles_solve(shape, question):
        return Puzzle(question=question, answer=answer, grade="easy", rating=0.0)
    rating = mean_guesses(question, side=side, rng=rng)
    grade: Grade = "medium" if rating == 0.0 else "hard"
    if rating >= EXTREME_RATING:
        grade = "extreme"
    return Puzzle(question=question, answer=answer, grade=grade, rating=rating)


def mean_guesses(question: str, *, side: int, rng: np.random.Generator) -> float:
    """Return the mean number of guesses over ``RATING_ORDERS`` random orders of branches."""
    shape = geometry(side)
    counts = []
    for _ in range(RATING_ORDERS):
        masks = shape.candidates(question)
        if masks is None:
            raise InputError(f"question={question!r} holds two equal digits in one unit")
        search = Search(shape, 1, order=_at_random(rng))
        search.run(masks)
        counts.append(search.guesses)
        if search.guesses == 0:
            break
    return sum(counts) / len(counts)


def _naked_singles_solve(shape: Geometry, question: str) -> bool:
    masks = shape.candidates(question)
    if masks is None:
        return False
    return Search(shape, 1, hidden=False).propagate(masks) and all(m & (m - 1) == 0 for m in masks)


def _full_grid(shape: Geometry, rng: np.random.Generator) -> str:
    search = Search(shape, 1, order=_at_random(rng))
    masks = [shape.full] * shape.side**2
    # the first row at random: the search alone would fill it in a nearly fixed pattern
    for column, digit in enumerate(rng.permutation(shape.side)):
        masks[column] = 1 << int(digit)
    return grid_text(search.run(masks)[0])


def _at_random(rng: np.random.Generator) -> Chooser:
    return lambda cell, bits: [bits[i] for i in rng.permutation(len(bits))]


def _stays_unique(shape: Geometry, question: Sequence[str], cell: int) -> bool:
    """Return whether the puzzle stays unique without one given: no other digit may fit there."""
    without = [*question]
    without[cell] = "."
    masks = shape.candidates("".join(without))
    if masks is None:
        return False
    masks[cell] &= ~(1 << int(question[cell]) - 1)
    return not masks[cell] or not Search(shape, 1).run(masks)
