"""Sudoku of side 4, 6 or 9: rules, generator, grades, and the exact solver as truth.

A puzzle is its givens, which must have exactly one solution. An action writes one digit into one
cell; a whole answer is the full grid as one string. The exact solver takes a millisecond: the
domain is here to measure, against truth, whether an agent knows when it needs no expert.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from trimtab.domains.sudoku_generator import generate
from trimtab.domains.sudoku_solver import BOXES, Geometry, geometry, solutions
from trimtab.domains.texts import short
from trimtab.errors import IllegalAction, InputError
from trimtab.protocols import Array

_FILLED = "/"
"""Stands between givens and grid in the text form of a puzzle that was begun."""


@dataclass(frozen=True, slots=True)
class SudokuState:
    """Givens and grid, row by row; ``.`` is an empty cell. A new puzzle has ``grid == givens``."""

    givens: str
    grid: str


class Sudoku:
    """The domain of one side length.

    Truth: the givens have exactly one solution, and an answer is right exactly if it is that one.
    A state whose grid contradicts the rules is terminal and lost.

    Args:
        side: 4 (boxes 2 × 2), 6 (boxes of 2 rows × 3 columns) or 9 (boxes 3 × 3).

    Raises:
        InputError: another side.

    Example:
        >>> Sudoku(4).check(Sudoku(4).from_text(".....42......1.3"), "1234342143122143")
        1.0
    """

    def __init__(self, side: int) -> None:
        self._geometry: Geometry = geometry(side)
        self.side = side

    @property
    def name(self) -> str:
        """Return ``sudoku4``, ``sudoku6`` or ``sudoku9``."""
        return f"sudoku{self.side}"

    @property
    def num_actions(self) -> int:
        """Return A: action ``cell * side + digit - 1`` writes a digit into a cell."""
        return self.side**3

    @property
    def instructions(self) -> str:
        """Return the task in words."""
        rows, columns = BOXES[self.side]
        return (
            f"Solve the {self.side}×{self.side} Sudoku. Each row, each column and each box of "
            f"{rows} rows and {columns} columns holds the digits 1 to {self.side} exactly once. "
            f"The grid is given row by row in one line; a dot is an empty cell. Answer with the "
            f"full grid as one line of {self.side**2} digits."
        )

    def initial_state(self, seed: int) -> SudokuState:
        """Return a minimal puzzle: without any one of its givens it has several solutions."""
        puzzle = generate(self.side, np.random.default_rng(seed))
        return SudokuState(puzzle.question, puzzle.question)

    def legal_actions(self, state: SudokuState) -> Sequence[int]:
        """Return the digits that no row, column or box of an empty cell holds yet."""
        masks = self._geometry.candidates(state.grid)
        if masks is None:
            return []
        return [
            cell * self.side + digit
            for cell, mask in enumerate(masks)
            if state.grid[cell] == "."
            for digit in range(self.side)
            if mask >> digit & 1
        ]

    def apply_action(self, state: SudokuState, action: int) -> SudokuState:
        """Return the state with one more digit."""
        legal = self.legal_actions(state)
        if action not in legal:
            raise IllegalAction(f"action={action!r} is not legal; legal: {list(legal)}")
        cell, digit = divmod(action, self.side)
        grid = f"{state.grid[:cell]}{digit + 1}{state.grid[cell + 1 :]}"
        return SudokuState(state.givens, grid)

    def is_terminal(self, state: SudokuState) -> bool:
        """Return whether the grid is full, or no cell takes a digit."""
        return not self.legal_actions(state)

    def returns(self, state: SudokuState) -> tuple[float, ...]:
        """Return 1 for the solution, −1 for a grid that was filled wrongly."""
        return (1.0 if state.grid == self.solution(state) else -1.0,)

    def observation(self, state: SudokuState) -> Array:
        """Return `[side²]` digits, 0 for an empty cell."""
        return np.array([0 if c == "." else int(c) for c in state.grid], dtype=np.float32)

    def to_text(self, state: SudokuState) -> str:
        """Return the givens, and the grid behind a slash where digits were added."""
        if state.grid == state.givens:
            return state.givens
        return f"{state.givens}{_FILLED}{state.grid}"

    def from_text(self, text: str) -> SudokuState:
        """Return the state of a text form; ``0`` is taken for an empty cell, too.

        Raises:
            InputError: wrong length, another character, or givens without exactly one solution.
        """
        parts = text.strip().replace("0", ".").split(_FILLED)
        if len(parts) > 2:
            raise InputError(f"text={short(text)} has more than one {_FILLED!r}; give one grid")
        for part in parts:
            self._check_characters(part)
        givens, grid = parts[0], parts[-1]
        if any(given not in (".", now) for given, now in zip(givens, grid, strict=True)):
            raise InputError(f"text={short(text)} changes a given; keep the givens in the grid")
        _only_solution(self.side, givens)
        return SudokuState(givens, grid)

    def canonical(self, answer: int | str) -> str:
        """Return the grid as one line of digits; spaces, ``|`` and line ends are dropped."""
        if isinstance(answer, int):
            if not 0 <= answer < self.num_actions:
                raise IllegalAction(f"action={answer} is not in 0..{self.num_actions - 1}")
            cell, digit = divmod(answer, self.side)
            row, column = divmod(cell, self.side)
            return f"r{row + 1}c{column + 1}={digit + 1}"
        plain = _without_layout(answer)
        return plain if self._geometry.is_cell(plain) else self.whole(answer)

    @property
    def answer_pattern(self) -> str:
        """Return the regular expression of a full grid in one line."""
        return f"^[1-{self.side}]{{{self.side**2}}}$"

    def whole(self, answer: str) -> str:
        """Return a full grid as one line of digits; layout is dropped as in ``canonical``."""
        plain = _without_layout(answer)
        if len(plain) != self.side**2 or not set(plain) <= set(self._geometry.digits):
            raise IllegalAction(
                f"answer={short(answer)} is no full grid; give {self.side**2} digits from 1 to "
                f"{self.side}"
            )
        return plain

    def check(self, state: SudokuState, answer: int | str) -> float:
        """Return 1 for the solution (or, for an action, for a digit of the solution)."""
        solution = self.solution(state)
        if isinstance(answer, int) and answer not in self.legal_actions(state):
            raise IllegalAction(f"action={answer} is not legal in {self.to_text(state)!r}")
        plain = self.canonical(answer)
        if "=" not in plain:
            return float(plain == solution)
        row, column, digit = plain[1], plain[3], plain[5]
        return float(solution[(int(row) - 1) * self.side + int(column) - 1] == digit)

    def solution(self, state: SudokuState) -> str:
        """Return the only solution of the givens."""
        return _only_solution(self.side, state.givens)

    def board_text(self, state: SudokuState) -> str:
        """Return the grid, a line a row."""
        rows = range(0, self.side**2, self.side)
        return "\n".join(" ".join(state.grid[start : start + self.side]) for start in rows)

    def violations(self, grid: str) -> int:
        """Return how many pairs of equal digits share a row, a column or a box."""
        return self._geometry.violations(grid)

    def _check_characters(self, part: str) -> None:
        cells = self.side**2
        if len(part) != cells:
            raise InputError(
                f"text={short(part)} has {len(part)} cells; a {self.name} grid has {cells}"
            )
        bad = sorted(set(part) - set(self._geometry.digits) - {"."})
        if bad:
            raise InputError(
                f"text={short(part)} holds {bad}; use digits 1 to {self.side}, and . for empty"
            )


def _without_layout(answer: str) -> str:
    return "".join(c for c in answer if c not in " |\n\r\t")


@lru_cache(maxsize=4096)
def _only_solution(side: int, givens: str) -> str:
    found = solutions(side, givens, limit=2)
    if len(found) == 1:
        return found[0]
    problem = "no solution" if not found else "more than one solution"
    raise InputError(f"text={short(givens)} has {problem}; give a puzzle with exactly one")
