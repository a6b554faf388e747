from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch.nn import functional

from tests.boards import SMALL, boards
from trimtab.errors import ConfigError
from trimtab.models.policy_value import (
    LineCounts,
    PolicyValueConfig,
    PolicyValueNet,
    board_lines,
)


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("blocks", 20, "blocks=20"),
        ("blocks", 0, "blocks=0"),
        ("channels", 12, "channels=12"),
        ("actions", 0, "actions=0"),
        ("planes", 1, "planes=1"),
        ("height", 6.5, "height=6.5"),
    ],
)
def test_unusable_size_is_refused_by_name(field: str, value: object, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        replace(SMALL, **{field: value})


def test_sizes_survive_json() -> None:
    assert PolicyValueConfig.from_json(SMALL.to_json()) == SMALL
    with pytest.raises(ConfigError, match="has not the fields"):
        PolicyValueConfig.from_json({"planes": 2})


def test_deepest_net_answers() -> None:
    net = PolicyValueNet(replace(SMALL, blocks=19)).eval()
    priors, values = net(boards(2), torch.ones(2, 7))
    assert torch.isfinite(priors).all()
    assert torch.isfinite(values).all()


def test_illegal_actions_get_no_probability() -> None:
    legal = torch.tensor([[1, 0, 1, 0, 1, 0, 1], [0, 0, 0, 1, 0, 0, 0]], dtype=torch.float32)
    priors, values = PolicyValueNet(SMALL)(boards(2), legal)
    assert (priors[legal == 0] == 0.0).all()
    torch.testing.assert_close(priors.sum(dim=1), torch.ones(2))
    assert (values.abs() <= 1.0).all()


def test_gradient_reaches_every_parameter() -> None:
    torch.manual_seed(0)
    net = PolicyValueNet(SMALL)
    policy, value = net.logits(boards(16))
    loss = functional.cross_entropy(policy, torch.arange(16) % 7)
    loss = loss + functional.binary_cross_entropy_with_logits(value, torch.rand(16))
    loss.backward()
    silent = [
        name for name, p in net.named_parameters() if p.grad is None or not p.grad.abs().sum() > 0.0
    ]
    assert silent == []


def test_answer_does_not_depend_on_the_batch() -> None:
    net, legal = PolicyValueNet(SMALL).eval(), torch.ones(8, 7)
    together = net(boards(8), legal)
    alone = net(boards(8)[3:4], legal[3:4])
    torch.testing.assert_close(together[0][3:4], alone[0], rtol=0.0, atol=1e-6)
    torch.testing.assert_close(together[1][3:4], alone[1], rtol=0.0, atol=1e-6)


def test_board_of_four_in_a_row_has_69_lines() -> None:
    assert len(board_lines(6, 7, 4)) == 69
    assert [0, 8, 16, 24] in board_lines(6, 7, 4)
    assert board_lines(3, 3, 4) == []


def test_line_counts_are_those_counted_by_hand() -> None:
    x = boards(20, seed=1)
    counted = LineCounts(6, 7, 4)(x).view(20, 2, 3, 42)
    for board, found in zip(x.flatten(2).numpy().astype(bool), counted.numpy(), strict=True):
        free = ~board.any(axis=0)
        expected = np.zeros((2, 3, 42))
        for line in board_lines(6, 7, 4):
            for player in (0, 1):
                if board[1 - player, line].any():
                    continue
                for stones in range(1, 1 + min(3, board[player, line].sum())):
                    expected[player, stones - 1, line] += 0.5
        np.testing.assert_allclose(found, expected * free, atol=1e-6)


def test_line_counts_of_the_mirrored_board_are_mirrored() -> None:
    lines, x = LineCounts(6, 7, 4), boards(4)
    torch.testing.assert_close(lines(x.flip(3)), lines(x).flip(3))
