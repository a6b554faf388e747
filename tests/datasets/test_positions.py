"""Reading scored positions from JSON lines and from text."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest

from trimtab.datasets.positions import read_positions
from trimtab.domains.connect_four import ConnectFour
from trimtab.errors import InputError

GOOD = {"moves": "444444", "score": 3, "move_scores": [1, 2, 3, None, -1, 0, 1]}


def written(path: Path, *rows: object) -> Path:
    text = "".join(json.dumps(row) + "\n" for row in rows)
    path.write_bytes(gzip.compress(text.encode()) if path.suffix == ".gz" else text.encode())
    return path


@pytest.mark.parametrize("name", ["a.jsonl", "a.jsonl.gz"])
def test_json_lines_give_moves_scores_and_states(tmp_path: Path, name: str) -> None:
    (position,) = read_positions(written(tmp_path / name, GOOD))
    assert position.state == ConnectFour().from_text("444444")
    assert (position.moves, position.score) == ("444444", 3)
    assert position.move_scores == (1, 2, 3, None, -1, 0, 1)


def test_text_lines_give_scores_alone(tmp_path: Path) -> None:
    path = tmp_path / "Test_L9"
    path.write_text("4455 -2\n\n12 18\nstart 1\n")
    rows = [(row.moves, row.score, row.move_scores) for row in read_positions(path)]
    assert rows == [("4455", -2, None), ("12", 18, None), ("start", 1, None)]


def test_a_limit_reads_the_first_rows(tmp_path: Path) -> None:
    path = written(tmp_path / "a.jsonl", GOOD, GOOD, "never read")
    assert len(read_positions(path, limit=2)) == 2
    with pytest.raises(InputError, match="limit=0"):
        read_positions(path, limit=0)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"moves": "48"}, "line 2: moves='48': move 2 is '8'"),
        ({"moves": 4}, "line 2: moves=4 is no text"),
        ({"moves": "1122334"}, "line 2: moves='1122334' end the game"),
        ({"score": 1.5}, "line 2: score=1.5 is no score"),
        ({"score": True}, "line 2: score=True is no score"),
        ({"score": 19}, "line 2: score=19 is no score"),
        ({"score": 2}, "line 2: score=2 is not the largest of move_scores, 3"),
        ({"move_scores": [1, 2]}, r"line 2: move_scores=\[1, 2\] are not 7 values"),
        (
            {"move_scores": [1, 2, 3, 0, -1, 0, 1]},
            r"null for the columns \[\] \(from 0\), but \[3\]",
        ),
        ({"move_scores": [1, 2, "3", None, -1, 0, 1]}, r"move_scores\[2\]='3' is no score"),
    ],
)
def test_an_unusable_object_is_named(tmp_path: Path, changes: dict[str, object], said: str) -> None:
    path = written(tmp_path / "a.jsonl", GOOD, {**GOOD, **changes})
    with pytest.raises(InputError, match=said):
        read_positions(path)


def test_a_missing_key_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"line 1: \['score'\] is missing"):
        read_positions(written(tmp_path / "a.jsonl", {"moves": "4"}))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("44\n", "line 1: 1 words"),
        ("44 1\n4x 1\n", "line 2: moves='4x': move 2 is 'x'"),
        ("44 many\n", "line 1: score='many' is no score"),
        ("\n", "holds no position"),
    ],
)
def test_an_unusable_line_is_named(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "positions.txt"
    path.write_text(text)
    with pytest.raises(InputError, match=said):
        read_positions(path)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="is not a file"):
        read_positions(tmp_path / "absent.txt")
