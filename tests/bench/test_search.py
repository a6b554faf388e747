"""The bench of the searches: what its contestants do, on a few simulations."""

from __future__ import annotations

import numpy as np
import pytest

from trimtab.bench import search_jax
from trimtab.bench.search import BARS, NETS
from trimtab.bench.search_nets import equal_priors, openings, our_search
from trimtab.bench.search_playouts import our_reference, our_uct, playout
from trimtab.bench.search_workers import judged, quality_loss
from trimtab.domains.connect_four import ConnectFour
from trimtab.search.mcts import MCTSConfig, search

DOMAIN = ConnectFour()
GAME = DOMAIN.compiled


def test_our_contestants_do_the_simulations_that_they_count() -> None:
    assert our_uct(50, seed=1)() == 150
    assert our_reference(40, seed=1)() == 40
    turn = our_search(GAME, openings(3, seed=0), equal_priors(GAME), simulations=20)
    assert turn() == 60


def test_evaluations_are_counted_where_they_are_asked_for() -> None:
    rows = GAME.encode(DOMAIN.initial_state(0))[None]
    turn = our_search(GAME, rows, equal_priors(GAME), simulations=20, evaluations=True)
    assert turn() == 21


@pytest.mark.parametrize("text", ["start", "4455667", "123456712345"])
def test_playouts_end_as_the_rules_say(text: str) -> None:
    state = DOMAIN.from_text(text)
    values = [playout(state, iter(np.random.default_rng(n).random(42))) for n in range(60)]
    assert set(values) <= {-1.0, 0.0, 1.0}
    # the first playout that can only go one way: a win in one is taken by the first column drawn
    won = DOMAIN.from_text("121212")
    assert playout(won, iter([0.0])) == 1.0


def test_the_leaf_of_the_workers_says_the_same_of_a_state_always() -> None:
    state = DOMAIN.from_text("44")
    assert judged(state) == judged(state)


def test_quality_is_a_share_of_right_moves() -> None:
    measures = quality_loss(positions=3, simulations=32, seed=0)
    one, eight = measures["workers_1_right_moves"].value, measures["workers_8_right_moves"].value
    assert one is not None
    assert eight is not None
    assert measures["workers_8_quality_loss"].value == pytest.approx(one - eight)


def test_every_net_is_a_multiple_of_eight_channels_and_every_bar_names_one_measure() -> None:
    assert all(channels % 8 == 0 for channels, _ in NETS.values())
    assert len({bar.key for bar in BARS}) == len(BARS)


def test_the_peer_plays_by_the_rules_and_searches_as_we_do() -> None:
    pytest.importorskip("mctx", reason="the extra bench is not installed: mctx is NOT tested here")
    jnp = pytest.importorskip("jax.numpy")
    rows = openings(8, seed=2)
    boards = search_jax.boards_of(rows)
    for row, board in zip(rows, boards, strict=True):
        state = DOMAIN.compiled.decode(row)
        legal = DOMAIN.legal_actions(state)
        assert np.flatnonzero(search_jax.legal_moves(board[None])[0]).tolist() == list(legal)
        for column in legal:
            after = DOMAIN.apply_action(state, column)
            moved, won, over = search_jax.drop(jnp.asarray(board[None]), jnp.array([column]))
            assert bool(won[0]) == after.won
            assert bool(over[0]) == DOMAIN.is_terminal(after)
            expected = search_jax.boards_of(DOMAIN.compiled.encode(after)[None])
            assert np.array_equal(moved, expected)
    run = search_jax.mctx_search(search_jax.uniform, simulations=32, c_puct=1.25, seed=0)
    ours = search(GAME, rows, equal_priors(GAME), MCTSConfig(simulations=32), range(8))
    # ties are broken by noise there, by the lower action here
    moved_elsewhere = np.abs(run(boards) - ours.visit_counts).sum() / 2
    assert moved_elsewhere <= 0.1 * 8 * 32
