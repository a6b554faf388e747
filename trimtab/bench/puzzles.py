"""How often a recursive net solves puzzles, and whether it knows when.

S is the supervision steps, B the puzzles.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trimtab.agents.exact_search import ExactSearch, Puzzle
from trimtab.agents.recursion import solve
from trimtab.agents.recursive import RecursiveAgent, RecursiveNet
from trimtab.bench.result import Bar, Measure, bench_result
from trimtab.datasets.puzzles import Kind, PuzzleRow, domain_of, encode, read_puzzles
from trimtab.errors import BundleError, ConfigError, InputError
from trimtab.release.bundle import LoadedBundle, load, load_shipped
from trimtab.stats import bootstrap, proportion
from trimtab.stats.calibration import auroc, ece

AGENTS = ("trm", "hrm", "plain")
STEPS = 16
RESTARTS_ON = 100
"""Puzzles on which restarts are measured: they cost eight runs each."""
TIMED = 50
"""Steps that are timed beside torch."""
BARS = (Bar(key="auroc", at_least=0.97), Bar(key="ece", at_most=0.05))

Flags = NDArray[np.bool_]
Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class _FileFigures:
    """What one file showed, puzzle by puzzle."""

    name: str
    right: Flags
    confidence: Floats
    steps: Floats
    cpu_ms: Floats
    kept: Flags
    after: Mapping[int, Flags]
    once: Flags
    restarted: Flags
    guesses: Mapping[str, float]


def run(
    *,
    files: Sequence[Path],
    agent: str,
    bundles: Sequence[Path] = (),
    limit: int | None = None,
    seed: int = 0,
    progress: Callable[[str], None] = lambda line: None,
) -> dict[str, Any]:
    """Return accuracy, confidence, halting and cost of a net on files of puzzles.

    The bundle of a file's size answers. A file's name is its grade.

    Args:
        files: CSV files that ``read_puzzles`` reads.
        agent: ``trm``, ``hrm`` or ``plain``.
        bundles: nets to use in the place of the shipped ones.
        limit: read at most so many puzzles of each file.
        seed: of the intervals' draws.
        progress: called with a line for each file.

    Raises:
        InputError: a file cannot be used.
        ConfigError: no file, two of one name, or an unknown agent.
        BundleError: no net answers puzzles of a file's size.
    """
    if agent not in AGENTS:
        raise ConfigError(f"agent={agent!r} is not known; use one of {list(AGENTS)}")
    names = [path.stem for path in files]
    if not names or len(set(names)) < len(names):
        raise ConfigError(f"file={names}: give at least one file, each of another name")
    given = [load(folder) for folder in bundles]
    figures, nets = [], {}
    for path in files:
        kind, rows = read_puzzles(path)
        rows = rows[:limit]
        if kind not in nets:
            bundle = bundle_of(kind, agent, given)
            nets[kind] = (bundle, RecursiveNet.from_bundle(bundle))
        figures.append(_measure(path.stem, kind, rows, nets[kind][1], agent=agent))
        progress(f"{path.stem}: {figures[-1].right.mean():.3f} exact of {len(rows)}")
    measures = _measures(figures, seed=seed)
    parameters = [bundle.bundle.metrics["parameters"] for bundle, _ in nets.values()]
    measures["parameters"] = Measure(value=max(parameters), unit="weights")
    for kind, (bundle, net) in nets.items():
        measures |= _latency(kind, bundle, net)
    return bench_result(
        "puzzles",
        data=" + ".join(names),
        n=sum(len(f.right) for f in figures),
        seed=seed,
        measures=measures,
        bars=BARS if agent != "plain" else (),
        packages=("numpy", "onnxruntime", "torch"),
    )


def bundle_of(kind: Kind, agent: str, given: Sequence[LoadedBundle] = ()) -> LoadedBundle:
    """Return the net that answers a kind of puzzle: one of those given, or the shipped one.

    Raises:
        BundleError: there is none.
    """
    for bundle in given:
        if bundle.bundle.domain == kind and bundle.spec.get("name") == agent:
            return bundle
    try:
        return load_shipped(kind if agent == "trm" else f"{kind}_{agent}")
    except BundleError as error:
        raise BundleError(
            f"no {agent} answers {kind} ({error}); train one: trimtab train {agent} --puzzle "
            f"{kind} --preset short --out FOLDER, and give --bundle FOLDER"
        ) from error


def escalation(confidence: Floats, right: Flags) -> tuple[float, float]:
    """Return the area to the ideal line, and the share solved when 70 % are escalated.

    Puzzles go to an exact solver, the least sure first. The ideal line escalates every wrong
    answer before any right one; the area lies between the two, over shares from 0 to 1.
    """
    order = np.argsort(confidence, kind="stable")
    n = len(order)
    # solved after k escalations: k by the solver, and the right ones among the rest
    left = np.concatenate([[right.sum()], right.sum() - np.cumsum(right[order])])
    solved = (np.arange(n + 1) + left) / n
    ideal = np.minimum(1.0, right.mean() + np.arange(n + 1) / n)
    area = float(np.trapezoid(ideal - solved, dx=1.0 / n))
    return area, float(solved[round(0.7 * n)])


def _measure(
    name: str, kind: Kind, rows: Sequence[PuzzleRow], net: RecursiveNet, *, agent: str
) -> _FileFigures:
    if not rows:
        raise InputError(f"limit=0 leaves no puzzle of {name}; give at least 1")
    domain = domain_of(kind)
    states: list[Puzzle] = [domain.from_text(row.question) for row in rows]
    answers = [row.answer for row in rows]
    served = RecursiveAgent(domain, net, name=agent, usd_per_cpu_s=0.0)
    served.predict(states[:1])  # the first run allocates
    predictions = served.predict(states)
    x = encode([row.question for row in rows], kind)
    whole = solve(net.step, x, net.carry, most=STEPS)

    def exact_after(number: int) -> Flags:
        pairs = zip(rows, whole.every[number - 1], strict=True)
        return np.array([net.codes.decode(row.question, c) == row.answer for row, c in pairs])

    restarting = RecursiveAgent(domain, net, name=agent, usd_per_cpu_s=0.0, restarts=8)
    again = restarting.predict(states[:RESTARTS_ON])
    right = np.array([p.action == a for p, a in zip(predictions, answers, strict=True)])
    confidence = np.array([p.confidence for p in predictions], dtype=np.float64)
    return _FileFigures(
        name=name,
        right=right,
        confidence=confidence,
        steps=np.array([p.signals["steps"] for p in predictions]),
        cpu_ms=np.array([1000.0 * p.usage.cpu_s for p in predictions]),
        kept=confidence >= net.accept,
        after={number: exact_after(number) for number in (1, 2, 4, 8, 16)},
        once=right[:RESTARTS_ON],
        restarted=np.array([p.action == a for p, a in zip(again, answers, strict=False)]),
        guesses={
            name: _mean_guesses(ExactSearch(net=order, usd_per_cpu_s=0.0), states[:RESTARTS_ON])
            for name, order in (("guided", net), ("plain", None))
        },
    )


def _mean_guesses(search: ExactSearch, states: Sequence[Puzzle]) -> float:
    """Return how many guesses an exact search makes per puzzle, with or without the net's order."""
    return float(np.mean([p.signals["guesses"] for p in search.predict(states)]))


