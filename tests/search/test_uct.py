"""Compiled UCT: tactics, proofs, budgets. ``test_variants`` has the tasks for RAVE."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from tests.search.tictactoe import TicTacToe
from trimtab.errors import ConfigError, InputError, SearchError
from trimtab.protocols import ONGOING, Words
from trimtab.search.uct import UCT, UCTConfig, search_uct

GAME = TicTacToe()
COMPILED = GAME.compiled
PLAIN = UCTConfig(simulations=300)


def _rows(*games: list[int]) -> Words:
    return np.stack([COMPILED.encode(GAME.after(cells)) for cells in games])


def test_a_win_in_one_is_played_and_proven_for_either_side() -> None:
    for seed in range(20):
        result = search_uct(COMPILED, _rows([0, 3, 1, 4], [8, 0, 7, 1, 3]), PLAIN, [seed, seed])
        assert result.action.tolist() == [2, 2]
        assert result.proven.tolist() == [1.0, 1.0]


def test_a_threat_is_blocked_by_either_side() -> None:
    for seed in range(20):
        result = search_uct(COMPILED, _rows([0, 4, 8, 1], [0, 8, 1]), PLAIN, [seed, seed])
        assert result.action.tolist() == [7, 2]


def test_the_only_move_of_a_drawn_position_is_proven() -> None:
    result = search_uct(COMPILED, _rows([0, 4, 8, 1]), replace(PLAIN, simulations=5000), [0])
    assert result.proven[0] == 0.0
    assert result.value[0] == 0.0
    assert result.proven_actions[0, 7] == 0.0
    assert result.policy[0, 7] == 1.0


def test_every_simulation_is_counted_at_the_root() -> None:
    result = search_uct(COMPILED, _rows([]), PLAIN, [0])
    assert result.proven[0] == ONGOING
    assert result.visit_counts.sum() == result.simulations[0] == 300


def test_a_position_does_not_depend_on_the_others() -> None:
    both = search_uct(COMPILED, _rows([4], []), PLAIN, [3, 4])
    alone = search_uct(COMPILED, _rows([]), PLAIN, [4])
    assert both.tree_hash[1] == alone.tree_hash[0]
    assert both.tree_hash[0] != alone.tree_hash[0]


def test_another_seed_gives_another_tree() -> None:
    result = search_uct(COMPILED, _rows([], []), PLAIN, [0, 1])
    assert result.tree_hash[0] != result.tree_hash[1]


def test_the_principal_variation_is_a_legal_line() -> None:
    result = search_uct(COMPILED, _rows([]), PLAIN, [0])
    line = [step.action for step in result.principal_variation(0)]
    assert line[0] == result.action[0]
    GAME.after(line)


def test_a_budget_in_milliseconds_ends_by_the_clock() -> None:
    ticks = iter(range(100))
    config = UCTConfig(simulations=50_000, milliseconds=3_000, c=1e9)
    run = UCT(COMPILED, _rows([])[0], config, 0, clock=lambda: float(next(ticks)))
    assert run.run().simulations[0] == 3_000


@pytest.mark.parametrize(
    "fields", [{"simulations": 0}, {"c": -1.0}, {"milliseconds": -5}, {"rave_bias": float("nan")}]
)
def test_a_setting_out_of_range_is_named(fields: dict[str, float]) -> None:
    with pytest.raises(ConfigError, match=next(iter(fields))):
        replace(PLAIN, **fields)


def test_a_finished_game_and_a_foreign_row_are_refused() -> None:
    with pytest.raises(InputError, match="finished"):
        search_uct(COMPILED, _rows([0, 3, 1, 4, 2]), PLAIN, [0])
    with pytest.raises(InputError, match="rows of shape"):
        search_uct(COMPILED, np.zeros((1, 5), np.uint64), PLAIN, [0])
    with pytest.raises(InputError, match="seeds"):
        search_uct(COMPILED, _rows([]), PLAIN, [-1])


def test_before_the_first_simulation_there_is_no_result() -> None:
    with pytest.raises(SearchError):
        UCT(COMPILED, _rows([])[0], PLAIN, 0).result()
