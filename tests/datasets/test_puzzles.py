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
from trimtab.domains.maze import shortest
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


def test_a_csv_file_is_read_as_text_and_graded_by_its_name(tmp_path: Path) -> None:
    path = tmp_path / "tiny.csv"
    path.write_text("question,answer,clues\n0000042000000103,1234342143122143,4\n")
    kind, [row] = read_puzzles(path)
    assert kind == "sudoku4"
    assert row.grade == "tiny"
    assert row.question == "0000042000000103"


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("question,answer\n", "holds no puzzle"),
        ("question\n....\n", "answer"),
        ("question,answer\n12,12\n", "known sizes"),
        ("question,answer\n" + "1" + "." * 15 + "," + "2" * 16 + "\n", "changes a given"),
        ("question,answer\n" + "x" * 16 + "," + "1" * 16 + "\n", "is no sudoku4"),
    ],
)
def test_a_file_that_cannot_be_used_is_named(tmp_path: Path, content: str, says: str) -> None:
    path = tmp_path / "bad.csv"
    path.write_text(content)
    with pytest.raises(InputError) as caught:
        read_puzzles(path)
    assert says in str(caught.value)