def _measures(figures: Sequence[_FileFigures], *, seed: int) -> dict[str, Measure]:
    right = np.concatenate([f.right for f in figures])
    confidence = np.concatenate([f.confidence for f in figures])
    kept = np.concatenate([f.kept for f in figures])
    cpu_ms = np.concatenate([f.cpu_ms for f in figures])
    steps = np.concatenate([f.steps for f in figures])
    once = np.concatenate([f.once for f in figures])
    restarted = np.concatenate([f.restarted for f in figures])
    measures = {"exact": _share(right)}
    for after in figures[0].after:
        at = np.concatenate([f.after[after] for f in figures])
        measures[f"exact_step_{after}"] = _share(at)
    several = bool(right.any() and not right.all())
    measures["auroc"] = Measure(value=auroc(confidence, right) if several else None)
    measures["ece"] = Measure(value=ece(confidence, right))
    measures["precision_kept"] = _share(right[kept])
    measures["share_kept"] = _share(kept)
    mean = bootstrap(steps, lambda drawn: float(drawn.mean()), rng=np.random.default_rng(seed))
    measures["mean_steps"] = Measure(
        value=mean.value, low=mean.low, high=mean.high, unit="supervision steps"
    )
    measures["cpu_ms_p95"] = Measure(value=float(np.quantile(cpu_ms, 0.95)), unit="CPU ms")
    area, at_70 = escalation(confidence, right)
    measures["escalation_area"] = Measure(value=area)
    measures["solved_at_70"] = Measure(value=at_70, unit="share, 70 % escalated")
    for name in figures[0].guesses:
        mean_guesses = float(np.mean([f.guesses[name] for f in figures]))
        measures[f"guesses.{name}"] = Measure(value=mean_guesses, unit="guesses of a search")
    measures["restarts_gain"] = Measure(
        value=float(restarted.mean() - once.mean()), unit="share of the first puzzles of each file"
    )
    for figure in figures:
        measures[f"exact.{figure.name}"] = _share(figure.right)
    return measures


def _share(flags: Flags) -> Measure:
    if not len(flags):
        return Measure(value=None, unit="share")
    share = proportion(float(flags.sum()), len(flags))
    return Measure(value=share.value, low=share.low, high=share.high, unit="share")


def _latency(kind: Kind, bundle: LoadedBundle, net: RecursiveNet) -> dict[str, Measure]:
    """Return CPU milliseconds of one step of one puzzle, here and in torch, taken in turns."""
    import torch

    from trimtab.training.puzzle_fit import net_of, torch_step

    reference = torch_step(net_of(bundle))
    y, z = (np.tile(part, (1, side_cells(bundle), 1)) for part in net.carry)
    x = np.zeros((1, side_cells(bundle)), dtype=np.int64)
    spent: dict[str, list[float]] = {"ort": [], "torch": []}
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        for _ in range(TIMED):
            for name, step in (("ort", net.step), ("torch", reference)):
                started = time.process_time()
                step(x, y, z)
                spent[name].append(1000.0 * (time.process_time() - started))
    finally:
        torch.set_num_threads(threads)
    ours, theirs = (float(np.median(spent[name][5:])) for name in ("ort", "torch"))
    return {
        f"step_ms.{kind}": Measure(value=ours, unit="CPU ms"),
        f"step_vs_torch.{kind}": Measure(value=ours / theirs, unit="share of torch's time"),
    }


def side_cells(bundle: LoadedBundle) -> int:
    """Return the cells of a puzzle that a bundle answers."""
    net: Mapping[str, int] = bundle.spec["recipe"]["net"]
    return net["rows"] * net["columns"]
