"""Search by priors and values: ours and mctx, over many trees, with a cheap leaf and with a net.

Both search the same positions with the same number of simulations, the same PUCT constant and, for
a net, the same weights: ONNX Runtime evaluates here, jax's compiler there. Every library has one
thread.

T is the number of trees.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any

import numpy as np

from trimtab.agents.board_net import OUTPUTS, BoardNet, observe_rows
from trimtab.bench import search_jax
from trimtab.bench.turns import Rates, Turn, take_turns
from trimtab.inference import open_session
from trimtab.models.graph import BoardGraph
from trimtab.models.policy_value import PolicyValueConfig
from trimtab.protocols import AnyGame, Array, Words
from trimtab.search.compiled import cached
from trimtab.search.mcts import Evaluator, MCTSConfig, search
from trimtab.training.board_games import board_game
from trimtab.training.learner import LearnConfig, Learner
from trimtab.training.self_play import random_openings

C_PUCT = 1.25
OPENING_PLIES = 8


@dataclass(frozen=True, slots=True)
class Net:
    """A net with random weights: as ONNX graph, on our side, and for jax."""

    config: PolicyValueConfig
    graph: bytes
    board_net: BoardNet
    weights: Mapping[str, Array]


def random_net(*, channels: int, blocks: int, seed: int) -> Net:
    """Return an untrained net for Connect Four; what it says does not change what it costs."""
    board = board_game("connect_four")
    planes, height, width = board.game.observation_shape
    config = PolicyValueConfig(
        planes=planes,
        height=height,
        width=width,
        actions=board.game.num_actions,
        channels=channels,
        blocks=blocks,
        line_length=board.line_length,
    )
    learner = Learner(config, LearnConfig(), board.symmetry, seed=seed)
    graph = BoardGraph(config).filled(learner.average)
    return Net(
        config=config,
        graph=graph,
        board_net=BoardNet(graph, board.game),
        weights={name: tensor.numpy() for name, tensor in learner.average.items()},
    )


def openings(trees: int, *, seed: int) -> Words:
    """Return `[T, W]` positions after up to eight random moves."""
    game = board_game("connect_four").game
    rng = np.random.default_rng(seed)
    return random_openings(game, games=trees, most_plies=OPENING_PLIES, rng=rng)


def forest_rates(*, trees: int, simulations: int, rounds: int, seed: int) -> Rates:
    """Return the rates of ours and mctx, in simulations, with equal priors and values of 0."""
    game = board_game("connect_four").game
    rows = openings(trees, seed=seed)
    turns = {"ours": our_search(game, rows, equal_priors(game), simulations=simulations)}
    if find_spec("mctx") is not None:
        turns["mctx"] = _mctx(search_jax.uniform, rows, simulations=simulations, seed=seed)
    return take_turns(turns, rounds=rounds)


def net_rates(net: Net, *, trees: int, simulations: int, rounds: int, seed: int) -> Rates:
    """Return the rates of a search with a net, ours and mctx's, and of the net's bare session.

    ``ours`` and ``mctx`` count simulations, ``evaluations`` (ours again) and ``bare`` the rows
    that the net evaluates: a way down that ends with the game needs no evaluation.
    """
    game = board_game("connect_four").game
    rows = openings(trees, seed=seed)
    evaluate = net.board_net.evaluate
    turns = {
        "ours": our_search(game, rows, evaluate, simulations=simulations),
        "evaluations": our_search(game, rows, evaluate, simulations=simulations, evaluations=True),
        "bare": bare_session(net, rows, calls=simulations + 1),
    }
    if find_spec("mctx") is not None:
        leaf = search_jax.jax_net(net.config, net.weights)
        turns["mctx"] = _mctx(leaf, rows, simulations=simulations, seed=seed)
    return take_turns(turns, rounds=rounds)


def leaf_rates(net: Net, *, leaves: int, simulations: int, rounds: int, seed: int) -> Rates:
    """Return the rates of one leaf and of several leaves at a time, in simulations of one tree.

    A turn searches four positions, one after the other.
    """
    game = board_game("connect_four").game
    rows = openings(4, seed=seed)

    def turn_of(number: int) -> Turn:
        turns = [
            our_search(game, row, net.board_net.evaluate, simulations=simulations, leaves=number)
            for row in rows[:, None]
        ]
        return lambda: sum(turn() for turn in turns)

    return take_turns({"one": turn_of(1), "several": turn_of(leaves)}, rounds=rounds)


def our_search(
    game: AnyGame,
    rows: Words,
    evaluator: Evaluator,
    *,
    simulations: int,
    leaves: int = 1,
    evaluations: bool = False,
) -> Turn:
    """Return a turn of one search; it counts simulations, or evaluations of the leaf function."""
    config = MCTSConfig(simulations=simulations, c_puct=C_PUCT, leaves=leaves)
    seeds = np.arange(len(rows))
    asked = 0

    def counting(leaf_rows: Words) -> tuple[Array, Array]:
        nonlocal asked
        asked += len(leaf_rows)
        return evaluator(leaf_rows)

    def turn() -> int:
        before = asked
        done = search(game, rows, counting, config, seeds).simulations.sum()
        return asked - before if evaluations else int(done)

    return turn


def bare_session(net: Net, rows: Words, *, calls: int) -> Turn:
    """Return a turn that only calls the net's session, with the same batch again and again."""
    session: Any = open_session(net.graph)
    observation, legal = observe_rows(net.board_net.game, rows)
    inputs = {"observation": observation, "legal": legal}

    def turn() -> int:
        for _ in range(calls):
            session.run(OUTPUTS, inputs)
        return calls * len(rows)

    return turn


def parity(net: Net, *, seed: int) -> float | None:
    """Return the largest difference between jax and ONNX Runtime; None without jax."""
    if find_spec("jax") is None:
        return None
    rows = openings(64, seed=seed)
    priors, values = net.board_net.evaluate(rows)
    boards = search_jax.boards_of(rows)
    legal = np.asarray(search_jax.legal_moves(boards))
    logits, others = search_jax.jax_net(net.config, net.weights)(boards, legal)
    weights = np.where(legal, np.exp(np.asarray(logits)), 0.0)
    differences = weights / weights.sum(axis=1, keepdims=True) - priors
    return float(max(np.abs(differences).max(), np.abs(np.asarray(others) - values).max()))


def _mctx(leaf: search_jax.Evaluate, rows: Words, *, simulations: int, seed: int) -> Turn:
    run = search_jax.mctx_search(leaf, simulations=simulations, c_puct=C_PUCT, seed=seed)
    boards = search_jax.boards_of(rows)
    return lambda: int(run(boards).sum())


def equal_priors(game: AnyGame) -> Evaluator:
    """Return a compiled leaf function: equal priors, values of 0."""
    legal_mask: Callable[[Words], np.uint64] = game.legal_mask

    @cached
    def fill(rows: Words, priors: Array) -> None:
        for row in range(len(rows)):
            mask = legal_mask(rows[row])
            legal = 0
            for action in range(priors.shape[1]):
                legal += int((mask >> np.uint64(action)) & np.uint64(1))
            for action in range(priors.shape[1]):
                bit = (mask >> np.uint64(action)) & np.uint64(1)
                priors[row, action] = np.float32(bit / legal)

    def evaluate(rows: Words) -> tuple[Array, Array]:
        priors = np.empty((len(rows), game.num_actions), np.float32)
        fill(rows, priors)
        return priors, np.zeros(len(rows), np.float32)

    return evaluate
