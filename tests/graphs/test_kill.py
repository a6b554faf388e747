"""kill -9 at every step of a decision: who takes it up gives the same answer, in one row."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

SCRIPT = Path(__file__).with_name("killing.py")
ROOT = SCRIPT.parents[2]
LEAST_KILLS = 20


@pytest.fixture(scope="module")
def lives(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    folder = tmp_path_factory.mktemp("kill")
    command = [sys.executable, "-c", f"import sys; sys.path.insert(0, {str(ROOT)!r}); {_RUN}"]
    done = subprocess.run([*command, str(folder)], capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


_RUN = "from tests.graphs.killing import main; from pathlib import Path; main(Path(sys.argv[1]))"


def timeless(decision: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in decision.items() if name != "created_at"}


def test_every_scenario_was_killed_often(lives: list[dict[str, Any]]) -> None:
    kills = Counter(life["scenario"] for life in lives if life["died"])
    assert sum(kills.values()) >= LEAST_KILLS
    assert set(kills) == {"llm-sync", "llm-exit", "human-sync"}


def test_answer_is_the_same_wherever_the_first_process_died(lives: list[dict[str, Any]]) -> None:
    for scenario in {life["scenario"] for life in lives}:
        answers = [timeless(life["answer"]) for life in lives if life["scenario"] == scenario]
        assert all(answer == answers[-1] for answer in answers)


def test_ledger_holds_one_row_and_it_is_the_answer(lives: list[dict[str, Any]]) -> None:
    for life in lives:
        assert life["rows"] == [life["answer"]], (life["scenario"], life["steps"])
