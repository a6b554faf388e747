"""Adam with an arctangent in place of the division: no epsilon, and the step is bounded."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor

SCALE = 1.27
"""Makes the step as long as Adam's where gradients are steady: 1.27 ≈ 4 / π."""


class AdamATan2(torch.optim.Optimizer):
    """Adam whose update is ``atan2(m, √v)``, with decoupled weight decay.

    Source: Everett et al. 2024, "Scaling Exponents Across Parameterizations and Optimizers"
    (arXiv 2407.05872), section 3.5.

    Args:
        parameters: what to optimise.
        lr: learning rate.
        betas: decay of the first and the second moment.
        weight_decay: share of a weight that is taken away per step and unit of learning rate.
    """

    def __init__(
        self,
        parameters: Iterable[Tensor],
        *,
        lr: float,
        betas: tuple[float, float] = (0.9, 0.95),
        weight_decay: float = 0.1,
    ) -> None:
        super().__init__(parameters, {"lr": lr, "betas": betas, "weight_decay": weight_decay})

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> None:  # type: ignore[override]
        """Update every parameter that has a gradient."""
        for group in self.param_groups:
            first, second = group["betas"]
            for parameter in group["params"]:
                if parameter.grad is None:
                    continue
                state = self.state[parameter]
                if not state:
                    state["step"] = torch.zeros(())
                    state["m"] = torch.zeros_like(parameter)
                    state["v"] = torch.zeros_like(parameter)
                state["step"] += 1
                count = float(state["step"])
                state["m"].lerp_(parameter.grad, 1.0 - first)
                state["v"].lerp_(parameter.grad.square(), 1.0 - second)
                mean = state["m"] / (1.0 - first**count)
                spread = (state["v"] / (1.0 - second**count)).sqrt_()
                parameter.mul_(1.0 - group["lr"] * group["weight_decay"])
                parameter.sub_(torch.atan2(mean, spread), alpha=SCALE * group["lr"])
