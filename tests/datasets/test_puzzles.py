"""Puzzles as arrays: reading, generating, splitting, and symmetries."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from trimtab.datasets.puzzles import (
    Kind,
    PuzzleRow,
    augmenter,
    decode,
    encode,
    generate,
    orbit_hash,
    read_puzzles,
    split_by_orbit,
)
from trimtab.domains.maze_paths import shortest
from trimtab.domains.sudoku_solver import solutions
from trimtab.errors import InputError

KINDS: list[Kind] = ["sudoku4", "sudoku6", "sudoku9", "maze11"]


@pytest.mark.parametrize("kind", KINDS)
def test_a_twin_is_a_puzzle_with_the_twin_answer(kind: Kind) -> None:
    [row] = generate(kind, 1, seed=5)
    question, answer = encode([row.question], kind), encode([row.answer], kind)
    twins = augmenter(kind)(
        np.repeat(question, 4, 0), np.repeat(answer, 4, 0), np.random.default_rng(0)
    )
    for twin, solved in zip(decode(twins[0], kind), decode(twins[1], kind), strict=True):
        if kind == "maze11":
            assert shortest(twin) == shortest(row.question)
            assert solved.count("o") == row.answer.count("o")
        else:
            assert solutions(int(kind[-1]), twin) == [solved]


@pytest.mark.parametrize("kind", KINDS)
def test_twins_share_their_orbit_and_others_do_not(kind: Kind) -> None:
    rows = generate(kind, 6, seed=6)
    questions = encode([row.question for row in rows], kind)
    twins, _ = augmenter(kind)(questions, questions, np.random.default_rng(1))
    hashes = [orbit_hash(row.question, kind) for row in rows]
    assert [orbit_hash(text, kind) for text in decode(twins, kind)] == hashes
    if kind != "sudoku4":
        assert len(set(hashes)) == len(rows)


def test_no_twin_stands_across_a_split() -> None:
    rows = generate("sudoku6", 40, seed=7)
    codes = encode([row.question for row in rows], "sudoku6")
    solved = encode([row.answer for row in rows], "sudoku6")
    twins, answers = augmenter("sudoku6")(codes, solved, np.random.default_rng(2))
    pairs = zip(decode(twins, "sudoku6"), decode(answers, "sudoku6"), strict=True)
    more = [PuzzleRow(question, answer) for question, answer in pairs]
    kept, held = split_by_orbit([*rows, *more], "sudoku6", fraction=0.3, seed=0)
    assert kept
    assert held
    across = {orbit_hash(row.question, "sudoku6") for row in kept} & {
        orbit_hash(row.question, "sudoku6") for row in held
    }
    assert not across


def test_a_puzzle_depends_on_its_seed_and_number_alone() -> None:
    assert generate("sudoku4", 3, seed=1) == generate("sudoku4", 5, seed=1)[:3]


def test_grades_are_generated_in_turn() -> None:
    rows = generate("sudoku6", 4, seed=0, grades=("easy", "medium"))
    assert [row.grade for row in rows] == ["easy", "medium", "easy", "medium"]


QUESTION, ANSWER = ".....42......1.3", "1234342143122143"
MAZE = "#" * 12 + "S" + " " * 7 + "G" + "#" * 100
MARKED = MAZE.replace("S" + " " * 7, "S" + "o" * 7)


def test_a_csv_file_is_read_as_text_and_graded_by_its_name(tmp_path: Path) -> None:
    path = tmp_path / "tiny.csv"
    path.write_text(f"clues,question,answer\n4,{QUESTION.replace('.', '0')},{ANSWER}\n")
    kind, [row] = read_puzzles(path)
    assert kind == "sudoku4"
    assert row == PuzzleRow(QUESTION, ANSWER, "tiny")


def test_blanks_at_the_ends_of_a_maze_survive(tmp_path: Path) -> None:
    question, answer = (f" {text[1:-1]} " for text in (MAZE, MARKED))
    path = tmp_path / "open.csv"
    path.write_text(f"question,answer\n{question},{answer}\n")
    assert read_puzzles(path) == ("maze11", [PuzzleRow(question, answer, "open")])


def test_rows_behind_the_limit_are_not_read(tmp_path: Path) -> None:
    path = tmp_path / "tiny.csv"
    path.write_text(f"question,answer\n{QUESTION},{ANSWER}\nnonsense,x\n")
    assert len(read_puzzles(path, limit=1)[1]) == 1


@pytest.mark.parametrize(
    ("row", "says"),
    [
        ("", "holds no puzzle"),
        ("12,12", "line 2: column 'question': 2 cells; known sizes"),
        (f"{QUESTION},{ANSWER}\n{'.' * 36},{'1' * 36}", "line 3: column 'question': 36 cells"),
        (f"{QUESTION},{ANSWER[1:]}", "line 2: column 'answer': 15 cells, not 16"),
        (f"{QUESTION},{ANSWER[::-1]}", "line 2: column 'answer': '3412213412434321' is not"),
        (f"{QUESTION},{ANSWER[:-1]}x", "line 2: column 'answer'"),
        (f"x{QUESTION[1:]},{ANSWER}", "line 2: column 'question': text='x....42......1.3' holds"),
        (f"5{QUESTION[1:]},{ANSWER}", "holds ['5']"),
        (f"{'.' * 16},{ANSWER}", "more than one solution"),
        (f"11{'.' * 14},{ANSWER}", "no solution"),
        (f"{MAZE.replace('G', '#')},{MARKED}", "exactly one S and one G"),
    ],
)
def test_a_row_that_cannot_be_used_is_named(tmp_path: Path, row: str, says: str) -> None:
    path = tmp_path / "bad.csv"
    path.write_text(f"question,answer\n{row}\n" if row else "question,answer\n")
    with pytest.raises(InputError) as caught:
        read_puzzles(path)
    assert says in str(caught.value)


def test_a_missing_column_and_a_number_in_the_place_of_text_are_named(tmp_path: Path) -> None:
    path = tmp_path / "bad.csv"
    path.write_text("question\n....\n")
    with pytest.raises(InputError, match=r"column \['answer'\] is missing.*puzzle and solution"):
        read_puzzles(path)
    numbers = tmp_path / "numbers.jsonl"
    numbers.write_text('{"question": 42000103, "answer": 1234342143122143}\n')
    with pytest.raises(InputError, match="'question': 42000103 is no text"):
        read_puzzles(numbers)
