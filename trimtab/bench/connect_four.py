"""How often an agent's move in Connect Four turns a win into less, or a draw into a loss.

N is the number of positions of a file.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trimtab.bench.connect_four_agents import NO_MOVE, Player, player
from trimtab.bench.result import Bar, Measure, bench_result
from trimtab.datasets.judged_positions import JudgedPositions, judged_positions
from trimtab.datasets.positions import ScoredPosition, read_positions
from trimtab.errors import ConfigError
from trimtab.stats import bootstrap_means, interval

SHARED = "connect4_L1_R1_moves, connect4_L2_R1_moves, connect4_L3_R1_moves"
"""The sets for which the bars are stated."""
BARS = {"uct:1000": 0.065, "net:100": 0.035, "net:600": 0.025}
PRESET_BARS = {"smoke": 0.27, "short": 0.15}
"""For the net alone, by the preset that trained it."""
_KEYS = ("mistake_rate", "best_move_rate", "answered")


@dataclass(frozen=True, slots=True)
class _Played:
    """What an agent did on one file: `[N, 3]` mistakes, best moves and answers; its time."""

    name: str
    shares: NDArray[np.float64]
    ms: float


def run(
    *,
    positions: Sequence[Path],
    agent: str,
    bundle: Path | None = None,
    seeds: int = 3,
    limit: int | None = None,
    seed: int = 0,
    progress: Callable[[str], None] = lambda line: None,
) -> dict[str, Any]:
    """Return the rates of mistakes and of best moves, in the mean of the files and for each.

    A mistake is a move after which the exact win, draw or loss is worse for the mover. A best move
    keeps the exact score: no other wins sooner or loses later. Where an LLM names no legal move
    in two replies, that is a mistake, and ``answered`` says how often it did.

    Args:
        positions: files that ``read_positions`` reads.
        agent: ``random``, ``uct:N``, ``net``, ``net:N`` (N simulations), or ``llm``, that of the
            settings.
        bundle: of the net; the shipped one if None.
        seeds: how often an agent that draws plays every position.
        limit: read at most so many positions of each file.
        seed: the first of them, and of the intervals' draws.
        progress: called with a line before time is spent.

    Raises:
        InputError: a file cannot be used.
        ConfigError: no file, two of one name, an unknown agent, or no seed.
        BundleError: the bundle is none, or of another board.
        LLMError: the LLM is gone.
    """
    names = [path.name.split(".")[0] for path in positions]
    if not names or len(set(names)) < len(names):
        raise ConfigError(f"positions={names} must be files of distinct names, at least one")
    if seeds < 1:
        raise ConfigError(f"seeds={seeds} plays nothing; use 1 or more")
    read = [read_positions(path, limit=limit) for path in positions]
    with player(agent, bundle=bundle) as found:
        plays = range(seed, seed + (seeds if found.draws else 1))
        played = []
        for name, rows in zip(names, read, strict=True):
            told = partial(_told, progress, name)
            truth = judged_positions(rows, progress=told)
            told(f"{len(rows)} positions, each played {len(plays)} times by {found.says}")
            played.append(_played(name, found, rows, truth, plays))
    count = sum(len(rows) for rows in read)
    measures = _rates(played, np.random.default_rng(seed), answered=agent == "llm")
    measures["ms_per_move"] = Measure(
        value=sum(part.ms for part in played) / (count * len(plays)), unit=found.unit
    )
    measures["seeds"] = Measure(value=len(plays), unit="plays of each position")
    shared = ", ".join(sorted(names)) == SHARED and limit is None
    return bench_result(
        "connect-four",
        data=f"{', '.join(names)}: {found.says}",
        n=count,
        seed=seed,
        measures=measures,
        bars=_bars(agent, found) if shared else (),
        packages=("numpy", "numba", "onnxruntime"),
    )


def _told(progress: Callable[[str], None], name: str, line: str) -> None:
    progress(f"{name}: {line}")


def _played(
    name: str,
    found: Player,
    rows: Sequence[ScoredPosition],
    truth: JudgedPositions,
    plays: range,
) -> _Played:
    states, at = [row.state for row in rows], np.arange(len(rows))
    shares, ms = np.zeros((len(rows), len(_KEYS))), 0.0
    for seed in plays:
        started = found.clock()
        moves = found.choose(states, seed)
        ms += 1e3 * (found.clock() - started)
        answered = moves != NO_MOVE
        shares[:, 0] += ~(truth.solved.keeps[at, moves] & answered)
        shares[:, 1] += truth.best[at, moves] & answered
        shares[:, 2] += answered
    return _Played(name, shares / len(plays), ms)


def _rates(
    played: Sequence[_Played], rng: np.random.Generator, *, answered: bool
) -> dict[str, Measure]:
    """Return the mean over the files first; positions are resampled, with all their plays."""
    draws = {part.name: bootstrap_means(part.shares, rng=rng) for part in played}
    means = {part.name: part.shares.mean(axis=0) for part in played}
    measures = {}
    for column, key in enumerate(_KEYS[: 3 if answered else 2]):
        low, high = interval(np.mean([drawn[:, column] for drawn in draws.values()], axis=0))
        value = float(np.mean([mean[column] for mean in means.values()]))
        measures[key] = Measure(value=value, low=low, high=high)
        for name in means if len(means) > 1 else ():
            low, high = interval(draws[name][:, column])
            measures[f"{key}_{name}"] = Measure(
                value=float(means[name][column]), low=low, high=high
            )
    return measures


def _bars(agent: str, found: Player) -> list[Bar]:
    at_most = BARS.get(agent)
    if agent == "net":
        from trimtab.training.recipes import preset

        for name, rate in PRESET_BARS.items():
            if preset(name, seed=int(found.recipe["seed"])).to_json() == found.recipe:
                at_most = rate
    return [] if at_most is None else [Bar(key="mistake_rate", at_most=at_most)]
