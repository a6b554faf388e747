"""Trains a recursive net on generated puzzles, resumable after any snapshot."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from trimtab.errors import ConfigError
from trimtab.models.recursive import RecursiveNet
from trimtab.training.deep_supervision import DeepSupervision, Progress
from trimtab.training.puzzle_data import puzzle_data, sampler_of
from trimtab.training.puzzle_recipes import Recipe
from trimtab.training.snapshots import (
    add_to_curve,
    cut_curve,
    latest_snapshot,
    load_snapshot,
    save_snapshot,
)

CURVE_EVERY = 50
SNAPSHOT_EVERY = 500

Watch = Callable[[Mapping[str, float]], None]


@dataclass(kw_only=True)
class PuzzleRun:
    """One training run in a folder: ``curve.jsonl`` and the latest snapshot.

    Attributes:
        recipe: what is trained.
        folder: of the run.
        watch: called with every point of the curve.
        cpu_s: processor seconds of the optimiser's steps so far.
    """

    recipe: Recipe
    folder: Path
    watch: Watch | None = None
    cpu_s: float = 0.0

    def __post_init__(self) -> None:
        torch.manual_seed(self.recipe.train.seed)
        self.data = puzzle_data(self.recipe)
        self.training = DeepSupervision(
            RecursiveNet(self.recipe.net),
            sampler_of(self.data, self.recipe.kind),
            self.recipe.train,
        )

    def resume(self) -> bool:
        """Take over the folder's latest snapshot; returns whether there was one.

        Raises:
            ConfigError: it was made by another recipe, or is damaged.
        """
        snapshot = latest_snapshot(self.folder)
        if snapshot is None:
            return False
        tensors, _, state = load_snapshot(snapshot)
        if state["recipe"] != recipe_to_json(self.recipe):
            raise ConfigError(
                f"{snapshot} was made by another recipe; resume with the same puzzle, preset and "
                "seed, or give another folder"
            )
        self.training.restore(tensors, state["training"])
        cut_curve(self.folder, key="step", last=self.training.step)
        self.cpu_s = state["cpu_s"]
        return True

    def run(self, *, until: int | None = None) -> None:
        """Train to a step, the recipe's last if None; a snapshot lies in the folder at the end."""
        last = min(until or self.recipe.train.steps, self.recipe.train.steps)
        self.folder.mkdir(parents=True, exist_ok=True)
        threads = torch.get_num_threads()
        # one thread: more change the order of sums, and gain nothing on nets of this size
        torch.set_num_threads(1)
        try:
            recent: list[Progress] = []
            while self.training.step < last:
                started = time.thread_time()
                recent.append(self.training.advance())
                self.cpu_s += time.thread_time() - started
                done = self.training.step == last
                if done or self.training.step % CURVE_EVERY == 0:
                    self._note(recent)
                    recent = []
                if done or self.training.step % SNAPSHOT_EVERY == 0:
                    self.save()
        finally:
            torch.set_num_threads(threads)

    def save(self) -> None:
        """Write a snapshot; the one before is removed once it is whole."""
        tensors, plain = self.training.state()
        save_snapshot(
            self.folder,
            number=self.training.step,
            tensors=tensors,
            arrays={},
            state={
                "recipe": recipe_to_json(self.recipe),
                "training": plain,
                "cpu_s": self.cpu_s,
            },
        )

    def _note(self, recent: Sequence[Progress]) -> None:
        point = {
            "step": float(self.training.step),
            "cpu_s": round(self.cpu_s, 2),
            "answer_loss": round(float(np.mean([p.answer_loss for p in recent])), 5),
            "halt_loss": round(float(np.mean([p.halt_loss for p in recent])), 5),
            "exact": round(float(np.mean([p.exact for p in recent])), 5),
            "gradient": round(float(np.mean([p.gradient for p in recent])), 5),
        }
        add_to_curve(self.folder, point)
        if self.watch is not None:
            self.watch(point)


def recipe_to_json(recipe: Recipe) -> dict[str, Any]:
    """Return the recipe as plain JSON values."""
    plain: dict[str, Any] = json.loads(json.dumps({**asdict(recipe), "net": recipe.net.to_json()}))
    return plain
