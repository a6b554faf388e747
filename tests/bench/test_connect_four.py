"""The bench of Connect Four agents: what a mistake is, and how files and plays are averaged."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from tests.bench.test_solver import json_lines, scored
from trimtab.bench.connect_four import _bars, run
from trimtab.bench.connect_four_agents import player
from trimtab.bench.result import Measure
from trimtab.cli.app import app
from trimtab.errors import BundleError, ConfigError
from trimtab.release.bundle import load_shipped
from trimtab.training.recipes import preset


@pytest.fixture
def late(tmp_path: Path) -> Path:
    return json_lines(tmp_path / "late.jsonl", scored(range(60)))


def _value(result: dict[str, Any], key: str) -> float:
    return float(result["measures"][key]["value"])


def test_a_random_move_keeps_the_result_as_often_as_the_file_says(tmp_path: Path) -> None:
    rows = scored(range(60))
    keeping, best = [], []
    for row in rows:
        scores = [score for score in row["move_scores"] if score is not None]
        sign = (row["score"] > 0) - (row["score"] < 0)
        keeping.append(sum((s > 0) - (s < 0) == sign for s in scores) / len(scores))
        best.append(scores.count(row["score"]) / len(scores))
    result = run(positions=[json_lines(tmp_path / "a.jsonl", rows)], agent="random", seeds=100)
    assert _value(result, "mistake_rate") == pytest.approx(1 - sum(keeping) / len(rows), abs=0.02)
    assert _value(result, "best_move_rate") == pytest.approx(sum(best) / len(rows), abs=0.02)
    assert result["n"] == len(rows)
    assert result["bars"] == {}


def test_search_makes_no_mistake_where_it_proves_the_result(late: Path) -> None:
    result = run(positions=[late], agent="uct:20000", seeds=2)
    assert _value(result, "mistake_rate") == 0.0
    assert _value(result, "seeds") == 2


def test_the_rate_is_the_mean_of_the_files_and_not_of_the_positions(
    tmp_path: Path, late: Path
) -> None:
    few = json_lines(tmp_path / "few.jsonl", scored(range(60, 70)))
    result = run(positions=[late, few], agent="random", seeds=1, seed=3)
    means = [_value(result, f"mistake_rate_{name}") for name in ("late", "few")]
    assert _value(result, "mistake_rate") == pytest.approx(sum(means) / 2)
    measure = result["measures"]["mistake_rate"]
    assert measure["low"] < measure["value"] < measure["high"]


def test_text_and_json_lines_of_the_same_positions_give_the_same_figures(tmp_path: Path) -> None:
    rows = scored(range(60))
    text = tmp_path / "late.txt"
    text.write_text("".join(f"{row['moves']} {row['score']}\n" for row in rows))
    lines = json_lines(tmp_path / "late.jsonl", rows)
    first, second = (run(positions=[path], agent="random", seeds=2) for path in (text, lines))
    for key in ("mistake_rate", "best_move_rate"):
        assert first["measures"][key] == second["measures"][key]


def test_a_net_plays_every_position_once_and_search_helps_it(tmp_path: Path) -> None:
    path = json_lines(tmp_path / "late.jsonl", scored(range(150)))
    alone, searched = (run(positions=[path], agent=agent) for agent in ("net", "net:64"))
    assert _value(alone, "seeds") == _value(searched, "seeds") == 1
    random = run(positions=[path], agent="random", seeds=20)
    assert _value(searched, "mistake_rate") <= _value(alone, "mistake_rate")
    assert _value(alone, "mistake_rate") < _value(random, "mistake_rate") / 2


@pytest.mark.parametrize(("name", "bar"), [("smoke", "<= 0.27"), ("short", "<= 0.15")])
def test_the_bar_of_a_net_alone_is_that_of_its_recipe(name: str, bar: str) -> None:
    recipe = json.loads(json.dumps(preset(name, seed=3).to_json()))
    with player("random", bundle=None) as found:
        net = replace(found, recipe=recipe)
        other = replace(found, recipe={**recipe, "iterations": 1})
    judged = [each.judge({"mistake_rate": Measure(value=0.1)}) for each in _bars("net", net)]
    assert judged == [{"need": bar, "ok": True}]
    assert _bars("net", other) == []


def test_a_bundle_that_is_none_is_refused(late: Path, tmp_path: Path) -> None:
    with pytest.raises(BundleError):
        run(positions=[late], agent="net", bundle=tmp_path)
    with pytest.raises(BundleError, match="kind="):
        run(positions=[late], agent="net", bundle=load_shipped("assistant").folder)


@pytest.mark.parametrize("agent", ["", "uct", "uct:0", "net:x", "random:5", "llm:3", "alphazero"])
def test_an_agent_that_does_not_exist_is_named(late: Path, agent: str) -> None:
    with pytest.raises(ConfigError, match="use random, uct:N, net, net:N or llm"):
        run(positions=[late], agent=agent)


def test_a_bundle_is_refused_where_nothing_reads_it(late: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="only net and net:N read one"):
        run(positions=[late], agent="uct:10", bundle=tmp_path)


def test_no_play_at_all_is_refused(late: Path) -> None:
    with pytest.raises(ConfigError, match="seeds=0"):
        run(positions=[late], agent="random", seeds=0)


def test_the_command_prints_one_object(late: Path) -> None:
    arguments = ["--positions", str(late), "--agent", "uct:50", "--limit", "5", "--json"]
    printed = CliRunner().invoke(app, ["bench", "connect-four", *arguments])
    assert printed.exit_code == 0, printed.output
    result = json.loads(printed.stdout.splitlines()[-1])
    assert (result["name"], result["n"]) == ("connect-four", 5)
    assert str(late.parent) not in printed.stdout.splitlines()[-1]
