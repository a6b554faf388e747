from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from tests.boards import SMALL
from trimtab.errors import ConfigError
from trimtab.search.mcts import MCTSConfig
from trimtab.training.learner import LearnConfig
from trimtab.training.recipes import TrainConfig
from trimtab.training.self_play import SelfPlayConfig
from trimtab.training.snapshots import latest_snapshot, read_curve
from trimtab.training.trainer import Trainer

TINY = TrainConfig(
    net=SMALL,
    learn=LearnConfig(batch=16, average=0.9),
    play=SelfPlayConfig(
        search=MCTSConfig(simulations=4, root="gumbel", noise=1.0), random_plies=30
    ),
    iterations=3,
    shards=2,
    shard_games=6,
    window=2,
    snapshot_every=1,
    measure_every=2,
    validation_every=4,
    ahead=True,
)


def trained(config: TrainConfig, folder: Path, *, processes: int = 1) -> Trainer:
    trainer = Trainer(config, game="connect_four", folder=folder, processes=processes)
    trainer.resume()
    trainer.run()
    return trainer


def assert_equal(one: Trainer, other: Trainer) -> None:
    for name, tensor in one.learner.state().items():
        assert tensor.equal(other.learner.state()[name]), name
    ours, theirs = one.buffer.arrays(), other.buffer.arrays()
    assert all((ours[name] == theirs[name]).all() for name in ours)


@pytest.mark.parametrize("ahead", [True, False])
def test_resumed_run_equals_one_that_was_never_stopped(tmp_path: Path, ahead: bool) -> None:
    config = replace(TINY, ahead=ahead, decay_from=1.0)
    whole = trained(config, tmp_path / "whole")
    trained(replace(config, iterations=2), tmp_path / "parts")
    parts = trained(config, tmp_path / "parts")
    assert_equal(whole, parts)
    assert whole.graph() == parts.graph()
    figures = ("iteration", "games", "policy_loss", "value_loss", "entropy", "proven")
    one, other = (
        [[point[name] for name in figures] for point in read_curve(tmp_path / name)]
        for name in ("whole", "parts")
    )
    assert one == other


def test_number_of_processes_does_not_change_the_net(tmp_path: Path) -> None:
    one = trained(replace(TINY, iterations=2), tmp_path / "one")
    two = trained(replace(TINY, iterations=2), tmp_path / "two", processes=2)
    assert_equal(one, two)
    assert two.cpu_s > 0.0


def test_weights_move_and_the_threads_of_torch_are_left_alone(tmp_path: Path) -> None:
    threads = torch.get_num_threads()
    fresh = Trainer(TINY, game="connect_four", folder=tmp_path / "fresh").learner
    moved = trained(replace(TINY, iterations=1), tmp_path / "moved").learner
    assert all(not moved.average[name].equal(p) for name, p in fresh.average.items())
    assert torch.get_num_threads() == threads


def test_only_the_last_snapshot_is_kept_and_points_after_it_are_dropped(tmp_path: Path) -> None:
    trained(replace(TINY, iterations=2), tmp_path)
    snapshot = latest_snapshot(tmp_path)
    assert snapshot is not None
    assert [path.name for path in tmp_path.glob("snapshot-*")] == ["snapshot-000002"]
    with (tmp_path / "curve.jsonl").open("a", encoding="utf-8") as stream:
        stream.write(json.dumps({"iteration": 3}) + "\n")
    assert Trainer(TINY, game="connect_four", folder=tmp_path).resume()
    assert [point["iteration"] for point in read_curve(tmp_path)] == [1, 2]


def test_snapshot_of_another_recipe_is_refused(tmp_path: Path) -> None:
    trained(replace(TINY, iterations=1), tmp_path)
    other = Trainer(replace(TINY, seed=1), game="connect_four", folder=tmp_path)
    with pytest.raises(ConfigError, match="another recipe"):
        other.resume()


def test_damaged_snapshot_is_refused(tmp_path: Path) -> None:
    trained(replace(TINY, iterations=1), tmp_path)
    snapshot = latest_snapshot(tmp_path)
    assert snapshot is not None
    (snapshot / "learner.safetensors").write_bytes(b"broken")
    with pytest.raises(ConfigError, match="cannot be resumed from"):
        Trainer(TINY, game="connect_four", folder=tmp_path).resume()


def test_net_of_another_board_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="does not fit connect_four"):
        Trainer(replace(TINY, net=replace(SMALL, actions=9)), game="connect_four", folder=tmp_path)
