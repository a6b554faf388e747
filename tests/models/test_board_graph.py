from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from tests.boards import SMALL
from trimtab.inference import open_session
from trimtab.models.board_graph import build_board_graph
from trimtab.models.graph import BoardGraph
from trimtab.models.policy_value import PolicyValueConfig, PolicyValueNet


@pytest.mark.parametrize("rows", [1, 5])
@pytest.mark.parametrize(
    "config",
    [
        replace(SMALL, channels=16, head_channels=16),
        replace(SMALL, channels=48, blocks=1, value_hidden=5),
        replace(SMALL, height=5, width=5, actions=25, line_length=0),
        replace(SMALL, planes=3, line_length=3),
    ],
)
def test_graph_answers_as_torch_does_whatever_the_sizes(
    config: PolicyValueConfig, rows: int
) -> None:
    torch.manual_seed(0)
    net = PolicyValueNet(config).eval()
    with torch.no_grad():
        for parameter in net.parameters():
            parameter.normal_(std=0.2)
    session = open_session(BoardGraph(config).filled(dict(net.named_parameters())))
    x = torch.randint(2, (rows, *config.observation_shape)).float()
    x[:, 1] *= 1.0 - x[:, 0]
    legal = torch.ones(rows, config.actions)
    legal[:, 0] = 0.0
    with torch.inference_mode():
        expected = net(x, legal)
    found = session.run(None, {"observation": x.numpy(), "legal": legal.numpy()})
    for ours, torchs in zip(found, expected, strict=True):
        np.testing.assert_allclose(ours, torchs.numpy(), atol=1e-4)


def test_graph_holds_every_weight_of_the_net() -> None:
    names = {name for name, _ in PolicyValueNet(SMALL).named_parameters()}
    slots = {slot.name for slot in build_board_graph(SMALL).graph.initializer}
    assert names <= slots
