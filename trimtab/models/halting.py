"""What deep supervision asks of each step: the right answer, and to know whether it is right.

B is the batch, L the positions, V the classes.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

HALT_WEIGHT = 0.5
"""Weight of the halting loss beside the answer's (Jolicoeur-Martineau 2025, section 4.2)."""


@dataclass(frozen=True, slots=True)
class StepLoss:
    """The losses of one supervision step.

    Attributes:
        total: what is minimised, a scalar.
        answer: mean cross-entropy over all positions, a scalar.
        halt: binary cross-entropy of q against ``exact``, a scalar.
        exact: `[B]` whether every position is right.
    """

    total: Tensor
    answer: Tensor
    halt: Tensor
    exact: Tensor


def step_loss(logits: Tensor, q: Tensor, targets: Tensor) -> StepLoss:
    """Return the losses of `[B, L, V]` logits and `[B]` halting logits for `[B, L]` targets.

    Halting is learned from the exact match alone; there is no second pass for a "continue"
    value, which TRM found not to be needed.
    """
    answer = functional.cross_entropy(logits.flatten(0, 1), targets.flatten())
    with torch.no_grad():
        exact = (logits.argmax(-1) == targets).all(dim=1)
    halt = functional.binary_cross_entropy_with_logits(q, exact.to(q.dtype))
    return StepLoss(answer + HALT_WEIGHT * halt, answer, halt, exact)


def finished(q: Tensor, steps: Tensor, *, least: Tensor, most: int) -> Tensor:
    """Return `[B]` whether a puzzle leaves the batch: believed, or out of steps.

    Args:
        q: `[B]` halting logits.
        steps: `[B]` supervision steps so far.
        least: `[B]` steps before which a belief does not count, drawn to explore.
        most: N_sup.
    """
    return (steps >= most) | ((q > 0.0) & (steps >= least))
