"""Fits a policy-value net to samples, and keeps an average of its weights.

Sources: Loshchilov & Hutter 2019, "Decoupled weight decay regularization" (arXiv 1711.05101);
Polyak & Juditsky 1992, "Acceleration of stochastic approximation by averaging" (the average here
is exponential). B is the batch, A the actions.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from trimtab.datasets.replay_buffer import Samples, Symmetry
from trimtab.errors import ConfigError
from trimtab.models.policy_value import PolicyValueConfig, PolicyValueNet

MASKED = -1e9


@dataclass(frozen=True, slots=True, kw_only=True)
class LearnConfig:
    """How a net is fitted.

    Attributes:
        batch: samples of one step.
        rate: learning rate at full height.
        weight_decay: of AdamW.
        value_weight: of the value's loss beside the policy's.
        average: share of the weights' average that survives one step.
        bfloat16: whether the tower runs in bfloat16; faster only on processors that have it.
    """

    batch: int = 256
    rate: float = 2e-3
    weight_decay: float = 1e-4
    value_weight: float = 1.0
    average: float = 0.99
    bfloat16: bool = False

    def __post_init__(self) -> None:
        if self.batch < 2:
            raise ConfigError(f"batch={self.batch} is under 2; give 64 to 1,024")
        if not 0.0 < self.rate < 1.0:
            raise ConfigError(f"rate={self.rate} is not in (0, 1); give about 0.002")
        if not 0.0 <= self.average < 1.0:
            raise ConfigError(f"average={self.average} is not in [0, 1); give about 0.99")
        for name in ("weight_decay", "value_weight"):
            if not getattr(self, name) >= 0.0:
                raise ConfigError(f"{name}={getattr(self, name)} is negative")


@dataclass(frozen=True, slots=True)
class Fit:
    """Mean losses over the steps of a fit, or over the samples of a validation."""

    policy_loss: float
    value_loss: float
    entropy: float


class Learner:
    """A net, its optimiser and the average of its weights; one thread, deterministic in its draws.

    Args:
        net: sizes of the net.
        config: how it is fitted.
        symmetry: half of each batch is seen through it.
        seed: of the initial weights.
    """

    def __init__(
        self, net: PolicyValueConfig, config: LearnConfig, symmetry: Symmetry, *, seed: int
    ) -> None:
        self.config = config
        self.symmetry = symmetry
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self.net = PolicyValueNet(net)
        self.average = {name: p.detach().clone() for name, p in self.net.named_parameters()}
        self.steps = 0
        self._optimiser = torch.optim.AdamW(
            self.net.parameters(), lr=config.rate, weight_decay=config.weight_decay
        )

    def fit(
        self,
        samples: Samples,
        counts: NDArray[np.int64],
        *,
        steps: int,
        rate: float,
        rng: np.random.Generator,
    ) -> Fit:
        """Take a number of steps and return the mean losses.

        Args:
            samples: one row per position.
            counts: `[N]` how often each was seen; it is drawn in proportion to the square root.
            steps: how many.
            rate: share of the configured learning rate.
            rng: of the draws.
        """
        chances = np.sqrt(counts)
        chances /= chances.sum()
        for group in self._optimiser.param_groups:
            group["lr"] = self.config.rate * rate
        self.net.train()
        sums = np.zeros(3)
        drawn = rng.choice(len(samples), size=(steps, self.config.batch), p=chances)
        for rows in drawn:
            batch = samples.take(rows)
            turned = rng.random(len(rows)) < 0.5
            sums += self._step(_turn(batch, turned, self.symmetry))
        return Fit(*(sums / max(steps, 1)).tolist())

    def validate(self, samples: Samples) -> Fit:
        """Return the mean losses of the averaged weights; NaN without samples."""
        if not len(samples):
            return Fit(float("nan"), float("nan"), float("nan"))
        averaged = PolicyValueNet(self.net.config)
        averaged.load_state_dict(self.average)
        averaged.eval()
        sums = np.zeros(3)
        with torch.inference_mode():
            for start in range(0, len(samples), 1024):
                part = samples.take(np.arange(start, min(start + 1024, len(samples))))
                losses = self._losses(averaged, part)
                sums += [float(loss) * len(part) for loss in losses]
        return Fit(*(sums / len(samples)).tolist())

    def state(self) -> dict[str, Tensor]:
        """Return weights, average and optimiser as named tensors, for :meth:`restore`."""
        tensors = {f"net.{name}": p.detach() for name, p in self.net.named_parameters()}
        tensors |= {f"average.{name}": p for name, p in self.average.items()}
        for name, p in self.net.named_parameters():
            for key, value in self._optimiser.state.get(p, {}).items():
                tensors[f"optimiser.{name}.{key}"] = value
        return tensors | {"steps": torch.tensor(self.steps)}

    def restore(self, tensors: Mapping[str, Tensor]) -> None:
        """Take over what :meth:`state` returned."""
        with torch.no_grad():
            for name, p in self.net.named_parameters():
                p.copy_(tensors[f"net.{name}"])
                self.average[name] = tensors[f"average.{name}"].clone()
                prefix = f"optimiser.{name}."
                kept = {k[len(prefix) :]: v for k, v in tensors.items() if k.startswith(prefix)}
                if kept:
                    self._optimiser.state[p] = {key: value.clone() for key, value in kept.items()}
        self.steps = int(tensors["steps"])

    def _step(self, batch: Samples) -> tuple[float, float, float]:
        policy, value, entropy = self._losses(self.net, batch)
        self._optimiser.zero_grad(set_to_none=True)
        loss = policy + self.config.value_weight * value
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(self.net.parameters(), 5.0)
        self._optimiser.step()
        self.steps += 1
        # the first steps would otherwise be averaged with untrained weights for long
        keep = min(self.config.average, (self.steps + 1) / (self.steps + 10))
        with torch.no_grad():
            for name, p in self.net.named_parameters():
                # never in place: whoever took the average before keeps what it took
                self.average[name] = torch.lerp(self.average[name], p.detach(), 1.0 - keep)
        return float(policy.detach()), float(value.detach()), float(entropy)

    def _losses(self, net: PolicyValueNet, batch: Samples) -> tuple[Tensor, Tensor, Tensor]:
        """Return cross-entropy of policy and value, and the entropy of the net's policy."""
        observation = torch.from_numpy(batch.observations.astype(np.float32))
        with torch.autocast("cpu", torch.bfloat16, enabled=self.config.bfloat16):
            logits, value = net.logits(observation)
        legal = torch.from_numpy(batch.legal).bool()
        logs = torch.log_softmax(logits.float().masked_fill(~legal, MASKED), dim=1)
        target = torch.from_numpy(batch.policies)
        policy_loss = -(target * logs.masked_fill(~legal, 0.0)).sum(dim=1).mean()
        score = 0.5 + 0.5 * torch.from_numpy(batch.values)
        value_loss = functional.binary_cross_entropy_with_logits(value.float(), score)
        entropy = -(logs.exp() * logs).sum(dim=1).mean().detach()
        return policy_loss, value_loss, entropy


def _turn(batch: Samples, turned: NDArray[np.bool_], symmetry: Symmetry) -> Samples:
    """Return the batch with the chosen samples as the symmetry shows them."""
    rows = np.where(turned, len(batch), 0) + np.arange(len(batch))
    return Samples.joined([batch, symmetry.image(batch)]).take(rows)
