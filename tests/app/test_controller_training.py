"""Controllers fitted, certified, packed and replayed from a table file."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from tests.recorded_tables import MODELS, recorded_world
from trimtab.agents.controller_bundle import FILE, KIND, load_controller
from trimtab.agents.promise import Promise
from trimtab.app.controller_training import train_controller
from trimtab.app.replay import replay
from trimtab.cli.app import app
from trimtab.datasets.recorded import COLUMNS, RecordedTable, read_recorded, recorded_steps
from trimtab.errors import BundleError, ConfigError
from trimtab.records import Budget
from trimtab.release.bundle import pack

SEED = 1
TRAINED, WINDOW, N = 200, 200, 450
EASY = Promise(loss=0.1, window=WINDOW)
SHORT = Promise(loss=0.001, window=20)


def _write(path: Path, table: RecordedTable) -> Path:
    with path.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream)
        writer.writerow([*COLUMNS, "out_tokens", "latency_s"])
        for model, rows in table.rows.items():
            for place, (answer, right, usd, tokens, seconds) in rows.items():
                key, text = table.ids[place], table.texts[place]
                writer.writerow(
                    [key, "all", text, model, answer, right, repr(usd), tokens, seconds]
                )
    return path


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> Path:
    recorded, _ = recorded_world(N, skills=(0.6, 0.8, 0.93, 0.95))
    return _write(tmp_path_factory.mktemp("table") / "world.csv", recorded)


def _train(table: Path, out: Path, asked: Promise) -> Path:
    train_controller(
        table, models=MODELS, strong="strong", out=out, train_size=TRAINED, asked=asked, seed=SEED
    )
    return out


@pytest.fixture(scope="module")
def certified(table: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return _train(table, tmp_path_factory.mktemp("easy") / "bundle", EASY)


@pytest.fixture(scope="module")
def uncertified(table: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return _train(table, tmp_path_factory.mktemp("short") / "bundle", SHORT)


def test_certified_candidate_decides_in_the_graph_as_on_the_table(
    table: Path, certified: Path
) -> None:
    fitted, bundle = load_controller(certified)
    chosen = fitted.certified
    assert chosen is not None
    assert bundle.spec["kind"] == KIND
    done = replay(table, certified, n=N - TRAINED - WINDOW, seed=SEED)
    recorded = read_recorded(table)
    fresh = np.array([i for i, one in enumerate(recorded.ids) if one not in fitted.used])
    assert len(fresh) == N - TRAINED - WINDOW
    did = chosen.run(recorded_steps(recorded.select(MODELS)[1]).take(fresh))
    assert done.certified
    assert done.quality.value == pytest.approx(did.correct.mean())
    assert done.usd_per_1000.value == pytest.approx(1000.0 * did.cost_usd.mean())
    assert done.llm_share.value == pytest.approx(did.asked_strong.mean())
    assert done.llm_share.value < 1.0
    assert done.saved is not None
    assert done.saved.value == pytest.approx(
        1.0 - done.usd_per_1000.value / done.always_usd_per_1000
    )


def test_without_a_certificate_the_strong_model_always_answers(
    table: Path, uncertified: Path
) -> None:
    done = replay(table, uncertified, n=30)
    assert not done.certified
    assert {one.route.reason for one in done.decisions} == {"uncertified"}
    assert done.quality.value == done.always_quality.value
    assert done.llm_share.value == 1.0


def test_replay_keeps_the_budget(table: Path, uncertified: Path) -> None:
    done = replay(table, uncertified, n=30, candidate=1, budget=Budget(usd=2e-3))
    assert all(one.usage.cost_usd <= 2e-3 for one in done.decisions)
    assert done.llm_share.value == 0.0


def test_same_seed_gives_the_same_bundle(table: Path, certified: Path, tmp_path: Path) -> None:
    again = load_controller(_train(table, tmp_path / "again", EASY))[1]
    assert again.bundle.bundle_id == load_controller(certified)[1].bundle.bundle_id


def test_where_nothing_costs_less_the_strong_model_is_packed_and_named(
    table: Path, tmp_path: Path
) -> None:
    out = tmp_path / "bundle"
    # the promise is against the cheapest model, so there is nothing to save
    train_controller(table, models=MODELS[:2], strong="small", out=out, train_size=200, asked=SHORT)
    fitted, _ = load_controller(out)
    assert [one.name for one in fitted.candidates] == ["always small"]
    assert fitted.verdict == "no saving: small always answers, because no candidate costs less"
    done = replay(table, out, n=20)
    assert not done.certified
    assert done.llm_share.value == 1.0


def test_a_verdict_names_what_is_certified_or_why_nothing_is(
    certified: Path, uncertified: Path
) -> None:
    assert "points below always asking strong, with 95%" in load_controller(certified)[0].verdict
    assert "no saving: strong always answers" in load_controller(uncertified)[0].verdict


def test_a_budget_of_seconds_needs_recorded_seconds(table: Path, certified: Path) -> None:
    untimed = table.with_name("untimed.csv")
    lines = table.read_text(encoding="utf-8").splitlines()
    untimed.write_text("\n".join(line.rsplit(",", 1)[0] for line in lines), encoding="utf-8")
    with pytest.raises(ConfigError, match=r"budget_seconds=3: column 'latency_s' of untimed\.csv"):
        replay(untimed, certified, n=5, budget=Budget(seconds=3.0))


def test_one_model_leaves_nothing_to_choose(table: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="at least two to choose among"):
        train_controller(table, models=["small"], out=tmp_path / "out", asked=EASY)


@pytest.mark.parametrize(("n", "candidate"), [(N, None), (10, 99)])
def test_what_cannot_be_replayed_is_named(
    table: Path, certified: Path, n: int, candidate: int | None
) -> None:
    with pytest.raises(ConfigError, match=r"n=450|candidate=99"):
        replay(table, certified, n=n, candidate=candidate)


def test_too_few_questions_are_named(table: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="train_size=200 and window=251"):
        _train(table, tmp_path / "out", Promise(loss=0.1, window=251))


@pytest.mark.parametrize(("kind", "named"), [("text/1", "kind='text/1'"), (KIND, "cannot be read")])
def test_bundle_of_another_kind_or_content_is_refused(
    tmp_path: Path, kind: str, named: str
) -> None:
    pack(
        tmp_path / "bundle",
        domain="world",
        files={FILE: b"{}"},
        thresholds={},
        metrics={},
        card="",
        spec={"kind": kind},
    )
    with pytest.raises(BundleError, match=named):
        load_controller(tmp_path / "bundle")


def test_command_line_trains_and_replays(table: Path, tmp_path: Path) -> None:
    runner = CliRunner()
    out = str(tmp_path / "bundle")
    asked = ["--train-size", "200", "--window", "200", "--loss", "0.1", "--seed", "1"]
    models = ["--models", ",".join(MODELS), "--strong", "strong"]
    packed = runner.invoke(
        app,
        ["train", "controller", "--table", str(table), *models, "--out", out, *asked, "--json"],
    )
    assert packed.exit_code == 0, packed.output
    shown = json.loads(packed.stdout.splitlines()[-1])
    assert shown["metrics"]["certified"] == 1.0
    assert shown["verdict"].startswith("certified on 200 questions: ")
    replayed = ["replay", "--table", str(table), "--controller", out, "--n", "20"]
    plain = json.loads(runner.invoke(app, [*replayed, "--json"]).stdout.splitlines()[-1])
    assert plain["strong"] == "strong"
    assert plain["quality"]["n"] == 20
    assert runner.invoke(app, replayed).exit_code == 0
