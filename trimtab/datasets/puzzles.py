"""Puzzles as arrays: reading, generating, splitting without symmetric twins, and symmetries.

B is a batch of puzzles, L the cells of one.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from trimtab.datasets.tables import table_rows
from trimtab.domains import maze, maze_paths, sudoku, sudoku_generator, sudoku_solver
from trimtab.domains.texts import listed, short
from trimtab.errors import InputError

Codes = NDArray[np.int64]
Kind = Literal["sudoku4", "sudoku6", "sudoku9", "maze11", "maze15"]
KINDS: dict[int, Kind] = {16: "sudoku4", 36: "sudoku6", 81: "sudoku9", 121: "maze11", 225: "maze15"}
"""The kind of a puzzle by its number of cells."""
SUDOKU_CELLS = ".123456789"


@dataclass(frozen=True, slots=True)
class PuzzleRow:
    """A puzzle, its answer, and a grade that says how hard it is (empty if unknown)."""

    question: str
    answer: str
    grade: str = ""


def side_of(kind: Kind) -> int:
    """Return the cells in a row of a kind."""
    return next(math.isqrt(cells) for cells, name in KINDS.items() if name == kind)


def domain_of(kind: Kind) -> maze.Maze | sudoku.Sudoku:
    """Return the domain of a kind."""
    side = side_of(kind)
    return maze.Maze(side) if kind.startswith("maze") else sudoku.Sudoku(side)


def alphabet(kind: Kind) -> str:
    """Return the characters of a kind; a cell's code is the position of its character."""
    return maze.CELLS if kind.startswith("maze") else SUDOKU_CELLS[: side_of(kind) + 1]


def encode(texts: Sequence[str], kind: Kind) -> Codes:
    """Return `[B, L]` codes.

    Raises:
        InputError: a text of another length, or with another character.
    """
    cells = side_of(kind) ** 2
    codes = {character: code for code, character in enumerate(alphabet(kind))}
    if not kind.startswith("maze"):
        codes["0"] = 0
    rows = np.empty((len(texts), cells), dtype=np.int64)
    for row, text in enumerate(texts):
        if len(text) != cells or not set(text) <= set(codes):
            raise InputError(
                f"row {row}: {text[:90]!r} is no {kind}; give {cells} of {alphabet(kind)!r}"
            )
        rows[row] = [codes[character] for character in text]
    return rows


def decode(codes: Codes, kind: Kind) -> list[str]:
    """Return the texts of `[B, L]` codes."""
    characters = np.array(list(alphabet(kind)))
    return ["".join(characters[row]) for row in codes]


def read_puzzles(path: Path, *, limit: int | None = None) -> tuple[Kind, list[PuzzleRow]]:
    """Return the puzzles of a CSV file with columns ``question, answer``; the others are ignored.

    Cells are read as text, blanks count, and ``0`` is an empty cell of a Sudoku as ``.`` is. The
    size of the first puzzle says the kind of all; the grade is the file's name.

    Args:
        path: the file.
        limit: read at most so many of its first rows.

    Raises:
        InputError: a column is missing, a puzzle has another size, another character or not
            exactly one solution, or its answer is not that one; the message names row and column.
    """
    remedy = "Name the columns of puzzle and solution so"
    rows = islice(table_rows(path, columns=("question", "answer"), remedy=remedy), limit)
    found: list[PuzzleRow] = []
    kind: Kind | None = None
    for where, cells in rows:
        question, answer = (
            _cell(cell, f"{path}: {where}: column {column!r}")
            for column, cell in zip(("question", "answer"), cells, strict=True)
        )
        if kind is None:
            kind = _kind(question, f"{path}: {where}: column 'question'")
        found.append(_checked(kind, question, answer, where=f"{path}: {where}"))
    if kind is None:
        raise InputError(f"{path} holds no puzzle; give at least one row below the header")
    return kind, [replace(row, grade=path.stem) for row in found]


def _cell(cell: object, where: str) -> str:
    if not isinstance(cell, str):
        raise InputError(f"{where}: {cell!r} is no text; write the cells of the puzzle as text")
    return cell


