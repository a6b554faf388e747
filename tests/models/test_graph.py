from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from tests.boards import SMALL, boards
from trimtab.errors import ConfigError
from trimtab.inference import open_session
from trimtab.models.graph import BoardGraph
from trimtab.models.policy_value import PolicyValueNet


@pytest.mark.parametrize("seed", [0, 1])
def test_graph_filled_with_weights_answers_as_torch_does(seed: int) -> None:
    torch.manual_seed(seed)
    net = PolicyValueNet(SMALL).eval()
    session = open_session(BoardGraph(SMALL).filled(dict(net.named_parameters())))
    x, legal = boards(33, seed=seed), torch.ones(33, 7)
    legal[:, seed] = 0.0
    with torch.inference_mode():
        expected = net(x, legal)
    found = session.run(None, {"observation": x.numpy(), "legal": legal.numpy()})
    for ours, torchs in zip(found, expected, strict=True):
        np.testing.assert_allclose(ours, torchs.numpy(), atol=1e-4)


def test_weights_of_another_size_are_refused() -> None:
    wide = PolicyValueNet(replace(SMALL, channels=16))
    with pytest.raises(ConfigError, match="have shape"):
        BoardGraph(SMALL).filled(dict(wide.named_parameters()))
