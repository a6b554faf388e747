"""The comparison of recursive and feed-forward nets, and its page."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from trimtab.bench.recursion import NETS, recipe_of, run
from trimtab.bench.recursion_page import BEGIN, END, TITLES, tables, update_page
from trimtab.cli.app import app
from trimtab.errors import ConfigError
from trimtab.models.recursive import RecursiveNet

ROOT = Path(__file__).parents[2]


def _parameters(name: str) -> int:
    net = RecursiveNet(recipe_of(name, puzzles=10, unseen=5, seed=0).net)
    return sum(parameter.numel() for parameter in net.parameters())


def test_the_nets_of_equal_size_are_of_equal_size() -> None:
    assert len({_parameters(name) for name in NETS if name != "plain_deep"}) == 1


def test_the_net_of_equal_compute_runs_through_as_many_blocks_as_one_step() -> None:
    trm = recipe_of("trm", puzzles=10, unseen=5, seed=0).net
    deep = recipe_of("plain_deep", puzzles=10, unseen=5, seed=0).net
    assert deep.blocks == trm.blocks * trm.cycles * (trm.inner + 1) == 12


def test_nets_without_a_carry_get_new_puzzles_at_every_step() -> None:
    looks = {name: recipe_of(name, puzzles=10, unseen=5, seed=0).train.supervision for name in NETS}
    assert looks["plain"] == looks["plain_deep"] == 1
    assert looks["trm"] == looks["hrm"] == looks["loop"] == 8


def test_every_net_of_the_comparison_has_a_title() -> None:
    assert set(TITLES) == set(NETS)


@pytest.mark.parametrize(
    ("asked", "says"),
    [({"nets": ["gru"]}, "gru"), ({"nets": []}, "nets="), ({"cpu_minutes": 0.0}, "cpu_minutes=0")],
)
def test_arguments_that_cannot_be_used_are_named(asked: dict[str, Any], says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        run(**asked)


def test_a_small_comparison_fills_a_page(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(f"before\n{BEGIN}\nold\n{END}\nafter\n", encoding="utf-8")
    done = CliRunner().invoke(
        app,
        "bench recursion --cpu-minutes 0.005 --nets plain --puzzles 20 --unseen 5 --json "
        f"--page {page}".split(),
    )
    assert done.exit_code == 0, done.output
    result = json.loads(done.stdout.splitlines()[-1])
    assert result["measures"]["exact_step_1.plain"] == result["measures"]["exact_step_16.plain"]
    assert result["measures"]["train_cpu_s.plain"]["value"] >= 0.3
    text = page.read_text(encoding="utf-8")
    assert text.startswith("before\n")
    assert text.endswith("after\n")
    assert "| feed-forward, equal size | 46,209 |" in text
    assert "old" not in text
    assert (tmp_path / "results" / "recursion-steps.svg").is_file()


def test_a_page_without_marks_is_named(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("nothing\n", encoding="utf-8")
    with pytest.raises(ConfigError, match="figures: begin"):
        update_page(page, {})
    with pytest.raises(ConfigError, match="is not a file"):
        update_page(tmp_path / "absent.md", {})


def test_the_page_shows_what_was_recorded() -> None:
    result = json.loads((ROOT / "docs/results/recursion.json").read_text(encoding="utf-8"))
    page = (ROOT / "docs/recursive-nets.md").read_text(encoding="utf-8")
    assert page.partition(BEGIN)[2].partition(END)[0] == "\n" + tables(result)
