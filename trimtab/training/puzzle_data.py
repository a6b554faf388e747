"""The puzzles of a recipe, generated, and drawn as symmetric twins without end.

L is the cells of a puzzle, N the puzzles of a group.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trimtab.datasets.puzzles import (
    Augment,
    Codes,
    Kind,
    PuzzleRow,
    augmenter,
    encode,
    generate,
    orbit_hash,
)
from trimtab.training.puzzle_recipes import Recipe

DEV_SEED = 1_000_003
"""Keeps the development puzzles' seeds apart from the training puzzles'."""


@dataclass(frozen=True, slots=True)
class PuzzleSampler:
    """Draws symmetric twins of puzzles, an equal share of each group.

    Attributes:
        groups: questions and targets, `[N, L]` each, per grade.
        augment: maps questions and answers to twins.
        offset: what is taken from a code to make it a class.
    """

    groups: tuple[tuple[Codes, Codes], ...]
    augment: Augment
    offset: int

    def draw(self, n: int, rng: np.random.Generator) -> tuple[NDArray[Any], Codes]:
        """Return `[n, L]` codes and `[n, L]` classes."""
        group = rng.integers(len(self.groups), size=n)
        length = self.groups[0][0].shape[1]
        x, answers = np.empty((n, length), dtype=np.int64), np.empty((n, length), dtype=np.int64)
        for number, (questions, solved) in enumerate(self.groups):
            rows = np.flatnonzero(group == number)
            drawn = rng.integers(len(questions), size=len(rows))
            x[rows], answers[rows] = questions[drawn], solved[drawn]
        x, answers = self.augment(x, answers, rng)
        return x, answers - self.offset


def class_offset(kind: Kind) -> int:
    """Return what is taken from a code to make it a class: no class stands for an empty cell."""
    return 0 if kind.startswith("maze") else 1


@dataclass(frozen=True, slots=True, kw_only=True)
class PuzzleData:
    """The puzzles of a recipe: by grade to train on, and ``dev``, no twins of them."""

    train: Mapping[str, list[PuzzleRow]]
    dev: list[PuzzleRow]


def puzzle_data(recipe: Recipe) -> PuzzleData:
    """Return generated puzzles; those with a twin among the development ones are left out."""
    seed = recipe.train.seed
    grades = [grade for grade in recipe.dev_grades if grade]
    dev = generate(
        recipe.kind, recipe.dev * len(recipe.dev_grades), seed=DEV_SEED + seed, grades=grades
    )
    held = {orbit_hash(row.question, recipe.kind) for row in dev}
    train: dict[str, list[PuzzleRow]] = {}
    for number, (grade, n) in enumerate(recipe.puzzles.items()):
        rows = generate(recipe.kind, n, seed=10 * seed + number, grades=(grade,) if grade else ())
        for row in rows:
            # 4×4 has so few puzzles that nothing would be left: it is a smoke test, no claim
            if recipe.kind == "sudoku4" or orbit_hash(row.question, recipe.kind) not in held:
                train.setdefault(row.grade, []).append(row)
    return PuzzleData(train=train, dev=dev)


def sampler_of(data: PuzzleData, kind: Kind) -> PuzzleSampler:
    """Return what draws from the training puzzles."""
    groups = tuple(
        (encode([row.question for row in rows], kind), encode([row.answer for row in rows], kind))
        for _, rows in sorted(data.train.items())
    )
    return PuzzleSampler(groups, augmenter(kind), class_offset(kind))
