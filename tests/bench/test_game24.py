"""The bench of the Game of 24: what counts as solved, and how bad puzzles are named."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from trimtab.bench.game24 import run
from trimtab.cli.app import app
from trimtab.errors import ConfigError, InputError


def _table(folder: Path, *puzzles: str) -> Path:
    path = folder / "puzzles.csv"
    path.write_text("rank,puzzle\n" + "".join(f"{n},{p}\n" for n, p in enumerate(puzzles)))
    return path


def test_solvable_puzzles_meet_the_bar(tmp_path: Path) -> None:
    result = run(file=_table(tmp_path, "4 4 8 10", "1 1 11 11", "3 8"))
    measures = result["measures"]
    assert (result["n"], measures["solved"]["value"], result["unsolved"]) == (3, 1.0, [])
    assert result["bars"]["solved"]["ok"]
    spent = [measures[f"simulations_{key}"]["value"] for key in ("p50", "p95", "most")]
    assert spent == sorted(spent)


def test_a_puzzle_without_a_solution_is_named_and_misses_the_bar(tmp_path: Path) -> None:
    lines: list[str] = []
    result = run(file=_table(tmp_path, "4 4 8 10", "1 1 1 1"), progress=lines.append)
    assert result["measures"]["solved"]["value"] == 0.5
    assert result["unsolved"] == lines == ["line 3: 1 1 1 1: has no solution"]
    assert result["bars"]["solved"]["ok"] is False


def test_a_budget_that_is_too_small_is_told_from_a_proof(tmp_path: Path) -> None:
    result = run(file=_table(tmp_path, "1 1 1 1"), simulations=10)
    assert result["unsolved"] == ["line 2: 1 1 1 1: not within 10"]


@pytest.mark.parametrize("puzzle", ["1 2 x 4", "24", "1 2 3 4 5", "", "1.5 2 3 4", "1 2 3 99999"])
def test_a_malformed_puzzle_is_named_with_its_line(tmp_path: Path, puzzle: str) -> None:
    with pytest.raises(InputError, match=r"puzzles\.csv: line 3: "):
        run(file=_table(tmp_path, "4 4 8 10", puzzle))


def test_an_empty_table_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="holds no puzzle"):
        run(file=_table(tmp_path))


def test_unknown_priors_and_no_puzzles_at_all_are_refused(tmp_path: Path) -> None:
    path = _table(tmp_path, "4 4 8 10")
    with pytest.raises(ConfigError, match="use even or llm"):
        run(file=path, priors="oracle")
    with pytest.raises(ConfigError, match="limit=0"):
        run(file=path, limit=0)
    with pytest.raises(ConfigError, match="simulations=0"):
        run(file=path, simulations=0)


def test_the_command_prints_one_object(tmp_path: Path) -> None:
    path = _table(tmp_path, "4 4 8 10", "1 1 11 11")
    printed = CliRunner().invoke(
        app, ["bench", "game24", "--file", str(path), "--limit", "1", "--json"]
    )
    assert printed.exit_code == 0, printed.output
    result = json.loads(printed.stdout.splitlines()[-1])
    assert (result["name"], result["n"], result["data"]) == ("game24", 1, "puzzles")
