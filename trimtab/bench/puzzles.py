"""How often a recursive net solves puzzles, and whether it knows when.

S is the supervision steps, B the puzzles.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from trimtab.agents.exact_search import ExactSearch, Puzzle
from trimtab.agents.recursion import RESTARTS, Codes, solve
from trimtab.agents.recursive import RecursiveAgent, RecursiveNet
from trimtab.bench.puzzle_figures import FileFigures, Flags, bars_of, figures_of
from trimtab.bench.puzzle_latency import StepTimes, one_torch_thread, step_times
from trimtab.bench.result import Measure, bench_result
from trimtab.datasets.puzzles import Kind, PuzzleRow, domain_of, encode, read_puzzles, side_of
from trimtab.errors import BundleError, ConfigError
from trimtab.release.bundle import LoadedBundle, load, load_shipped

AGENTS = ("trm", "hrm", "plain")
STEPS = 16
SHOWN = (1, 2, 4, 8, 16)
AT_ONCE = 250
"""Puzzles whose carries are in memory at a time; a file may hold any number."""
RESTARTS_ON = 200
"""Puzzles of a file on which restarts are measured: they cost eight runs each."""


def run(
    *,
    files: Sequence[Path],
    agent: str,
    bundles: Sequence[Path] = (),
    limits: Sequence[int] = (),
    seed: int = 0,
    progress: Callable[[str], None] = lambda line: None,
) -> dict[str, Any]:
    """Return accuracy, confidence, halting and cost of a net on files of puzzles.

    The bundle of a file's size answers. A file's name is its grade.

    Args:
        files: CSV files that ``read_puzzles`` reads.
        agent: ``trm``, ``hrm`` or ``plain``.
        bundles: nets to use in the place of the shipped ones.
        limits: first rows read, of each file or of all; all rows if empty.
        seed: of the intervals' draws.
        progress: called with a line for each file.

    Raises:
        InputError: a file cannot be used.
        ConfigError: no file, two of one name, an unknown agent, or limits that fit no files.
        BundleError: no net answers puzzles of a file's size, or a net answers none of the files.
    """
    if agent not in AGENTS:
        raise ConfigError(f"agent={agent!r} is not known; use one of {list(AGENTS)}")
    names = [path.stem for path in files]
    if not names or len(set(names)) < len(names):
        raise ConfigError(f"file={names}: give at least one file, each of another name")
    read = [
        read_puzzles(path, limit=limit)
        for path, limit in zip(files, _limits(limits, len(files)), strict=True)
    ]
    used = _bundles(sorted({kind for kind, _ in read}), agent, bundles)
    nets = {kind: RecursiveNet.from_bundle(bundle) for kind, bundle in used.items()}
    figures = []
    for name, (kind, rows) in zip(names, read, strict=True):
        figures.append(_measure(name, kind, rows, nets[kind], agent=agent))
        progress(f"{name}: {figures[-1].right.mean():.3f} exact of {len(rows)}")
    measures = figures_of(figures, seed=seed)
    peers: dict[str, Any] = {"torch": None if find_spec("torch") is None else {}}
    for kind, bundle in used.items():
        parameters = bundle.bundle.metrics["parameters"]
        measures[f"parameters.{kind}"] = Measure(value=parameters, unit="weights")
        times = _latency(kind, bundle, nets[kind], with_torch=peers["torch"] is not None)
        measures |= times.measures(kind)
        if peers["torch"] is not None:
            peers["torch"][f"step_ms.{kind}"] = times.torch
    return bench_result(
        "puzzles",
        data=" + ".join(names),
        n=sum(len(f.right) for f in figures),
        seed=seed,
        measures=measures,
        peers=peers,
        bars=bars_of(figures, agent),
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


def _measure(
    name: str, kind: Kind, rows: Sequence[PuzzleRow], net: RecursiveNet, *, agent: str
) -> FileFigures:
    domain = domain_of(kind)
    states: list[Puzzle] = [domain.from_text(row.question) for row in rows]
    answers = [row.answer for row in rows]
    served = RecursiveAgent(domain, net, name=agent, usd_per_cpu_s=0.0)
    served.predict(states[:1])  # the first run allocates
    predictions = served.predict(states)
    every, most_believed = _all_steps(net, encode([row.question for row in rows], kind))
    restarting = RecursiveAgent(domain, net, name=agent, usd_per_cpu_s=0.0, restarts=RESTARTS)
    again = restarting.predict(states[:RESTARTS_ON])
    right = np.array([p.action == a for p, a in zip(predictions, answers, strict=True)])
    confidence = np.array([p.confidence for p in predictions], dtype=np.float64)
    return FileFigures(
        name=name,
        kind=kind,
        right=right,
        confidence=confidence,
        steps=np.array([p.signals["steps"] for p in predictions]),
        cpu_ms=np.array([1000.0 * p.usage.cpu_s for p in predictions]),
        kept=confidence >= net.accept,
        after={number: _exact(rows, every[number - 1], net) for number in SHOWN},
        unhalted=_exact(rows, most_believed, net),
        once=right[:RESTARTS_ON],
        restarted=np.array([p.action == a for p, a in zip(again, answers, strict=False)]),
        guesses={
            name: _mean_guesses(ExactSearch(net=order, usd_per_cpu_s=0.0), states[:RESTARTS_ON])
            for name, order in (("guided", net), ("plain", None))
        },
    )


def _all_steps(net: RecursiveNet, x: Codes) -> tuple[Codes, Codes]:
    """Return `[S, B, L]` the answer after each of ``STEPS`` steps, `[B, L]` the most believed."""
    parts = [
        solve(net.step, x[start : start + AT_ONCE], net.carry, most=STEPS)
        for start in range(0, len(x), AT_ONCE)
    ]
    every = np.concatenate([part.every for part in parts], axis=1)
    return every, np.concatenate([part.classes for part in parts])


def _exact(rows: Sequence[PuzzleRow], classes: Codes, net: RecursiveNet) -> Flags:
    """Return `[B]` whether the answers are right, givens standing as they are."""
    pairs = zip(rows, classes, strict=True)
    return np.array([net.codes.decode(row.question, cells) == row.answer for row, cells in pairs])


def _mean_guesses(search: ExactSearch, states: Sequence[Puzzle]) -> float:
    """Return how many guesses an exact search makes per puzzle, with or without the net's order."""
    return float(np.mean([p.signals["guesses"] for p in search.predict(states)]))


