"""Self-play and fitting in turns: a net teaches itself, resumable after any snapshot.

Source: Silver et al. 2018, "A general reinforcement learning algorithm that masters chess, shogi,
and Go through self-play"; the growing window is that of Wu 2019, "Accelerating self-play learning
in Go" (arXiv 1902.10565), section 3. Every draw of an iteration comes from the seed and the
iteration's number alone, so a resumed run takes the same steps as one that was never stopped.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Literal

import numpy as np
import torch

from trimtab.agents.board_net import BoardNet
from trimtab.datasets.replay_buffer import ReplayBuffer, Samples
from trimtab.errors import ConfigError
from trimtab.models.graph import BoardGraph
from trimtab.search.executors import Executor, open_executor
from trimtab.training.board_games import board_game
from trimtab.training.learner import Fit, Learner
from trimtab.training.recipes import TrainConfig
from trimtab.training.self_play import Episodes, Job, Task, play_task
from trimtab.training.snapshots import (
    add_to_curve,
    cut_curve,
    latest_snapshot,
    load_snapshot,
    save_snapshot,
)

Point = Mapping[str, float]
Measure = Callable[[BoardNet], Mapping[str, float]]
Watch = Callable[[Point], None]


class Trainer:
    """One run in a folder: ``curve.jsonl``, and the latest snapshot.

    Args:
        config: the recipe.
        game: name of the domain that is played.
        folder: of the run.
        processes: that play; 1 plays in this one. The result does not depend on it.
        measure: called with the net every ``measure_every`` iterations and after the last; its
            figures go into the curve.
        watch: called with every point of the curve.

    Raises:
        ConfigError: the net's sizes are not those of the game.
    """

    def __init__(
        self,
        config: TrainConfig,
        *,
        game: str,
        folder: Path,
        processes: int = 1,
        measure: Measure | None = None,
        watch: Watch | None = None,
    ) -> None:
        board = board_game(game)
        self.game = board.game
        if (*config.net.observation_shape, config.net.actions) != (
            *self.game.observation_shape,
            self.game.num_actions,
        ):
            raise ConfigError(
                f"net={config.net.to_json()} does not fit {game}, which shows "
                f"{self.game.observation_shape} and has {self.game.num_actions} actions"
            )
        self.config = config
        self.folder = folder
        self.processes = processes
        self.learner = Learner(config.net, config.learn, board.symmetry, seed=config.seed)
        self.buffer = ReplayBuffer(board.symmetry, validation_every=config.validation_every)
        self.iteration = 0
        self.cpu_s = 0.0
        self.wall_s = 0.0
        self._player = dict(self.learner.average)
        self._measure = measure
        self._watch = watch
        self._graph = BoardGraph(config.net)

    def graph(self) -> bytes:
        """Return the ONNX graph of the averaged weights."""
        return self._graph.filled(self.learner.average)

    def resume(self) -> bool:
        """Take over the latest snapshot of the folder; returns whether there was one.

        Raises:
            ConfigError: it was made by another recipe; only ``iterations`` may differ.
        """
        snapshot = latest_snapshot(self.folder)
        if snapshot is None:
            return False
        tensors, arrays, state = load_snapshot(snapshot)
        asked = {**self.config.to_json(), "iterations": 0}
        if {**state["config"], "iterations": 0} != json.loads(json.dumps(asked)):
            raise ConfigError(
                f"{snapshot} was made by another recipe; resume with the same preset and seed, or "
                f"give another folder"
            )
        self._player = {name: tensors.pop(f"player.{name}") for name in list(self.learner.average)}
        self.learner.restore(tensors)
        self.buffer.restore(arrays)
        self.iteration = state["iteration"]
        self.cpu_s = state["cpu_s"]
        self.wall_s = state["wall_s"]
        cut_curve(self.folder, key="iteration", last=self.iteration)
        return True

    def run(self) -> None:
        """Train to the last iteration; a snapshot lies in the folder at the end."""
        self.folder.mkdir(parents=True, exist_ok=True)
        threads = torch.get_num_threads()
        # more threads change the order of sums, and gain nothing on nets of this size
        torch.set_num_threads(1)
        try:
            self._run()
        finally:
            torch.set_num_threads(threads)

    def save(self) -> None:
        """Write a snapshot; the one before is removed once it is whole."""
        state = {
            "iteration": self.iteration,
            "cpu_s": self.cpu_s,
            "wall_s": self.wall_s,
            "config": self.config.to_json(),
        }
        save_snapshot(
            self.folder,
            number=self.iteration,
            tensors=self.learner.state()
            | {f"player.{name}": t for name, t in self._player.items()},
            arrays=self.buffer.arrays(),
            state=state,
        )

    def _run(self) -> None:
        kind: Literal["serial", "process"] = "process" if self.processes > 1 else "serial"
        with (
            open_executor(kind, workers=self.processes) as executor,
            ThreadPoolExecutor(1) as background,
        ):
            playing: Future[list[Episodes]] | None = None
            while self.iteration < self.config.iterations:
                if playing is None:
                    playing = background.submit(_play, executor, self._tasks(self.iteration))
                playing = self._iterate(playing, executor, background)

    def _iterate(
        self, playing: Future[list[Episodes]], executor: Executor, background: ThreadPoolExecutor
    ) -> Future[list[Episodes]] | None:
        """Fit to the games that are being played; returns those of the next iteration, if begun."""
        began = time.perf_counter()
        episodes = playing.result()
        following = None
        self._player = dict(self.learner.average)
        if self.config.ahead and self.iteration + 1 < self.config.iterations:
            following = background.submit(_play, executor, self._tasks(self.iteration + 1))
        started = time.thread_time()
        fit = self._fit(Samples.joined([part.samples for part in episodes]))
        if not self.config.ahead:
            self._player = dict(self.learner.average)
        self.iteration += 1
        last = self.iteration == self.config.iterations
        # what it takes to measure is no part of the training
        self.cpu_s += time.thread_time() - started + sum(part.cpu_s for part in episodes)
        self.wall_s += time.perf_counter() - began
        point = self._point(episodes, fit, measured=last or self._due("measure_every"))
        add_to_curve(self.folder, point)
        if self._watch is not None:
            self._watch(point)
        if last or self._due("snapshot_every"):
            self.save()
        return following

    def _due(self, name: str) -> bool:
        every: int = getattr(self.config, name)
        return self.iteration % every == 0

    def _tasks(self, iteration: int) -> list[Task]:
        config = self.config
        graph = self._graph.filled(self._player)
        first = iteration * config.shards
        jobs = [
            Job(
                seed=(config.seed, iteration, shard),
                games=config.shard_games,
                first_game=(first + shard) * config.shard_games,
            )
            for shard in range(config.shards)
        ]
        return [Task(self.game.name, graph, config.play, job) for job in jobs]

    def _fit(self, samples: Samples) -> Fit:
        self.buffer.add(samples, keep=self.config.keep(self.iteration))
        train, counts, _ = self.buffer.split()
        return self.learner.fit(
            train,
            counts,
            steps=max(1, round(self.config.reuse * len(samples) / self.config.learn.batch)),
            rate=self.config.rate(self.iteration),
            rng=np.random.default_rng((self.config.seed, self.iteration, self.config.shards)),
        )

    def _point(self, episodes: Sequence[Episodes], fit: Fit, *, measured: bool) -> dict[str, float]:
        samples = sum(len(part.samples) for part in episodes)
        point: dict[str, float] = {
            "iteration": self.iteration,
            "cpu_s": round(self.cpu_s, 2),
            "wall_s": round(self.wall_s, 2),
            "games": self.iteration * self.config.shards * self.config.shard_games,
            "samples": samples,
            "buffer": self.buffer.samples,
            "proven": round(sum(part.proven for part in episodes) / samples, 4),
            "policy_loss": round(fit.policy_loss, 5),
            "value_loss": round(fit.value_loss, 5),
            "entropy": round(fit.entropy, 5),
        }
        if measured:
            _, _, held_out = self.buffer.split()
            held = self.learner.validate(held_out)
            if len(held_out):
                point["validation_policy_loss"] = round(held.policy_loss, 5)
                point["validation_value_loss"] = round(held.value_loss, 5)
            if self._measure is not None:
                point |= self._measure(BoardNet(self.graph(), self.game))
        return point


def _play(executor: Executor, tasks: Sequence[Task]) -> list[Episodes]:
    return list(executor.map(play_task, tasks))
