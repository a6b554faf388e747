"""Trains recursive nets by deep supervision: one optimiser step per supervision step.

Sources: Jolicoeur-Martineau 2025 (arXiv 2510.04871), section 4; Wang et al. 2025 (arXiv
2506.21734), section 2.3. A batch holds puzzles at different steps: one that is finished is
replaced by a new one, with the carry that every puzzle begins with. B is the batch, L the cells.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from trimtab.errors import ConfigError
from trimtab.models.halting import finished, step_loss
from trimtab.models.recursive import RecursiveNet
from trimtab.training.adam_atan2 import AdamATan2


class Sampler(Protocol):
    """Draws puzzles without end."""

    def draw(self, n: int, rng: np.random.Generator) -> tuple[NDArray[Any], NDArray[np.int64]]:
        """Return `[n, L]` (or `[n, L, D]`) inputs and `[n, L]` targets."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainConfig:
    """The recipe.

    Attributes:
        steps: optimiser steps.
        batch: B.
        lr: peak learning rate.
        floor: share of the peak at the end of the cosine.
        warmup: steps of linear warm-up.
        betas: of the optimiser.
        weight_decay: decoupled.
        clip: largest norm of the gradient.
        ema: decay of the averaged weights, which are the ones that are kept.
        supervision: N_sup, the most steps on one puzzle.
        exploration: share of puzzles that must run a random number of steps.
        seed: of the weights, the puzzles and the exploration.
        bfloat16: whether the nets run in bfloat16; 1.8 times as fast on processors that have it.
    """

    steps: int
    batch: int = 64
    lr: float = 2e-3
    floor: float = 0.05
    warmup: int = 100
    betas: tuple[float, float] = (0.9, 0.95)
    weight_decay: float = 0.1
    clip: float = 1.0
    ema: float = 0.995
    supervision: int = 8
    exploration: float = 0.1
    seed: int = 0
    bfloat16: bool = False

    def __post_init__(self) -> None:
        for name in ("steps", "batch", "supervision"):
            if getattr(self, name) < 1:
                raise ConfigError(f"{name}={getattr(self, name)} must be at least 1")
        for name in ("ema", "exploration", "floor"):
            if not 0.0 <= getattr(self, name) <= 1.0:
                raise ConfigError(f"{name}={getattr(self, name)} is not in [0, 1]")

    def rate(self, step: int) -> float:
        """Return the learning rate of a step: linear warm-up, then a cosine to the floor."""
        if step < self.warmup:
            return self.lr * (step + 1) / self.warmup
        done = min(1.0, (step - self.warmup) / max(1, self.steps - self.warmup))
        return self.lr * (self.floor + (1.0 - self.floor) * 0.5 * (1.0 + math.cos(math.pi * done)))


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """One optimiser step: the losses, the share of exact answers, and the gradient's norm."""

    step: int
    answer_loss: float
    halt_loss: float
    exact: float
    gradient: float


