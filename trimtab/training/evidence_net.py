"""The recursive core as a selector of evidence: a softmax over passages instead of over classes.

B is the batch, L the question and its passages, E the inputs of each, D the width.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from trimtab.agents.evidence import FUSED, PRESENT, QUESTION
from trimtab.errors import ConfigError
from trimtab.models.recursive import RecursiveConfig, RecursiveNet

FUSED_WEIGHT = 8.0
"""Start of the fused score's weight in the logits; what a fit on scores alone gives."""
_ABSENT = -1e4


class EvidenceNet(RecursiveNet):
    """Starts from the order of the fused scores and learns what to change in it.

    The question's own place stands for "none of them".
    """

    def __init__(self, config: RecursiveConfig) -> None:
        if config.outputs != 1:
            raise ConfigError(f"outputs={config.outputs}; a selector gives 1 logit per passage")
        super().__init__(config)
        self.fused_weight = nn.Parameter(torch.tensor(FUSED_WEIGHT))

    def forward(self, x: Tensor, y: Tensor, z: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Return (y, z, logits, q) after one supervision step.

        Args:
            x: `[B, L, E]` of :func:`trimtab.agents.evidence.evidence_inputs`.
            y: `[B, L, D]` answer so far.
            z: `[B, L, D]` latent reasoning so far.

        Returns:
            The new y and z, `[B, 1, L]` logits over the passages, and `[B]` log-odds q that the
            largest of them is right.
        """
        y, z, logits, q = super().forward(x, y, z)
        scores = logits.squeeze(-1) + self.fused_weight * x[..., FUSED]
        absent = x[..., PRESENT] + x[..., QUESTION] == 0.0
        return y, z, scores.masked_fill(absent, _ABSENT).unsqueeze(1), q
