"""The agents that ``trimtab bench connect-four`` can put to the board.

N is the number of positions.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trimtab.agents.board_net import BoardNet
from trimtab.agents.llm import UnreadableReply
from trimtab.app.serving import LLM
from trimtab.domains.connect_four import ConnectFour, ConnectFourState
from trimtab.errors import ConfigError
from trimtab.records import Prediction
from trimtab.release.bundle import LoadedBundle, load, load_shipped
from trimtab.search.mcts import MCTSConfig, search
from trimtab.search.uct import UCTConfig, search_uct
from trimtab.settings import load_settings

Choose = Callable[[Sequence[ConnectFourState], int], NDArray[np.int64]]
"""Positions of length N and a seed to `[N]` columns, -1 where the agent names no legal one."""
NO_MOVE = -1
_AGENT = re.compile(r"(random|uct|net|llm)(?::([0-9]+))?")
# positions searched together; a tree's result does not depend on the others
_TREES = 200
_GAME = ConnectFour()


@dataclass(frozen=True, slots=True, kw_only=True)
class Player:
    """An agent of the board.

    Attributes:
        choose: its moves.
        says: who it is, in the words of the result's ``data``.
        draws: whether another seed may give other moves.
        clock: what the time of a move is counted by.
        unit: of that time.
        recipe: by which its net was trained, empty where it has none.
    """

    choose: Choose
    says: str
    draws: bool
    clock: Callable[[], float] = time.process_time
    unit: str = "CPU ms/move"
    recipe: Mapping[str, Any]


@contextmanager
def player(agent: str, *, bundle: Path | None) -> Iterator[Player]:
    """Open an agent by its name on the command line.

    Raises:
        ConfigError: there is no such agent, or it takes no bundle.
        BundleError: the bundle is none, or of another board.
    """
    match = _AGENT.fullmatch(agent)
    kind, simulations = (match[1], match[2]) if match else ("", None)
    needed = {"random": False, "llm": False, "uct": True, "net": simulations is not None}
    if needed.get(kind) != (simulations is not None) or simulations == "0":
        raise ConfigError(
            f"agent={agent!r} is none; use random, uct:N, net, net:N or llm, where N is a number "
            f"of simulations, 1 or more"
        )
    if bundle is not None and kind != "net":
        raise ConfigError(f"bundle={bundle} with agent={agent!r}: only net and net:N read one")
    budget = int(simulations or 0)
    with ExitStack() as stack:
        if kind == "random":
            yield Player(choose=_random_moves, says="random moves", draws=True, recipe={})
        elif kind == "uct":
            yield _uct(budget)
        elif kind == "net":
            yield _net(load(bundle) if bundle else load_shipped(_GAME.name), budget)
        else:
            llm = LLM(load_settings())
            stack.callback(llm.close)
            yield _llm(llm)


def _random_moves(states: Sequence[ConnectFourState], seed: int) -> NDArray[np.int64]:
    rng = np.random.default_rng(seed)
    return np.array([rng.choice(_GAME.legal_actions(state)) for state in states], np.int64)


def _uct(simulations: int) -> Player:
    game, config = _GAME.compiled, UCTConfig(simulations=simulations)
    # the first search compiles
    search_uct(game, _rows([_GAME.initial_state(0)]), UCTConfig(simulations=1), [0])

    def choose(states: Sequence[ConnectFourState], seed: int) -> NDArray[np.int64]:
        seeds = np.random.default_rng(seed).integers(1 << 62, size=len(states))
        return search_uct(game, _rows(states), config, seeds).action

    says = f"UCT of {simulations} simulations, c = {config.c}"
    return Player(choose=choose, says=says, draws=True, recipe={})


def _net(bundle: LoadedBundle, simulations: int) -> Player:
    net = BoardNet.from_bundle(bundle, _GAME.compiled)
    config = MCTSConfig(simulations=max(1, simulations))
    # the first search compiles
    search(net.game, _rows([_GAME.initial_state(0)]), net.evaluate, MCTSConfig(simulations=1), [0])

    def choose(states: Sequence[ConnectFourState], seed: int) -> NDArray[np.int64]:
        if not simulations:
            priors, _ = net.evaluate(_rows(states))
            likeliest: NDArray[np.int64] = priors.argmax(axis=1)
            return likeliest
        moves = []
        for start in range(0, len(states), _TREES):
            rows = _rows(states[start : start + _TREES])
            moves.append(search(net.game, rows, net.evaluate, config, [seed] * len(rows)).action)
        return np.concatenate(moves)

    says = f"net {bundle.bundle.bundle_id}" + (
        f" with {simulations} simulations" if simulations else ""
    )
    return Player(choose=choose, says=says, draws=False, recipe=bundle.spec["recipe"])


def _llm(llm: LLM) -> Player:
    agent = llm.agent(_GAME)

    def choose(states: Sequence[ConnectFourState], seed: int) -> NDArray[np.int64]:
        moves = []
        for outcome in agent.attempt(states):
            if isinstance(outcome, Prediction):
                moves.append(int(outcome.action))
            elif isinstance(outcome, UnreadableReply):
                moves.append(NO_MOVE)
            else:
                raise outcome
        return np.array(moves, np.int64)

    return Player(
        choose=choose,
        says=agent.model_id,
        draws=False,
        clock=time.perf_counter,
        unit="ms/move",
        recipe={},
    )


def _rows(states: Sequence[ConnectFourState]) -> NDArray[np.uint64]:
    return np.stack([_GAME.compiled.encode(state) for state in states])
