"""The puzzle bench: what its figures mean, and what it refuses."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from trimtab.bench import puzzles
from trimtab.bench.puzzle_figures import FileFigures, bars_of, escalation, figures_of
from trimtab.bench.puzzles import bundle_of, run
from trimtab.cli.app import app
from trimtab.datasets.puzzles import Kind, generate
from trimtab.errors import BundleError, ConfigError


def test_an_order_that_puts_the_wrong_first_has_no_area_to_the_ideal_line() -> None:
    right = np.array([False, False, True, True, True])
    area, at_70 = escalation(np.array([0.1, 0.2, 0.7, 0.8, 0.9]), right)
    assert area == pytest.approx(0.0)
    assert at_70 == 1.0


def test_an_order_that_puts_the_wrong_last_has_the_largest_area() -> None:
    right = np.array([False, True])
    area, _ = escalation(np.array([0.9, 0.1]), right)
    # solved: .5, .5, 1 against the ideal .5, 1, 1
    assert area == pytest.approx(0.25)


def test_escalating_a_weak_net_by_its_confidence_solves_what_is_escalated() -> None:
    rng = np.random.default_rng(0)
    right = rng.random(1000) < 0.29
    confidence = np.where(right, 0.9, 0.1) + rng.normal(0.0, 0.05, 1000)
    assert escalation(confidence, right)[1] > 0.95


def test_a_net_that_is_not_shipped_is_named_with_the_way_to_train_it() -> None:
    with pytest.raises(BundleError, match="trimtab train hrm --puzzle maze15"):
        bundle_of("maze15", "hrm")


def figures(name: str, kind: Kind, right: list[bool]) -> FileFigures:
    flags = np.array(right)
    return FileFigures(
        name=name,
        kind=kind,
        right=flags,
        confidence=np.where(flags, 0.9, 0.1),
        steps=np.full(len(flags), 2.0),
        cpu_ms=np.full(len(flags), 1.0),
        kept=flags,
        after=dict.fromkeys((1, 8), flags),
        unhalted=flags,
        once=flags,
        restarted=flags,
        guesses={"guided": 0.0},
    )


def test_each_grade_has_figures_of_its_own() -> None:
    shown = figures_of(
        [figures("easy", "sudoku9", [True] * 3), figures("hard", "sudoku9", [True, False, False])],
        seed=0,
    )
    assert shown["exact"].value == pytest.approx(4 / 6)
    assert shown["exact.easy"].value == 1.0
    assert shown["exact.hard"].value == pytest.approx(1 / 3)
    assert shown["auroc.easy"].value is None
    assert shown["auroc"].value == 1.0


def test_bars_follow_from_the_puzzles() -> None:
    nines = [figures(f"{number}", "sudoku9", [True]) for number in range(4)]
    assert {"auroc", "ece", "precision_kept", "escalation_area"} <= _keys(nines, "trm")
    assert "auroc" not in _keys(nines[:3], "trm")
    assert {"mean_steps", "halting_loss"} <= _keys([figures("a", "sudoku6", [True])], "hrm")
    assert _keys(nines, "plain") == set()


def _keys(given: list[FileFigures], agent: str) -> set[str]:
    return {bar.key for bar in bars_of(given, agent)}


def test_the_shipped_net_answers_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # five puzzles in parts of two, as a large file is read
    monkeypatch.setattr(puzzles, "AT_ONCE", 2)
    path = tmp_path / "six.csv"
    rows = [f"{row.question},{row.answer}" for row in generate("sudoku6", 6, seed=123)]
    path.write_text("\n".join(["question,answer", *rows]) + "\n")
    done = CliRunner().invoke(
        app, ["bench", "puzzles", "--file", str(path), "--limit", "5", "--json"]
    )
    assert done.exit_code == 0, done.output
    result = json.loads(done.stdout.splitlines()[-1])
    asked = "exact exact_step_1 exact_step_8 auroc ece precision_kept mean_steps cpu_ms_p95"
    assert {*asked.split(), "escalation_area", "exact.six"} <= set(result["measures"])
    assert result["n"] == 5
    for key in ("exact", "exact_step_8"):
        assert result["measures"][key]["value"] >= 0.6
    assert str(tmp_path) not in done.stdout.splitlines()[-1]


def test_a_net_of_other_puzzles_is_named(tmp_path: Path) -> None:
    path = tmp_path / "four.csv"
    path.write_text("question,answer\n.....42......1.3,1234342143122143\n")
    shipped = Path(__file__).parents[2] / "trimtab" / "shipped" / "bundles"
    with pytest.raises(BundleError, match="trimtab train hrm --puzzle sudoku4"):
        run(files=[path], agent="hrm", bundles=[shipped / "sudoku6_hrm"])
    six = tmp_path / "six.csv"
    [row] = generate("sudoku6", 1, seed=3)
    six.write_text(f"question,answer\n{row.question},{row.answer}\n")
    with pytest.raises(BundleError, match="give other files"):
        run(files=[six], agent="trm", bundles=[shipped / "sudoku6", shipped / "connect_four"])


@pytest.mark.parametrize("limit", ["1,2", "0", "x"])
def test_limits_that_fit_no_files_are_named(tmp_path: Path, limit: str) -> None:
    path = tmp_path / "four.csv"
    path.write_text("question,answer\n.....42......1.3,1234342143122143\n")
    done = CliRunner().invoke(app, ["bench", "puzzles", "--file", str(path), "--limit", limit])
    assert isinstance(done.exception, ConfigError)
    assert "limit=" in str(done.exception)


@pytest.mark.parametrize(
    ("files", "agent", "says"),
    [
        ([], "trm", "at least one file"),
        (["a/x.csv", "b/x.csv"], "trm", "another name"),
        (["x.csv"], "gru", "agent='gru'"),
    ],
)
def test_arguments_that_cannot_be_used_are_named(files: list[str], agent: str, says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        run(files=[Path(file) for file in files], agent=agent)
