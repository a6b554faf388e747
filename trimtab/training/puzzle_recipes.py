"""What each puzzle net is trained on and how: one recipe per kind, net and preset."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal

from trimtab.datasets.puzzles import Kind, alphabet, side_of
from trimtab.domains import maze
from trimtab.domains.sudoku_solver import BOXES
from trimtab.errors import ConfigError
from trimtab.models.recursive import Configuration, RecursiveConfig
from trimtab.training.deep_supervision import TrainConfig

Preset = Literal["smoke", "short", "long"]

ANY_GRADE = ""
"""Stands for puzzles as the generator makes them: minimal, of all grades but mostly medium."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """A net, its data and its training.

    Attributes:
        kind: of the puzzles.
        net: sizes.
        train: optimiser and schedule.
        puzzles: how many are generated, by grade; symmetric twins are drawn on the fly, an equal
            share of each grade.
        dev: puzzles of each of ``dev_grades`` on which the halting threshold and the confidence
            are fitted; no symmetric twin of them is trained on.
        dev_grades: of those puzzles; the grades that the net will meet.
        most: supervision steps at most when it serves.
    """

    kind: Kind
    net: RecursiveConfig
    train: TrainConfig
    puzzles: Mapping[str, int]
    dev: int
    dev_grades: tuple[str, ...] = (ANY_GRADE,)
    most: int = 16


_STEPS: Mapping[tuple[str, Preset], int] = {
    ("sudoku4", "smoke"): 500,
    ("sudoku4", "short"): 1000,
    ("sudoku6", "smoke"): 750,
    ("sudoku6", "short"): 2600,
    ("sudoku9", "short"): 2600,
    ("sudoku9", "long"): 16000,
    ("maze11", "short"): 4000,
    ("maze15", "short"): 2600,
}
_GRADES = ("easy", "medium", "hard", "extreme")


def recipe(kind: Kind, configuration: Configuration, preset: Preset, *, seed: int = 0) -> Recipe:
    """Return the recipe of a preset.

    Raises:
        ConfigError: there is no such preset for this kind; the message lists those that are.
    """
    if (kind, preset) not in _STEPS:
        known = sorted(name for of, name in _STEPS if of == kind)
        raise ConfigError(f"preset={preset!r} is not known for {kind}; use one of {known}")
    # one call of each net has a gradient: HRM takes twice the steps in the same time
    twice = 2 if configuration == "hrm" else 1
    train = TrainConfig(steps=twice * _STEPS[kind, preset], seed=seed)
    if configuration == "plain":
        # without a carry a second look at a puzzle adds nothing: every step gets new ones
        train = replace(train, supervision=1)
    if kind.startswith("maze"):
        slow = replace(train, lr=7e-4, batch=48, ema=0.999, bfloat16=True)
        return _maze(kind, configuration, slow)
    plain = Recipe(
        kind=kind,
        net=_net(kind, configuration),
        train=train,
        puzzles={ANY_GRADE: 1000},
        dev=500,
    )
    if kind == "sudoku6" and preset == "smoke":
        # a shorter recursion: one step alone then solves little, which shows what the others add
        return replace(plain, net=replace(plain.net, inner=1))
    if kind == "sudoku9" and preset == "short":
        return replace(
            plain, puzzles={"easy": 1500}, dev_grades=("easy",), train=replace(train, batch=48)
        )
    if kind == "sudoku9":
        return replace(
            plain,
            net=replace(plain.net, width=96),
            puzzles={"easy": 2500, ANY_GRADE: 12000},
            dev=200,
            dev_grades=_GRADES,
            train=replace(train, lr=1.5e-3, warmup=200, ema=0.999, supervision=12, bfloat16=True),
        )
    return plain


def _net(kind: Kind, configuration: Configuration) -> RecursiveConfig:
    side = side_of(kind)
    puzzle_is_maze = kind.startswith("maze")
    return RecursiveConfig(
        kind=configuration,
        inputs=len(alphabet(kind)),
        outputs=len(maze.CELLS) if puzzle_is_maze else side,
        rows=side,
        columns=side,
        box=(0, 0) if puzzle_is_maze else BOXES[side],
        # HRM has two nets: half the blocks in each make it as large as TRM
        blocks=1 if configuration == "hrm" else 2,
    )


def _maze(kind: Kind, configuration: Configuration, train: TrainConfig) -> Recipe:
    return Recipe(
        kind=kind,
        # one recursion with gradient through all of it: with two, mazes are learned and lost again
        net=replace(_net(kind, configuration), mixer="grid", cycles=1, inner=4),
        train=train,
        puzzles={ANY_GRADE: 4000},
        dev=500,
    )