def _limits(limits: Sequence[int], files: int) -> list[int | None]:
    """Return the rows read of each file."""
    if len(limits) not in (0, 1, files) or any(limit < 1 for limit in limits):
        raise ConfigError(
            f"limit={list(limits)} fits no {files} files; give one number from 1 on for all, or "
            "one for each"
        )
    if len(limits) == files:
        return list(limits)
    return [limits[0] if limits else None] * files


def _bundles(
    kinds: Sequence[Kind], agent: str, folders: Sequence[Path]
) -> dict[Kind, LoadedBundle]:
    given = [load(folder) for folder in folders]
    used = {kind: bundle_of(kind, agent, given) for kind in kinds}
    for bundle in given:
        if bundle not in used.values():
            raise BundleError(
                f"{bundle.folder} is {bundle.spec.get('name')!r} for {bundle.bundle.domain}, and "
                f"the files hold {list(kinds)} for {agent!r}; give other files, --agent or --bundle"
            )
    return used


def _latency(kind: Kind, bundle: LoadedBundle, net: RecursiveNet, *, with_torch: bool) -> StepTimes:
    x = np.zeros((1, side_of(kind) ** 2), dtype=np.int64)
    if not with_torch:
        return step_times(net.step, None, x, net.carry)
    from trimtab.training.puzzle_fit import net_of, torch_step

    with one_torch_thread():
        return step_times(net.step, torch_step(net_of(bundle)), x, net.carry)
