"""The forest search: what it finds, and what it does with a leaf function that fails."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from tests.search.evaluators import Hashed, Uniform
from tests.search.tictactoe import TicTacToe
from trimtab.errors import ConfigError, InputError, LeafFailed, LeafInvalid, SearchError
from trimtab.protocols import ONGOING, Array, Words
from trimtab.search.mcts import PRESETS, MCTSConfig, Search, SearchResult, preset, search

GAME = TicTacToe()
COMPILED = GAME.compiled
PUCT = MCTSConfig(simulations=64)
GUMBEL = MCTSConfig(simulations=64, root="gumbel", noise=1.0)
WIDE = MCTSConfig(simulations=64, leaves=4)
CONFIGS = pytest.mark.parametrize("config", [PUCT, GUMBEL, WIDE], ids=["puct", "gumbel", "wide"])


def _rows(*games: list[int]) -> Words:
    return np.stack([COMPILED.encode(GAME.after(cells)) for cells in games])


def _same(one: SearchResult, other: SearchResult, tree: int) -> bool:
    return bool(
        one.action[0] == other.action[tree]
        and one.tree_hash[0] == other.tree_hash[tree]
        and np.array_equal(one.visit_counts[0], other.visit_counts[tree])
    )


@CONFIGS
def test_a_win_in_one_is_played_and_proven_for_either_side(config: MCTSConfig) -> None:
    result = search(
        COMPILED, _rows([0, 3, 1, 4], [8, 0, 7, 1, 3]), Hashed(COMPILED), config, [1, 2]
    )
    assert result.action.tolist() == [2, 2]
    assert result.proven.tolist() == [1.0, 1.0]
    assert result.policy[:, 2].tolist() == [1.0, 1.0]


@CONFIGS
def test_a_threat_is_blocked_by_either_side(config: MCTSConfig) -> None:
    rows = _rows([0, 4, 8, 1], [0, 8, 1])
    result = search(COMPILED, rows, Uniform(COMPILED), config, [1, 2])
    assert result.action.tolist() == [7, 2]


def test_an_answer_to_the_centre_in_a_corner_is_proven_to_be_a_draw() -> None:
    config = MCTSConfig(simulations=20_000)
    result = search(COMPILED, _rows([4, 0]), Uniform(COMPILED), config, [0])
    assert result.proven[0] == 0.0
    assert result.value[0] == 0.0
    assert result.simulations[0] < 20_000


@CONFIGS
def test_a_tree_does_not_depend_on_the_rest_of_its_batch(config: MCTSConfig) -> None:
    games: list[list[int]] = [[], [4], [0, 8], [0, 3, 1], [2, 4]]
    together = search(COMPILED, _rows(*games), Hashed(COMPILED), config, range(5))
    for tree, cells in enumerate(games):
        alone = search(COMPILED, _rows(cells), Hashed(COMPILED), config, [tree])
        assert _same(alone, together, tree)


@CONFIGS
def test_every_simulation_of_an_open_root_is_counted(config: MCTSConfig) -> None:
    result = search(COMPILED, _rows([]), Hashed(COMPILED), replace(config, simulations=70), [0])
    assert result.proven[0] == ONGOING
    assert result.visit_counts.sum() == result.simulations[0] == 70
    assert result.policy.sum() == pytest.approx(1.0)


def test_virtual_losses_are_all_taken_back() -> None:
    run = Search(COMPILED, _rows([]), MCTSConfig(simulations=160, leaves=10), [0])
    run.run(Hashed(COMPILED))
    assert not run.forest.nodes["pending"][0, : run.forest.heads["size"][0]].any()


def test_leaves_of_one_tree_are_evaluated_together() -> None:
    calls = []
    for leaves in (1, 8):
        leaf = Hashed(COMPILED)
        search(COMPILED, _rows([]), leaf, MCTSConfig(simulations=128, leaves=leaves), [0])
        calls.append(leaf.calls)
    assert calls[1] < calls[0] / 3


def test_noise_changes_the_priors_by_seed_and_keeps_their_sum() -> None:
    config = MCTSConfig(simulations=16, noise=0.25, temperature=1.0)
    result = search(COMPILED, _rows([], [], []), Uniform(COMPILED), config, [1, 1, 2])
    assert result.priors.sum(axis=1) == pytest.approx([1.0, 1.0, 1.0])
    assert np.array_equal(result.priors[0], result.priors[1])
    assert not np.array_equal(result.priors[0], result.priors[2])


def test_a_gumbel_root_improves_the_policy_with_few_simulations() -> None:
    def evaluate(rows: Words) -> tuple[Array, Array]:
        priors, values = Uniform(COMPILED)(rows)
        # after the centre the opponent is badly off
        values[:] = np.where(rows[:, 1] >> np.uint64(4) & np.uint64(1), -0.9, 0.1)
        return priors, values

    config = MCTSConfig(simulations=16, root="gumbel")
    result = search(COMPILED, _rows([]), evaluate, config, [0])
    assert result.action[0] == 4
    assert result.policy[0, 4] > 0.9


def test_the_principal_variation_begins_with_the_move() -> None:
    result = search(COMPILED, _rows([0, 8, 1]), Uniform(COMPILED), PUCT, [0])
    line = result.principal_variation(0)
    assert line[0].action == result.action[0]
    assert line[0].visits == result.visit_counts[0].max()
    assert len(line) > 1


@pytest.mark.parametrize("move", ["visits", "value", "robust", "secure"])
def test_each_final_move_avoids_a_proven_loss(move: str) -> None:
    config = replace(PUCT, final_move=move)
    assert search(COMPILED, _rows([0, 8, 1]), Uniform(COMPILED), config, [0]).action[0] == 2


def test_presets_have_their_simulations() -> None:
    assert {name: preset(name).simulations for name in PRESETS} == {
        "fast": 25,
        "balanced": 100,
        "thorough": 500,
        "exploration": 200,
        "exploitation": 150,
    }


@pytest.mark.parametrize(
    "fields",
    [
        {"simulations": 0},
        {"simulations": -1},
        {"milliseconds": 0.0},
        {"c_puct": float("nan")},
        {"leaves": 7},
        {"noise": 1.5},
        {"final_move": "luck"},
        {"root": "gumbel", "temperature": 1.0},
    ],
)
def test_a_setting_out_of_range_is_named(fields: dict[str, object]) -> None:
    with pytest.raises(ConfigError, match=next(iter(fields))):
        replace(MCTSConfig(), **fields)


def test_an_unknown_preset_is_answered_with_the_known_ones() -> None:
    with pytest.raises(ConfigError, match="balanced"):
        preset("turbo")


def test_a_finished_game_is_not_searched() -> None:
    with pytest.raises(InputError, match=r"rows\[1\]"):
        Search(COMPILED, _rows([], [0, 3, 1, 4, 2]), PUCT, [0, 0])


@pytest.mark.parametrize("rows", [np.zeros((1, 3), np.uint64), np.zeros((1, 2), np.int64)])
def test_rows_of_another_game_are_refused(rows: Words) -> None:
    with pytest.raises(InputError, match="tic_tac_toe"):
        Search(COMPILED, rows, PUCT, [0])


def test_seeds_must_fit_the_rows() -> None:
    with pytest.raises(InputError, match="seeds"):
        Search(COMPILED, _rows([]), PUCT, [0, 1])


class Flaky(Hashed):
    """Raises in its third call."""

    def __call__(self, rows: Words) -> tuple[Array, Array]:
        answer = super().__call__(rows)
        if self.calls == 3:
            raise TimeoutError("no answer within 1 s")
        return answer


@CONFIGS
def test_a_leaf_function_that_times_out_leaves_a_search_that_goes_on(config: MCTSConfig) -> None:
    run = Search(COMPILED, _rows([], [4]), config, [5, 6])
    leaf = Flaky(COMPILED)
    with pytest.raises(LeafFailed, match="TimeoutError") as caught:
        run.run(leaf)
    assert isinstance(caught.value.__cause__, TimeoutError)
    assert isinstance(caught.value.partial, SearchResult)
    finished = run.run(leaf)
    assert finished.simulations.tolist() == [64, 64]
    if config is PUCT:
        undisturbed = search(COMPILED, _rows([], [4]), Hashed(COMPILED), config, [5, 6])
        assert np.array_equal(finished.tree_hash, undisturbed.tree_hash)


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda p, v: (p * np.nan, v), "not finite"),
        (lambda p, v: (p, v * np.nan), "not finite"),
        (lambda p, v: (p * 2, v), "not a distribution"),
        (lambda p, v: (-p, v), "not a distribution"),
        (lambda p, v: (p, v + 7), "outside"),
        (lambda p, v: (p[:, :-1], v), "priors"),
        (lambda p, v: (p, v[:, None]), "values"),
        (lambda p, v: p, "priors"),
    ],
)
def test_an_unusable_answer_is_named_and_nothing_of_it_is_kept(spoil: object, words: str) -> None:
    run = Search(COMPILED, _rows([]), PUCT, [0])
    leaf = Hashed(COMPILED)
    run.round(leaf)
    run.round(leaf)
    before = run.result()
    with pytest.raises(LeafInvalid, match=words) as caught:
        run.round(lambda rows: spoil(*leaf(rows)))  # type: ignore[operator]
    assert isinstance(caught.value.partial, SearchResult)
    assert np.array_equal(caught.value.partial.visit_counts, before.visit_counts)
    assert run.run(leaf).simulations[0] == 64


def test_before_the_first_simulation_there_is_no_result() -> None:
    run = Search(COMPILED, _rows([]), PUCT, [0])
    with pytest.raises(SearchError):
        run.result()
    with pytest.raises(LeafInvalid) as caught:
        run.run(lambda rows: (np.zeros((1, 9)), np.zeros(2)))
    assert caught.value.partial is None


def test_a_budget_in_milliseconds_ends_by_the_clock() -> None:
    ticks = iter(range(1000))
    config = MCTSConfig(simulations=500, milliseconds=20_000)
    run = Search(COMPILED, _rows([]), config, [0], clock=lambda: float(next(ticks)))
    assert run.run(Hashed(COMPILED)).simulations[0] == 19