def _kind(question: str, where: str) -> Kind:
    if len(question) not in KINDS:
        raise InputError(
            f"{where}: {len(question)} cells; known sizes: {listed([str(size) for size in KINDS])}"
        )
    return KINDS[len(question)]


def _checked(kind: Kind, question: str, answer: str, *, where: str) -> PuzzleRow:
    domain = domain_of(kind)
    cells = side_of(kind) ** 2
    for column, text in (("question", question), ("answer", answer)):
        if len(text) != cells:
            raise InputError(
                f"{where}: column {column!r}: {len(text)} cells, not {cells}; give puzzles of one "
                "size in one file, blanks included"
            )
    try:
        state = domain.from_text(question)
        # the same object solves all of its kind, but the two kinds of state do not mix
        solution = domain.solution(state)  # type: ignore[arg-type]
    except InputError as error:
        raise InputError(f"{where}: column 'question': {error}") from error
    if answer != solution:
        raise InputError(
            f"{where}: column 'answer': {short(answer)} is not the solution, {short(solution)}; "
            "correct it or leave the row out"
        )
    return PuzzleRow(domain.to_text(state), answer)  # type: ignore[arg-type]


def generate(
    kind: Kind, n: int, *, seed: int, grades: Sequence[str] = (), tries: int = 200
) -> list[PuzzleRow]:
    """Return n generated puzzles; puzzle i depends on (seed, i) alone.

    Args:
        kind: of the puzzles.
        n: how many.
        seed: of the generator.
        grades: for Sudoku, puzzle i has the grade ``grades[i % len(grades)]``; any if empty.
        tries: candidates per puzzle before the rarest grade is given up.

    Raises:
        InputError: no puzzle of that grade turned up.
    """
    return [
        _generate_one(kind, np.random.default_rng([seed, i]), grades[i % len(grades)], tries)
        if grades
        else _generate_one(kind, np.random.default_rng([seed, i]), "", tries)
        for i in range(n)
    ]


def _generate_one(kind: Kind, rng: np.random.Generator, grade: str, tries: int) -> PuzzleRow:
    side = side_of(kind)
    if kind.startswith("maze"):
        return PuzzleRow(*maze_paths.generate(side, rng), grade)
    if grade == "easy":
        easy = sudoku_generator.generate_easy(side, rng)
        return PuzzleRow(easy.question, easy.answer, easy.grade)
    for _ in range(tries):
        puzzle = sudoku_generator.generate(side, rng)
        if not grade or puzzle.grade == grade:
            return PuzzleRow(puzzle.question, puzzle.answer, puzzle.grade)
    raise InputError(f"grade={grade!r}: no such {kind} in {tries} tries; ask for another grade")


def orbit_hash(question: str, kind: Kind) -> str:
    """Return a hash that is equal for symmetric twins.

    Twins are puzzles that a symmetry of the rules maps to each other. For mazes the hash is that
    of the least of the eight rotations and reflections. For Sudoku it is an invariant by colour
    refinement (Weisfeiler & Leman 1968) of the graph of cells and digits: twins always agree, and
    the few others that agree as well only end on the same side of a split.
    """
    codes = encode([question], kind)[0]
    side = side_of(kind)
    if kind.startswith("maze"):
        text = min(t.tobytes() for t in _dihedral(codes.astype(np.uint8).reshape(side, side)))
        return hashlib.sha256(text).hexdigest()
    return _refined(codes, side)


def split_by_orbit(
    rows: Sequence[PuzzleRow], kind: Kind, *, fraction: float, seed: int
) -> tuple[list[PuzzleRow], list[PuzzleRow]]:
    """Return (kept, held out) with no symmetric twin across; about ``fraction`` is held out."""
    kept: list[PuzzleRow] = []
    held: list[PuzzleRow] = []
    for row in rows:
        digest = hashlib.sha256(f"{seed}\0{orbit_hash(row.question, kind)}".encode()).digest()
        side = held if int.from_bytes(digest[:8], "big") / 2**64 < fraction else kept
        side.append(row)
    return kept, held


