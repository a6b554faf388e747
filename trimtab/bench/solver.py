"""Whether the Connect Four solver is exact on scored positions, and how long it takes."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trimtab.bench.result import Bar, Measure, bench_result
from trimtab.datasets.positions import ScoredPosition, read_positions
from trimtab.domains.connect_four import ConnectFour
from trimtab.domains.connect_four_solver import ConnectFourSolver
from trimtab.errors import ConfigError
from trimtab.stats import bootstrap, proportion


@dataclass(frozen=True, slots=True)
class _SetFigures:
    """What one file showed: CPU milliseconds a position and per all of a position's moves."""

    name: str
    right: list[bool]
    ms: list[float]
    nodes: int
    moves_right: list[bool]
    moves_ms: list[float]


def run(
    *,
    positions: Sequence[Path],
    limit: int | None = None,
    moves_limits: Sequence[int] = (),
    seed: int = 0,
    progress: Callable[[str], None] = lambda line: None,
) -> dict[str, Any]:
    """Return the share of right scores, and CPU milliseconds a position, for each file.

    Each file begins with an empty table, and a position finds the table as its predecessors left
    it. Compiling, or loading what was compiled, is not counted.

    Args:
        positions: files that ``read_positions`` reads.
        limit: read at most so many positions of each file.
        moves_limits: check every move of the first so many of them, one number for all files or
            one for each; all if there is none.
        seed: of the intervals' draws.
        progress: called with a line for each file.

    Raises:
        InputError: a file cannot be used.
        ConfigError: no file, two of one name, or limits that are negative or too few.
    """
    names = [path.name.split(".")[0] for path in positions]
    if not names or len(set(names)) < len(names):
        raise ConfigError(f"positions={names} must be files of distinct names, at least one")
    if len(moves_limits) not in (0, 1, len(names)) or any(n < 0 for n in moves_limits):
        raise ConfigError(
            f"moves_limits={list(moves_limits)} must be one number, or one for each of the "
            f"{len(names)} files, 0 or more"
        )
    rows = [read_positions(path, limit=limit) for path in positions]
    # the first call compiles; here it finds a win in one move
    ConnectFourSolver(table_bits=10).solve(ConnectFour().from_text("112233"))
    sets = []
    for index, (name, row) in enumerate(zip(names, rows, strict=True)):
        progress(f"{name}: {len(row)} positions")
        moves_limit = moves_limits[index % len(moves_limits)] if moves_limits else None
        sets.append(_measured(name, row, moves_limit))
    rng = np.random.default_rng(seed)
    right = [ok for figures in sets for ok in figures.right]
    moves_right = [ok for figures in sets for ok in figures.moves_right]
    share = proportion(sum(right), len(right))
    measures = {"scores_right": Measure(value=share.value, low=share.low, high=share.high)}
    bars = [Bar(key="scores_right", at_least=1.0)]
    if moves_right:
        share = proportion(sum(moves_right), len(moves_right))
        measures["move_scores_right"] = Measure(value=share.value, low=share.low, high=share.high)
        measures["move_scores_checked"] = Measure(value=len(moves_right), unit="moves")
        bars.append(Bar(key="move_scores_right", at_least=1.0))
    for figures in sets:
        measures[f"ms_{figures.name}"] = _mean(figures.ms, "CPU ms/position", rng)
        measures[f"nodes_{figures.name}"] = Measure(
            value=figures.nodes / len(figures.ms), unit="nodes/position"
        )
        if figures.moves_ms:
            measures[f"moves_ms_{figures.name}"] = _mean(
                figures.moves_ms, "CPU ms/position, all moves", rng
            )
    seconds = sum(sum(figures.ms) for figures in sets) / 1e3
    measures["nodes_per_s"] = Measure(
        value=sum(figures.nodes for figures in sets) / seconds, unit="nodes/CPU-s"
    )
    return bench_result(
        "solver",
        data=", ".join(names),
        n=len(right),
        seed=seed,
        measures=measures,
        bars=bars,
        packages=("numpy", "numba"),
    )


def _measured(name: str, rows: Sequence[ScoredPosition], moves_limit: int | None) -> _SetFigures:
    solver = ConnectFourSolver()
    right, ms = [], []
    for row in rows:
        started = time.process_time()
        score = solver.solve(row.state)
        ms.append(1e3 * (time.process_time() - started))
        right.append(score == row.score)
    nodes = solver.nodes
    moves_right: list[bool] = []
    moves_ms = []
    for row in rows[:moves_limit]:
        if row.move_scores is not None:
            started = time.process_time()
            scores = solver.move_scores(row.state)
            moves_ms.append(1e3 * (time.process_time() - started))
            pairs = zip(scores, row.move_scores, strict=True)
            moves_right += [found == said for found, said in pairs if said is not None]
    return _SetFigures(name, right, ms, nodes, moves_right, moves_ms)


def _mean(ms: list[float], unit: str, rng: np.random.Generator) -> Measure:
    found = bootstrap(ms, _average, rng=rng)
    return Measure(value=found.value, low=found.low, high=found.high, unit=unit)


def _average(values: NDArray[np.float64]) -> float:
    return float(np.mean(values))
