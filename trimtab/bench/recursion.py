"""Recursive and feed-forward nets side by side: same puzzles, same processor time.

Six nets learn the same 6×6 Sudokus for the same CPU seconds, one after the other, and are asked
for the same unseen ones. S is the supervision steps, B the puzzles.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from trimtab.agents.recursion import Codes, Solved, solve
from trimtab.agents.recursive import open_step
from trimtab.bench.puzzle_latency import StepTimes, one_torch_thread, step_times
from trimtab.bench.result import Bar, Measure, bench_result
from trimtab.datasets.puzzles import Kind, PuzzleRow, encode
from trimtab.errors import ConfigError
from trimtab.models.recursive import RecursiveNet
from trimtab.stats import proportion
from trimtab.training.deep_supervision import DeepSupervision
from trimtab.training.puzzle_data import PuzzleData, class_offset, puzzle_data, sampler_of
from trimtab.training.puzzle_fit import carry_of, step_graph, torch_step
from trimtab.training.puzzle_recipes import Recipe, recipe

KIND: Kind = "sudoku6"
NETS = ("trm", "hrm", "loop", "trm_no_twins", "plain", "plain_deep")
STEPS = 16
SHOWN = (1, 2, 4, 8, 16)
POINTS = 8
"""Times at which each net is asked while it learns."""
CURVE_PUZZLES = 250
"""Unseen puzzles that it is asked for then, eight steps each; all of them at the end."""
CURVE_STEPS = 8
_PACED_EVERY = 25

Flags = NDArray[np.bool_]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Trained:
    """A net after its time, and what it solved on the way."""

    net: RecursiveNet
    steps: int
    cpu_s: float
    curve: Sequence[tuple[float, Flags]]


def run(
    *,
    cpu_minutes: float = 2.0,
    nets: Sequence[str] = NETS,
    puzzles: int = 1000,
    unseen: int = 500,
    seed: int = 0,
    progress: Callable[[str], None] = lambda line: None,
) -> dict[str, Any]:
    """Return accuracy by step and by CPU time, latency and size of each net.

    Args:
        cpu_minutes: of training for each net.
        nets: which of ``NETS``.
        puzzles: that are generated to train on.
        unseen: puzzles to measure on; no symmetric twin of them is trained on.
        seed: of weights, puzzles and draws.
        progress: called with a line for each net.

    Raises:
        ConfigError: an unknown net, or no time to train.
    """
    unknown = sorted(set(nets) - set(NETS))
    if unknown or not nets:
        raise ConfigError(f"nets={unknown or list(nets)} are not known; use some of {list(NETS)}")
    if cpu_minutes <= 0.0:
        raise ConfigError(f"cpu_minutes={cpu_minutes} leaves no time to train; 2 is usual")
    measures: dict[str, Measure] = {}
    data = puzzle_data(recipe_of("trm", puzzles=puzzles, unseen=unseen, seed=seed))
    x, classes = _codes(data.dev)
    for name in nets:
        asked = recipe_of(name, puzzles=puzzles, unseen=unseen, seed=seed)
        trained = _train(asked, name, data, cpu_s=60.0 * cpu_minutes)
        solved = solve(torch_step(trained.net), x, carry_of(trained.net), most=STEPS)
        times = _latency(trained.net, x[:1])
        measures |= _measures(name, trained, solved, classes) | times.measures(name)
        progress(f"{name}: {measures[f'exact_best_q.{name}'].value:.1%} exact")
    return bench_result(
        "recursion",
        data=f"generated {KIND}, {puzzles} to learn from, {cpu_minutes:g} CPU minutes a net",
        n=unseen,
        seed=seed,
        measures=measures,
        bars=_bars(nets),
        packages=("numpy", "onnxruntime", "torch"),
    )


def recipe_of(name: str, *, puzzles: int, unseen: int, seed: int) -> Recipe:
    """Return how a net of the comparison is trained; they share all that can be shared.

    ``loop`` is TRM with one update of z per supervision step: the outer loop alone. ``plain`` has
    TRM's size, and ``plain_deep`` as many blocks as one supervision step of TRM runs through.
    """
    configuration: Any = {"hrm": "hrm", "plain": "plain", "plain_deep": "plain"}.get(name, "trm")
    found = recipe(KIND, configuration, "short", seed=seed)
    found = replace(found, puzzles=dict.fromkeys(found.puzzles, puzzles), dev=unseen, most=STEPS)
    if name == "loop":
        return replace(found, net=replace(found.net, cycles=1, inner=1))
    if name == "plain_deep":
        blocks = found.net.blocks * found.net.cycles * (found.net.inner + 1)
        return replace(found, net=replace(found.net, blocks=blocks))
    return found


def _train(asked: Recipe, name: str, data: PuzzleData, *, cpu_s: float) -> _Trained:
    sampler = sampler_of(data, asked.kind)
    if name == "trm_no_twins":
        sampler = replace(sampler, augment=lambda questions, answers, rng: (questions, answers))
    torch.manual_seed(asked.train.seed)
    training = DeepSupervision(RecursiveNet(asked.net), sampler, asked.train)
    x, classes = _codes(data.dev[:CURVE_PUZZLES])
    spent = 0.0
    curve: list[tuple[float, Flags]] = []
    with one_torch_thread():
        while spent < cpu_s:
            started = time.process_time()
            training.advance()
            spent += time.process_time() - started
            if training.step % _PACED_EVERY == 0:
                # the schedule ends with the time: how many steps that is shows as they are taken
                total = max(training.step, round(training.step * cpu_s / spent))
                training.config = replace(training.config, steps=total)
            # one long step may pass several of the times
            while len(curve) < POINTS and spent >= cpu_s * (len(curve) + 1) / POINTS:
                net = training.averaged
                solved = solve(torch_step(net), x, carry_of(net), most=CURVE_STEPS)
                curve.append((spent, (solved.classes == classes).all(axis=1)))
    return _Trained(net=training.averaged, steps=training.step, cpu_s=spent, curve=curve)


def _codes(rows: Sequence[PuzzleRow]) -> tuple[Codes, Codes]:
    """Return `[B, L]` questions and classes of the answers."""
    questions = encode([row.question for row in rows], KIND)
    return questions, encode([row.answer for row in rows], KIND) - class_offset(KIND)


def _latency(net: RecursiveNet, x: Codes) -> StepTimes:
    with one_torch_thread():
        return step_times(open_step(step_graph(net)), torch_step(net), x, carry_of(net))


def _measures(name: str, trained: _Trained, solved: Solved, classes: Codes) -> dict[str, Measure]:
    after: Flags = (solved.every == classes).all(axis=2)
    kept: Flags = (solved.classes == classes).all(axis=1)
    measures = {f"exact_step_{step}.{name}": _share(after[step - 1]) for step in SHOWN}
    measures[f"exact_best_q.{name}"] = _share(kept)
    measures[f"parameters.{name}"] = Measure(
        value=float(sum(p.numel() for p in trained.net.parameters())), unit="weights"
    )
    measures[f"optimiser_steps.{name}"] = Measure(value=float(trained.steps), unit="steps")
    measures[f"train_cpu_s.{name}"] = Measure(value=round(trained.cpu_s, 1), unit="CPU s")
    for number, (cpu_s, right) in enumerate(trained.curve, start=1):
        measures[f"curve_{number}_cpu_s.{name}"] = Measure(value=round(cpu_s, 1), unit="CPU s")
        measures[f"curve_{number}_exact.{name}"] = _share(right)
    return measures


def _share(flags: Flags) -> Measure:
    share = proportion(float(flags.sum()), len(flags))
    return Measure(value=share.value, low=share.low, high=share.high, unit="share")


def _bars(nets: Sequence[str]) -> list[Bar]:
    bars = {
        "trm": (
            Bar(key="exact_best_q.trm", at_least=0.98),
            Bar(key="parameters.trm", at_most=60_000),
            Bar(key="step_ms.trm", at_most=2.0),
            Bar(key="step_vs_torch.trm", at_most=0.6),
        ),
        "hrm": (Bar(key="exact_best_q.hrm", at_least=0.95),),
        "plain": (Bar(key="exact_best_q.plain", at_most=0.05),),
    }
    return [bar for name in nets for bar in bars.get(name, ())]