class DeepSupervision:
    """A training run that can be stopped after any step and resumed bit for bit.

    Args:
        net: trained in place.
        sampler: draws the puzzles.
        config: the recipe.
    """

    def __init__(self, net: RecursiveNet, sampler: Sampler, config: TrainConfig) -> None:
        self.net = net
        self.config = config
        self.averaged = copy.deepcopy(net).eval().requires_grad_(False)
        self.step = 0
        self._sampler = sampler
        self._rng = np.random.default_rng(config.seed)
        self._optimizer = AdamATan2(
            net.parameters(), lr=config.lr, betas=config.betas, weight_decay=config.weight_decay
        )
        x, targets = sampler.draw(config.batch, self._rng)
        self._x, self._targets = torch.from_numpy(x), torch.from_numpy(targets)
        self._y, self._z = (part.detach() for part in net.carry(config.batch))
        self._steps = torch.zeros(config.batch, dtype=torch.int64)
        self._least = self._explore(config.batch)

    def advance(self) -> Progress:
        """Run one optimiser step."""
        config = self.config
        for group in self._optimizer.param_groups:
            group["lr"] = config.rate(self.step)
        self.net.train()
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=config.bfloat16):
            y, z, logits, q = self.net(self._x, self._y, self._z)
        loss = step_loss(logits.float(), q.float(), self._targets)
        self._optimizer.zero_grad(set_to_none=True)
        loss.total.backward()  # type: ignore[no-untyped-call]
        norm = torch.nn.utils.clip_grad_norm_(self.net.parameters(), config.clip)
        self._optimizer.step()
        self.step += 1
        self._average()
        self._y, self._z = y.detach().float(), z.detach().float()
        self._steps += 1
        self._replace(finished(q.detach(), self._steps, least=self._least, most=config.supervision))
        return Progress(
            step=self.step,
            answer_loss=float(loss.answer.detach()),
            halt_loss=float(loss.halt.detach()),
            exact=float(loss.exact.float().mean()),
            gradient=float(norm),
        )

    def state(self) -> tuple[dict[str, Tensor], dict[str, Any]]:
        """Return all that a resumed run needs: tensors by name, and plain JSON values."""
        tensors = {f"net.{name}": value for name, value in self.net.state_dict().items()}
        tensors |= {f"ema.{name}": value for name, value in self.averaged.state_dict().items()}
        for number, parameter in enumerate(self.net.parameters()):
            for name, value in self._optimizer.state.get(parameter, {}).items():
                tensors[f"optimizer.{number}.{name}"] = value
        tensors |= {name: getattr(self, f"_{name}") for name in _BATCH}
        plain = {"step": self.step, "rng": self._rng.bit_generator.state}
        return {name: value.clone().contiguous() for name, value in tensors.items()}, plain

    def restore(self, tensors: Mapping[str, Tensor], plain: Mapping[str, Any]) -> None:
        """Continue where :meth:`state` was taken; the run is then the uninterrupted one."""
        self.net.load_state_dict(_within(tensors, "net."))
        self.averaged.load_state_dict(_within(tensors, "ema."))
        for number, parameter in enumerate(self.net.parameters()):
            kept = _within(tensors, f"optimizer.{number}.")
            if kept:
                self._optimizer.state[parameter] = {k: v.clone() for k, v in kept.items()}
        for name in _BATCH:
            setattr(self, f"_{name}", tensors[name].clone())
        self.step = int(plain["step"])
        self._rng.bit_generator.state = plain["rng"]

    def _explore(self, n: int) -> Tensor:
        """Return `[n]` least numbers of steps."""
        explores = self._rng.random(n) < self.config.exploration
        drawn = self._rng.integers(2, max(3, self.config.supervision + 1), size=n)
        return torch.from_numpy(np.where(explores, drawn, 1).astype(np.int64))

    def _replace(self, done: Tensor) -> None:
        """Put new puzzles in the place of finished ones, after the optimiser's step."""
        rows = torch.nonzero(done).squeeze(-1)
        if not len(rows):
            return
        x, targets = self._sampler.draw(len(rows), self._rng)
        self._x[rows] = torch.from_numpy(x)
        self._targets[rows] = torch.from_numpy(targets)
        self._y[rows], self._z[rows] = (part.detach() for part in self.net.carry(len(rows)))
        self._steps[rows] = 0
        self._least[rows] = self._explore(len(rows))

    @torch.no_grad()
    def _average(self) -> None:
        # warm-up: otherwise the first minute's average is the untrained net
        decay = min(self.config.ema, (1 + self.step) / (10 + self.step))
        for kept, now in zip(self.averaged.parameters(), self.net.parameters(), strict=True):
            kept.lerp_(now, 1.0 - decay)


_BATCH = ("x", "targets", "y", "z", "steps", "least")


def _within(tensors: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {
        name.removeprefix(prefix): value
        for name, value in tensors.items()
        if name.startswith(prefix)
    }