def _dihedral(grid: NDArray[np.uint8]) -> list[NDArray[np.uint8]]:
    turned = [np.ascontiguousarray(np.rot90(grid, k)) for k in range(4)]
    return [*turned, *(np.ascontiguousarray(t.T) for t in turned)]


def _refined(codes: Codes, side: int) -> str:
    shape = sudoku_solver.geometry(side)
    # transposing swaps rows and columns where boxes are square: then both are one kind of line
    square = side != 6
    colours = ["given" if code else "empty" for code in codes]
    row, column = ("line", "line") if square else ("row", "column")
    groups = ((row, shape.row), (column, shape.column), ("box", shape.box))
    for _ in range(3):
        seen: list[list[str]] = [[] for _ in codes]
        for label, of in groups:
            for unit in range(side):
                cells = [cell for cell in range(len(codes)) if of[cell] == unit]
                summary = _digest(label, *sorted(colours[cell] for cell in cells))
                for cell in cells:
                    seen[cell].append(summary)
        for digit in range(1, side + 1):
            cells = [cell for cell in range(len(codes)) if codes[cell] == digit]
            summary = _digest("digit", *sorted(colours[cell] for cell in cells))
            for cell in cells:
                seen[cell].append(summary)
        colours = [_digest(old, *sorted(new)) for old, new in zip(colours, seen, strict=True)]
    return _digest(*sorted(colours))


def _digest(*parts: str) -> str:
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:16]


Augment = Callable[[Codes, Codes, np.random.Generator], tuple[Codes, Codes]]


def augmenter(kind: Kind) -> Augment:
    """Return what maps `[B, L]` questions and answers to random symmetric twins, row by row.

    Sudoku: digits, rows within a band, bands, columns within a stack, stacks and, where boxes are
    square, the transpose. Mazes: the eight rotations and reflections.
    """
    side = side_of(kind)
    if kind.startswith("maze"):
        turns = np.stack([t.ravel() for t in _cell_turns(side)])

        def turn(questions: Codes, answers: Codes, rng: np.random.Generator) -> tuple[Codes, Codes]:
            cells = turns[rng.integers(len(turns), size=len(questions))]
            return np.take_along_axis(questions, cells, 1), np.take_along_axis(answers, cells, 1)

        return turn
    box_rows, box_columns = sudoku_solver.BOXES[side]

    def relabel(questions: Codes, answers: Codes, rng: np.random.Generator) -> tuple[Codes, Codes]:
        n = len(questions)
        rows = _shuffled_lines(n, side, box_rows, rng)
        columns = _shuffled_lines(n, side, box_columns, rng)
        cells = rows[:, :, None] * side + columns[:, None, :]
        if box_rows == box_columns:
            flipped = rng.random(n) < 0.5
            cells[flipped] = cells[flipped].transpose(0, 2, 1)
        cells = cells.reshape(n, -1)
        digits = np.zeros((n, side + 1), dtype=np.int64)
        digits[:, 1:] = 1 + np.argsort(rng.random((n, side)), axis=1)
        return (
            np.take_along_axis(digits, np.take_along_axis(questions, cells, 1), 1),
            np.take_along_axis(digits, np.take_along_axis(answers, cells, 1), 1),
        )

    return relabel


def _shuffled_lines(n: int, side: int, band: int, rng: np.random.Generator) -> Codes:
    """Return `[n, side]` orders of the lines: bands are shuffled, and the lines within each."""
    bands = np.argsort(rng.random((n, side // band)), axis=1)
    within = np.argsort(rng.random((n, side // band, band)), axis=2)
    lines: Codes = (bands[:, :, None] * band + within).reshape(n, side)
    return lines


def _cell_turns(side: int) -> list[Codes]:
    cells = np.arange(side * side).reshape(side, side)
    turned = [np.rot90(cells, k) for k in range(4)]
    return [*turned, *(t.T for t in turned)]
