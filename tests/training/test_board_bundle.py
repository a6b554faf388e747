from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load as load_weights

from tests.boards import GAME, SMALL, rows
from trimtab.agents.board_net import BoardNet, observe_rows
from trimtab.errors import BundleError
from trimtab.models.graph import BoardGraph
from trimtab.models.policy_value import PolicyValueConfig, PolicyValueNet
from trimtab.records import Bundle
from trimtab.release.bundle import load
from trimtab.stats.intervals import proportion
from trimtab.training.board_bundle import WEIGHTS, Effort, pack_board_net
from trimtab.training.learner import LearnConfig
from trimtab.training.recipes import TrainConfig
from trimtab.training.self_play import SelfPlayConfig

CONFIG = TrainConfig(net=SMALL, learn=LearnConfig(), play=SelfPlayConfig(), iterations=9, seed=6)


def packed(folder: Path, seed: int = 0) -> Bundle:
    torch.manual_seed(seed)
    weights = dict(PolicyValueNet(SMALL).named_parameters())
    return pack_board_net(
        folder,
        graph=BoardGraph(SMALL).filled(weights),
        weights=weights,
        game="connect_four",
        config=CONFIG,
        effort=Effort(cpu_s=120.0, wall_s=600.0, games=1234, iterations=9),
        rates={"net_middle": proportion(3, 60)},
        command="trimtab train connect-four --preset smoke",
    )


def test_graph_and_weights_of_a_bundle_answer_alike(tmp_path: Path) -> None:
    packed(tmp_path / "net")
    bundle = load(tmp_path / "net", domain="connect_four")
    net = PolicyValueNet(PolicyValueConfig.from_json(bundle.spec["net"])).eval()
    net.load_state_dict(load_weights(bundle.read(WEIGHTS)))
    texts = rows("start", "4444", "1122")
    observations, legal = observe_rows(GAME, texts)
    with torch.inference_mode():
        priors, values = net(torch.from_numpy(observations), torch.from_numpy(legal))
    found = BoardNet.from_bundle(bundle, GAME).evaluate(texts)
    np.testing.assert_allclose(found[0], priors.numpy(), atol=1e-4)
    np.testing.assert_allclose(found[1], values.numpy(), atol=1e-4)


def test_card_says_what_was_measured_and_how_it_was_made(tmp_path: Path) -> None:
    bundle = packed(tmp_path / "net")
    card = (tmp_path / "net" / "card.md").read_text(encoding="utf-8")
    for said in (
        "| net_middle | 0.0500 | 0.0171 to 0.1370 | 60 |",
        "`trimtab train connect-four --preset smoke`",
        "9 iterations, 1,234 games, seed 6, 2.0 processor minutes in 10 minutes",
        "| search_simulations | 24 |",
        "| shard_games | 256 |",
    ):
        assert said in card
    assert bundle.metrics["net_middle"] == 0.05


def test_another_net_is_not_written_over_the_first(tmp_path: Path) -> None:
    packed(tmp_path / "net")
    with pytest.raises(BundleError, match="holds another bundle"):
        packed(tmp_path / "net", seed=1)
