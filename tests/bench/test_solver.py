"""The bench of the solver: what counts as right, and what it says of each file."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from trimtab.bench.solver import run
from trimtab.cli.app import app
from trimtab.domains.connect_four import ConnectFour
from trimtab.domains.connect_four_solver import ConnectFourSolver
from trimtab.errors import ConfigError


def scored(seeds: range) -> list[dict[str, Any]]:
    """Return late positions with their exact scores."""
    game, solver, rows = ConnectFour(), ConnectFourSolver(table_bits=16), []
    for seed in seeds:
        rng, moves = np.random.default_rng(seed), ""
        state = game.initial_state(0)
        while state.stones < 24 and not game.is_terminal(state):
            column = int(rng.choice(game.legal_actions(state)))
            moves, state = moves + str(column + 1), state.drop(column)
        if not game.is_terminal(state):
            scores = solver.move_scores(state)
            score = solver.solve(state)
            rows.append({"moves": moves, "score": score, "move_scores": scores})
    return rows


def json_lines(path: Path, rows: list[dict[str, Any]]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def test_right_scores_meet_the_bars(tmp_path: Path) -> None:
    rows = scored(range(60))
    text = tmp_path / "late"
    text.write_text("".join(f"{row['moves']} {row['score']}\n" for row in rows))
    result = run(positions=[json_lines(tmp_path / "moves.jsonl", rows), text], moves_limits=[3])
    assert result["n"] == 2 * len(rows) > 10
    assert result["data"] == "moves, late"
    assert [bar["ok"] for bar in result["bars"].values()] == [True, True]
    checked = sum(score is not None for row in rows[:3] for score in row["move_scores"])
    assert result["measures"]["move_scores_checked"]["value"] == checked
    assert {"ms_moves", "ms_late", "moves_ms_moves", "nodes_per_s"} <= set(result["measures"])
    assert "moves_ms_late" not in result["measures"]


def test_a_wrong_score_misses_the_bar(tmp_path: Path) -> None:
    rows = scored(range(60))
    wrong = [{**rows[0], "score": -rows[0]["score"] or 5, "move_scores": None}, *rows[1:]]
    result = run(positions=[json_lines(tmp_path / "a.jsonl", wrong)])
    assert result["measures"]["scores_right"]["value"] == 1 - 1 / len(rows)
    assert result["bars"]["scores_right"]["ok"] is False
    assert result["bars"]["move_scores_right"]["ok"] is True


def test_files_must_have_names_of_their_own(tmp_path: Path) -> None:
    path = json_lines(tmp_path / "a.jsonl", scored(range(5)))
    for files in ([], [path, path]):
        with pytest.raises(ConfigError, match="distinct names"):
            run(positions=files)


@pytest.mark.parametrize("limits", [[-1], [1, 2]])
def test_move_limits_fit_the_files(tmp_path: Path, limits: list[int]) -> None:
    path = json_lines(tmp_path / "a.jsonl", scored(range(5)))
    with pytest.raises(ConfigError, match="one for each of the 1 files"):
        run(positions=[path], moves_limits=limits)


def test_the_command_prints_one_object(tmp_path: Path) -> None:
    path = json_lines(tmp_path / "a.jsonl", scored(range(20)))
    printed = CliRunner().invoke(
        app, ["bench", "solver", "--positions", str(path), "--limit", "2", "--json"]
    )
    assert printed.exit_code == 0
    result = json.loads(printed.stdout.splitlines()[-1])
    assert (result["name"], result["n"]) == ("solver", 2)
    assert str(tmp_path) not in printed.stdout.splitlines()[-1]
