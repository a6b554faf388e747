from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from tests.boards import GAME, small_graph
from trimtab.agents.board_net import BoardNet, observe_rows
from trimtab.errors import ConfigError
from trimtab.protocols import ONGOING
from trimtab.search.mcts import MCTSConfig
from trimtab.training.self_play import (
    Job,
    SelfPlayConfig,
    Task,
    play_games,
    play_task,
    random_openings,
    value_targets,
)

CONFIG = SelfPlayConfig(search=MCTSConfig(simulations=8, root="gumbel", noise=1.0), random_plies=30)


def task(**changes: object) -> Task:
    job = Job(seed=(1, 2), games=12, first_game=100)
    return replace(Task("connect_four", small_graph(), CONFIG, job), **changes)  # type: ignore[arg-type]


def test_the_same_task_gives_the_same_samples() -> None:
    first, second = play_task(task()).samples, play_task(task()).samples
    assert_array_equal(first.observations, second.observations)
    assert_array_equal(first.policies, second.policies)
    assert_array_equal(first.values, second.values)


def test_samples_are_what_a_net_can_be_fitted_to() -> None:
    found = play_task(task()).samples
    assert set(np.unique(found.observations)) == {0, 1}
    np.testing.assert_allclose(found.policies.sum(axis=1), 1.0, rtol=1e-5)
    assert (found.policies[found.legal == 0] == 0.0).all()
    assert (np.abs(found.values) <= 1.0).all()
    assert set(found.games) == set(range(100, 112))


def test_every_game_goes_to_its_end_or_to_a_proven_value() -> None:
    net = BoardNet(small_graph(), GAME)
    config = replace(CONFIG, play_on=0.0)
    found, ends = play_games(net.evaluate, GAME, config, games=16, rng=np.random.default_rng(3))
    for positions, end in zip(found, ends, strict=True):
        assert not any(position.proven for position in positions[:-1])
        assert end in (-1.0, 0.0, 1.0)
        if positions[-1].proven:
            assert end == -positions[-1].value


def test_games_that_play_on_reach_the_end_of_the_rules() -> None:
    net = BoardNet(small_graph(), GAME)
    config = replace(CONFIG, play_on=1.0)
    found, ends = play_games(net.evaluate, GAME, config, games=8, rng=np.random.default_rng(4))
    for positions, end in zip(found, ends, strict=True):
        _, legal = observe_rows(GAME, positions[-1].row[None])
        results = []
        for action in np.flatnonzero(legal[0]):
            after = positions[-1].row.copy()
            GAME.play(after, int(action), after)
            results.append(GAME.result(after))
        assert end in results
        assert end != ONGOING


def test_value_targets_pass_the_end_back_with_alternating_signs() -> None:
    targets = value_targets([0.1, 0.2, 0.3], [False] * 3, -1.0, trace=1.0)
    assert targets == [1.0, -1.0, 1.0]


def test_value_targets_without_trace_are_the_searches_own() -> None:
    values = [0.1, -0.2, 0.3]
    assert value_targets(values, [False] * 3, 1.0, trace=0.0) == values


def test_value_targets_stop_at_a_proven_value() -> None:
    # a blunder after the proof changes nothing before it
    for end in (-1.0, 1.0):
        targets = value_targets([0.0, 1.0, 0.0], [False, True, False], end, trace=1.0)
        assert targets[:2] == [-1.0, 1.0]
    mixed = value_targets([0.5, 1.0], [False, True], 0.0, trace=0.8)
    assert mixed == pytest.approx([0.2 * 0.5 - 0.8, 1.0])


def test_openings_are_unfinished_and_of_every_length_asked_for() -> None:
    rows = random_openings(GAME, games=200, most_plies=10, rng=np.random.default_rng(0))
    assert all(GAME.result(row) == ONGOING for row in rows)
    stones = observe_rows(GAME, rows)[0].sum(axis=(1, 2, 3)).astype(int)
    assert set(stones) == set(range(11))


@pytest.mark.parametrize(
    ("name", "value"), [("random_plies", -1), ("trace", 1.5), ("play_on", -0.1)]
)
def test_unusable_setting_is_refused_by_name(name: str, value: float) -> None:
    with pytest.raises(ConfigError, match=name):
        SelfPlayConfig(**{name: value})  # type: ignore[arg-type]
