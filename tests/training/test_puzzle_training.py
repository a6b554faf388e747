"""One short training of a 6×6 TRM, and what must hold of every net that is packed."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from tests.contracts.agent import AgentContract
from trimtab.agents.recursion import best_restart, solve
from trimtab.agents.recursive import RecursiveAgent, RecursiveNet
from trimtab.datasets.puzzles import Codes, encode, generate, orbit_hash
from trimtab.domains.sudoku import Sudoku
from trimtab.errors import BundleError, ConfigError
from trimtab.protocols import AnyDomain
from trimtab.release.bundle import LoadedBundle, load, pack
from trimtab.training.puzzle_fit import (
    Fitted,
    carry_of,
    fit,
    halting_threshold,
    pack_puzzle_net,
    torch_step,
)
from trimtab.training.puzzle_recipes import recipe
from trimtab.training.puzzle_training import PuzzleRun
from trimtab.training.snapshots import read_curve

UNSEEN = 300


@dataclass(frozen=True)
class Trained:
    run: PuzzleRun
    fitted: Fitted
    bundle: LoadedBundle
    questions: list[str]
    x: Codes
    classes: Codes


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Trained:
    folder = tmp_path_factory.mktemp("puzzles")
    run = PuzzleRun(recipe=recipe("sudoku6", "trm", "smoke"), folder=folder / "run")
    run.run()
    fitted = fit(run.training.averaged, run.data, run.recipe)
    pack_puzzle_net(
        folder / "bundle",
        net=run.training.averaged,
        recipe=run.recipe,
        fitted=fitted,
        steps=run.training.step,
        cpu_s=run.cpu_s,
        command="trimtab train trm --puzzle sudoku6 --preset smoke",
    )
    seen = {orbit_hash(row.question, "sudoku6") for rows in run.data.train.values() for row in rows}
    rows = [
        row
        for row in generate("sudoku6", UNSEEN + 50, seed=77)
        if orbit_hash(row.question, "sudoku6") not in seen
    ][:UNSEEN]
    questions = [row.question for row in rows]
    return Trained(
        run=run,
        fitted=fitted,
        bundle=load(folder / "bundle", domain="sudoku6"),
        questions=questions,
        x=encode(questions, "sudoku6"),
        classes=encode([row.answer for row in rows], "sudoku6") - 1,
    )


def test_recursion_is_what_solves_unseen_puzzles(trained: Trained) -> None:
    net = trained.run.training.averaged
    solved = solve(torch_step(net), trained.x, carry_of(net), most=8)
    exact = (solved.every == trained.classes).all(axis=2).mean(axis=1)
    assert exact[7] >= 0.85
    assert exact[0] <= 0.15


def test_halting_early_keeps_what_all_steps_would_give(trained: Trained) -> None:
    net = trained.run.training.averaged
    step, carry = torch_step(net), carry_of(net)
    whole = solve(step, trained.x, carry, most=16)
    early = solve(step, trained.x, carry, most=16, halt_at=trained.fitted.halt_at)

    def share(classes: Codes) -> float:
        return float((classes == trained.classes).all(axis=1).mean())

    assert share(early.classes) >= share(whole.classes) - 0.02
    assert early.steps.mean() < 6.0


def test_more_steps_than_in_training_do_not_lower_the_kept_answer(trained: Trained) -> None:
    net = trained.run.training.averaged
    step, carry = torch_step(net), carry_of(net)
    shares = [
        (solve(step, trained.x, carry, most=most).classes == trained.classes).all(axis=1).mean()
        for most in (8, 32)
    ]
    assert shares[1] >= shares[0] - 0.01


def test_onnx_and_torch_agree_over_sixteen_steps(trained: Trained) -> None:
    served = RecursiveNet.from_bundle(trained.bundle)
    net = trained.run.training.averaged
    x = trained.x[:20]
    ours = solve(served.step, x, served.carry, most=16)
    theirs = solve(torch_step(net), x, carry_of(net), most=16)
    assert np.abs(ours.q_every - theirs.q_every).max() < 1e-4 * max(1.0, np.abs(ours.q).max())
    assert np.array_equal(ours.classes, theirs.classes)
    assert np.abs(ours.probs - theirs.probs).max() < 1e-4


def test_the_confidence_tells_right_answers_from_wrong_ones(trained: Trained) -> None:
    served = RecursiveNet.from_bundle(trained.bundle)
    solved = solve(served.step, trained.x, served.carry, most=16, halt_at=served.halt_at)
    right = (solved.classes == trained.classes).all(axis=1)
    confidence = np.array(served.confidence(solved))
    assert confidence[right].mean() > confidence[~right].mean() + 0.2


def test_restarts_find_at_least_what_one_run_finds(trained: Trained) -> None:
    served = RecursiveNet.from_bundle(trained.bundle)
    plain = solve(served.step, trained.x, served.carry, most=8)
    weakest = np.argsort(plain.q)[:20]
    once = again = 0
    for row in weakest:
        restarted = best_restart(
            served.step,
            trained.x[row : row + 1],
            served.carry,
            most=8,
            halt_at=float("inf"),
            rng=np.random.default_rng(0),
        )
        assert restarted.q[0] >= plain.q[row] - 1e-3
        once += bool((plain.classes[row] == trained.classes[row]).all())
        again += bool((restarted.classes[0] == trained.classes[row]).all())
    assert again >= once


def test_the_bundle_says_how_large_the_net_is(trained: Trained) -> None:
    assert trained.bundle.bundle.metrics["parameters"] <= 60_000
    assert "parameters" in trained.bundle.read("card.md").decode()


def test_the_curve_tells_every_fifty_steps(trained: Trained) -> None:
    steps = [point["step"] for point in read_curve(trained.run.folder)]
    assert steps == list(range(50, 751, 50))


class TestRecursiveAgent(AgentContract):
    @pytest.fixture
    def agent(self, trained: Trained) -> RecursiveAgent:
        return _agent(trained)

    @pytest.fixture
    def domain(self) -> AnyDomain:
        return Sudoku(6)

    @pytest.fixture
    def states(self, trained: Trained) -> list[Any]:
        return [Sudoku(6).from_text(text) for text in trained.questions[:4]]


class TestRestartingAgent(AgentContract):
    @pytest.fixture
    def agent(self, trained: Trained) -> RecursiveAgent:
        return _agent(trained, restarts=3)

    @pytest.fixture
    def domain(self) -> AnyDomain:
        return Sudoku(6)

    @pytest.fixture
    def states(self, trained: Trained) -> list[Any]:
        return [Sudoku(6).from_text(text) for text in trained.questions[:2]]


def _agent(trained: Trained, *, restarts: int = 1) -> RecursiveAgent:
    return RecursiveAgent(
        Sudoku(6),
        RecursiveNet.from_bundle(trained.bundle),
        name="trm",
        usd_per_cpu_s=1e-5,
        restarts=restarts,
    )


def test_the_trace_holds_the_grid_after_each_recursion(trained: Trained) -> None:
    domain = Sudoku(6)
    state = domain.from_text(trained.questions[0])
    [prediction] = _agent(trained).predict([state])
    grids = prediction.trace["grids"]
    assert prediction.agent == "trm"
    assert len(grids) == prediction.signals["steps"]
    assert grids[prediction.trace["kept"] - 1] == prediction.action
    for given, shown in zip(state.givens, grids[0], strict=True):
        assert given in (".", shown)


def test_a_run_is_resumed_bit_for_bit_and_by_its_own_recipe_only(tmp_path: Path) -> None:
    tiny = replace(
        recipe("sudoku4", "hrm", "smoke"),
        puzzles={"": 20},
        dev=5,
        train=replace(recipe("sudoku4", "hrm", "smoke").train, steps=6, batch=4),
    )
    straight = PuzzleRun(recipe=tiny, folder=tmp_path / "straight")
    straight.run()
    half = PuzzleRun(recipe=tiny, folder=tmp_path / "halves")
    half.run(until=3)
    rest = PuzzleRun(recipe=tiny, folder=tmp_path / "halves")
    assert rest.resume()
    rest.run()
    for name, value in straight.training.averaged.state_dict().items():
        assert torch.equal(value, rest.training.averaged.state_dict()[name])
    other = PuzzleRun(recipe=replace(tiny, most=4), folder=tmp_path / "halves")
    with pytest.raises(ConfigError, match="another recipe"):
        other.resume()


def test_an_altered_bundle_is_refused(trained: Trained, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    copy.mkdir()
    for file in trained.bundle.folder.iterdir():
        (copy / file.name).write_bytes(file.read_bytes())
    (copy / "step.onnx").write_bytes((copy / "step.onnx").read_bytes()[:-1] + b"\0")
    with pytest.raises(BundleError, match=r"step\.onnx"):
        load(copy)


def test_a_bundle_of_something_else_is_refused(tmp_path: Path) -> None:
    pack(
        tmp_path / "foreign",
        domain="sudoku6",
        files={"net.onnx": b"x"},
        thresholds={},
        metrics={},
        card="a card",
        spec={"kind": "text-policy/1"},
    )
    with pytest.raises(BundleError, match="recursive-net/1"):
        RecursiveNet.from_bundle(load(tmp_path / "foreign"))


def test_an_unknown_preset_is_named() -> None:
    with pytest.raises(ConfigError, match="use one of"):
        recipe("maze15", "trm", "long")


def test_the_halting_threshold_is_the_least_that_costs_nothing() -> None:
    # three puzzles, three steps: at q = 1 the second one would stop at a wrong answer
    q = np.array([[3.0, 1.0, 0.0], [4.0, 2.0, 0.0], [5.0, 4.0, 0.0]], dtype=np.float32)
    right = np.array([[True, False, False], [True, True, False], [True, True, False]])
    assert 1.0 < halting_threshold(q, right) <= 2.0
