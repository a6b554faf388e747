"""Small nets and boards that tests of several packages share."""

from __future__ import annotations

import functools

import numpy as np
import torch

from trimtab.datasets.replay_buffer import Samples
from trimtab.domains.connect_four import ConnectFour
from trimtab.models.graph import BoardGraph
from trimtab.models.policy_value import PolicyValueConfig, PolicyValueNet
from trimtab.protocols import Words

SMALL = PolicyValueConfig(
    planes=2, height=6, width=7, actions=7, channels=8, blocks=2, line_length=4, head_channels=2
)
GAME = ConnectFour().compiled


def boards(count: int, seed: int = 0) -> torch.Tensor:
    """Return `[count, 2, 6, 7]` boards of which a third is free."""
    owner = np.random.default_rng(seed).integers(3, size=(count, 6, 7))
    return torch.from_numpy(np.stack([owner == 0, owner == 1], axis=1).astype(np.float32))


def rows(*texts: str) -> Words:
    """Return `[B, 2]` words of positions given as move strings."""
    game = ConnectFour()
    return np.stack([GAME.encode(game.from_text(text)) for text in texts])


@functools.cache
def small_graph(seed: int = 0) -> bytes:
    """Return the ONNX graph of a small untrained net."""
    torch.manual_seed(seed)
    return BoardGraph(SMALL).filled(dict(PolicyValueNet(SMALL).named_parameters()))


def samples(count: int, seed: int = 0) -> Samples:
    """Return random boards with random targets, each from a game of its own."""
    rng = np.random.default_rng(seed)
    policies = rng.dirichlet(np.ones(7), size=count).astype(np.float32)
    return Samples(
        observations=boards(count, seed).numpy().astype(np.uint8),
        legal=np.ones((count, 7), np.uint8),
        policies=policies,
        values=rng.uniform(-1.0, 1.0, count).astype(np.float32),
        games=np.arange(count),
    )
