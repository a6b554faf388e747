"""Trains a recursive net on puzzles and packs it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from trimtab.datasets.puzzles import Kind
from trimtab.errors import ConfigError
from trimtab.models.recursive import Configuration
from trimtab.records import Bundle
from trimtab.release.manifest import MANIFEST
from trimtab.training.puzzle_fit import fit, pack_puzzle_net
from trimtab.training.puzzle_recipes import Preset, recipe
from trimtab.training.puzzle_training import PuzzleRun
from trimtab.training.snapshots import read_curve


@dataclass(frozen=True, slots=True, kw_only=True)
class PuzzleTraining:
    """What is asked of a training.

    Attributes:
        net: ``trm``, ``hrm`` or ``plain``.
        puzzle: kind of the puzzles.
        preset: of the recipe.
        out: folder of the bundle.
        folder: of the run: curve and snapshots.
        seed: of every draw.
        steps: optimiser steps instead of the preset's.
        stop_at: end the run after so many steps, the schedule being that of all of them.
        resume: go on from the folder's snapshot.
    """

    net: Configuration
    puzzle: Kind
    preset: Preset
    out: Path
    folder: Path
    seed: int = 0
    steps: int | None = None
    stop_at: int | None = None
    resume: bool = False


def train_puzzle_net(
    asked: PuzzleTraining,
    *,
    watch: Callable[[Mapping[str, float], int], None] | None = None,
) -> Bundle:
    """Return the bundle of a net that was trained on generated puzzles.

    Args:
        asked: what is asked for.
        watch: called with every point of the curve and the number of steps.

    Raises:
        ConfigError: the folder of the run or of the bundle is in use, or the preset is not known.
    """
    if (asked.out / MANIFEST).exists():
        raise ConfigError(f"out={asked.out} holds a bundle already; give another folder")
    if not asked.resume and read_curve(asked.folder):
        raise ConfigError(f"run={asked.folder} was begun already; add --resume, or give another")
    found = recipe(asked.puzzle, asked.net, asked.preset, seed=asked.seed)
    if asked.steps is not None:
        found = replace(found, train=replace(found.train, steps=asked.steps))
    total = min(asked.stop_at or found.train.steps, found.train.steps)
    run = PuzzleRun(
        recipe=found,
        folder=asked.folder,
        watch=None if watch is None else lambda point: watch(point, total),
    )
    if asked.resume:
        run.resume()
    run.run(until=total)
    command = f"trimtab train {asked.net} --puzzle {asked.puzzle} --preset {asked.preset}"
    return pack_puzzle_net(
        asked.out,
        net=run.training.averaged,
        recipe=found,
        fitted=fit(run.training.averaged, run.data, found),
        steps=run.training.step,
        cpu_s=run.cpu_s,
        command=f"{command} --seed {asked.seed}",
    )
