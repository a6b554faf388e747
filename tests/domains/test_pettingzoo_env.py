"""Domains as PettingZoo environments, by the library's own test and by what it leaves open."""

from __future__ import annotations

import numpy as np
import pytest
from pettingzoo.test import api_test

from trimtab.domains.connect_four import ConnectFour
from trimtab.domains.environments import BoardGame, pettingzoo_env
from trimtab.domains.hex import Hex
from trimtab.errors import ConfigError, IllegalAction


# advice, not a rule: an empty board has no stone, so its planes are all zeros
@pytest.mark.filterwarnings("ignore:Observation numpy array is all zeros")
@pytest.mark.parametrize("domain", [ConnectFour(), Hex(3)], ids=repr)
@pytest.mark.parametrize("render_mode", ["ansi", None])
def test_the_library_s_own_test_passes(
    domain: BoardGame[object], render_mode: str | None, capsys: pytest.CaptureFixture[str]
) -> None:
    api_test(pettingzoo_env(domain, render_mode=render_mode), num_cycles=200)
    assert "Passed API test" in capsys.readouterr().out


def test_the_winner_is_rewarded_and_the_loser_pays() -> None:
    env = pettingzoo_env(ConnectFour(), render_mode="ansi")
    env.reset(seed=0)
    for column in "1122334":
        env.step(int(column) - 1)
    assert env.rewards == {"player_0": 1.0, "player_1": -1.0}
    assert all(env.terminations.values())
    assert str(env.render()).endswith("X has won")
    for _ in range(2):
        env.step(None)
    assert env.agents == []


def test_only_the_agent_to_move_has_legal_actions() -> None:
    env = pettingzoo_env(ConnectFour())
    env.reset()
    for _ in range(6):
        env.step(3)
    assert env.infos["player_0"]["action_mask"].tolist() == [1, 1, 1, 0, 1, 1, 1]
    assert env.infos["player_1"]["action_mask"].sum() == 0
    assert env.render() is None


def test_an_illegal_action_changes_nothing() -> None:
    env = pettingzoo_env(ConnectFour())
    env.reset()
    for _ in range(6):
        env.step(3)
    before = env.observe("player_0")
    with pytest.raises(IllegalAction, match="column 3 is full"):
        env.step(3)
    assert env.agent_selection == "player_0"
    assert np.array_equal(env.observe("player_0"), before)


def test_another_render_mode_is_refused() -> None:
    with pytest.raises(ConfigError, match="use 'ansi' or None"):
        pettingzoo_env(ConnectFour(), render_mode="human")
