"""Teaches a net a board game by self-play, and packs, measures and draws what came of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from trimtab.agents.board_net import BoardNet
from trimtab.app.board_gates import PLIES
from trimtab.datasets.solved_positions import SolvedPositions, solved_positions
from trimtab.errors import ConfigError
from trimtab.evals.training_plot import training_curves
from trimtab.records import Bundle
from trimtab.release.manifest import MANIFEST
from trimtab.search.mcts import MCTSConfig, search
from trimtab.stats.intervals import Estimate, proportion
from trimtab.training.board_bundle import Effort, pack_board_net
from trimtab.training.board_gates import fit_board_gates
from trimtab.training.recipes import TrainConfig, preset
from trimtab.training.snapshots import read_curve
from trimtab.training.trainer import Point, Trainer

CURVES = "curves.svg"
# of the searches that are measured at the end; 0 is the net alone
SIMULATIONS = {"smoke": (0,), "short": (0, 100), "long": (0, 100, 600)}
# random positions by the moves before them; early ones take seconds each to solve
BANDS = {"opening": range(8, 14), "middle": range(14, 28), "end": range(28, 39)}
GATE_POSITIONS = {"smoke": 120, "short": 300, "long": 1500}
_WATCHED_SEED, _FINAL_SEED, _GATES_SEED = 101, 202, 303


@dataclass(frozen=True, slots=True, kw_only=True)
class BoardRun:
    """What is asked of a training.

    Attributes:
        game: name of the domain.
        preset: ``smoke``, ``short`` or ``long``.
        out: folder of the bundle.
        folder: of the run: curve, drawing, snapshots.
        seed: of every draw.
        iterations: instead of the preset's; a resumed run may be ended sooner or later by it.
        processes: that play.
        resume: whether to go on from the folder's snapshot.
        positions: solved positions per band in the final measurement. The opening, which is slow
            to solve, has a third of them and is measured by the preset ``long`` alone.
    """

    game: str
    preset: str
    out: Path
    folder: Path
    seed: int = 0
    iterations: int | None = None
    processes: int = 1
    resume: bool = False
    positions: int = 300


def train_board_net(run: BoardRun, *, watch: Callable[[Point, int], None] | None = None) -> Bundle:
    """Return the bundle of a net that taught itself a game.

    Args:
        run: what is asked for.
        watch: called with every point of the curve and the number of all iterations.

    Raises:
        ConfigError: the run's folder holds another recipe, or a run where none is to be resumed.
        BundleError: ``out`` cannot be written.
    """
    config = _config(run)
    _check_folders(run)
    watched = solved_positions(200, plies=BANDS["middle"], seed=_WATCHED_SEED)
    trainer = Trainer(
        config,
        game=run.game,
        folder=run.folder,
        processes=run.processes,
        measure=lambda net: {"mistake_rate": _rate(net, watched, 0).value},
        watch=None if watch is None else lambda point: watch(point, config.iterations),
    )
    if run.resume:
        trainer.resume()
    trainer.run()
    curves = training_curves(read_curve(run.folder))
    (run.folder / CURVES).write_text(curves, encoding="utf-8")
    graph = trainer.graph()
    net = BoardNet(graph, trainer.game)
    fitted = solved_positions(GATE_POSITIONS[run.preset], plies=PLIES, seed=_GATES_SEED)
    bands = [name for name in BANDS if name != "opening" or run.preset == "long"]
    return pack_board_net(
        run.out,
        graph=graph,
        weights=trainer.learner.average,
        game=run.game,
        config=config,
        effort=Effort(
            cpu_s=trainer.cpu_s,
            wall_s=trainer.wall_s,
            games=trainer.iteration * config.shards * config.shard_games,
            iterations=trainer.iteration,
        ),
        rates=measured(
            net,
            bands=bands,
            simulations=SIMULATIONS[run.preset],
            count=run.positions,
            seed=_FINAL_SEED,
        ),
        gates=fit_board_gates(net, fitted),
        command=f"trimtab train {run.game.replace('_', '-')} --preset {run.preset} "
        f"--seed {run.seed} --iterations {config.iterations}",
    )


def measured(
    net: BoardNet, *, bands: Sequence[str], simulations: Sequence[int], count: int, seed: int
) -> Mapping[str, Estimate]:
    """Return mistake rates by number of simulations (0: the net alone) and band of positions."""
    rates = {}
    for index, band in enumerate(bands):
        size = max(1, count // 3) if band == "opening" else count
        positions = solved_positions(size, plies=BANDS[band], seed=seed + index)
        for budget in simulations:
            name = f"net_{budget}" if budget else "net"
            rates[f"{name}_{band}"] = _rate(net, positions, budget)
    return rates


def _rate(net: BoardNet, positions: SolvedPositions, simulations: int) -> Estimate:
    """Return the mistake rate of the net's likeliest move, or of a search's."""
    if simulations:
        result = search(
            net.game,
            positions.rows,
            net.evaluate,
            MCTSConfig(simulations=simulations),
            range(len(positions)),
        )
        actions = result.action
    else:
        actions = net.evaluate(positions.rows)[0].argmax(axis=1)
    mistakes = round(positions.mistake_rate(actions) * len(positions))
    return proportion(mistakes, len(positions))


def _config(run: BoardRun) -> TrainConfig:
    config = preset(run.preset, game=run.game, seed=run.seed)
    if run.iterations is None:
        return config
    return replace(config, iterations=run.iterations)


def _check_folders(run: BoardRun) -> None:
    if (run.out / MANIFEST).exists():
        raise ConfigError(
            f"out={run.out} holds a bundle, and bundles are never replaced in place; give a folder "
            f"that does not exist yet"
        )
    if not run.resume and read_curve(run.folder):
        raise ConfigError(
            f"run={run.folder} holds a run; resume it with --resume, or give another folder"
        )
