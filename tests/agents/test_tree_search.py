from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

from tests.contracts.agent import AgentContract
from tests.games import GATES, small_net
from trimtab.agents.board_net import BoardNet
from trimtab.agents.routing import most_confident
from trimtab.agents.tree_search import TreeSearch
from trimtab.domains.connect_four import ConnectFour, ConnectFourState
from trimtab.errors import InputError, LeafInvalid
from trimtab.protocols import AnyAgent, AnyDomain, Array, Words
from trimtab.search.mcts import MCTSConfig

GAME = ConnectFour()
WIN_IN_ONE = "112233"


def search_agent(**config: float) -> TreeSearch:
    return TreeSearch(
        GAME,
        small_net(),
        gate=GATES.search(100),
        config=MCTSConfig(**{"simulations": 40, **config}),  # type: ignore[arg-type]
        usd_per_cpu_s=1e-5,
    )


class TestTreeSearch(AgentContract):
    @pytest.fixture
    def agent(self) -> AnyAgent:
        return search_agent()

    @pytest.fixture
    def domain(self) -> AnyDomain:
        return GAME

    @pytest.fixture
    def states(self) -> Sequence[ConnectFourState]:
        return [GAME.from_text(text) for text in ("start", "4453", "1111112", WIN_IN_ONE)]


def test_proven_win_is_certain() -> None:
    [prediction] = search_agent().predict([GAME.from_text(WIN_IN_ONE)])
    assert GAME.canonical(prediction.action) == "4"
    assert (prediction.confidence, prediction.value, prediction.tier) == (1.0, 1.0, "proven")


def test_confidence_of_an_open_position_is_the_gate_s() -> None:
    [prediction] = search_agent().predict([GAME.from_text("4")])
    assert prediction.confidence is not None
    assert 0.0 < prediction.confidence < 1.0
    assert prediction.signals["proven"] == 0.0


def test_deeper_search_replaces_what_it_refines_however_sure_that_was() -> None:
    [shallow] = search_agent().predict([GAME.from_text("4")])
    [deep] = search_agent(simulations=60).predict([GAME.from_text("4")])
    trail = [replace(shallow, confidence=0.99), replace(deep, confidence=0.6)]
    assert most_confident(trail) is trail[1]


def test_trace_is_json_and_tells_line_visits_and_values() -> None:
    [prediction] = search_agent().predict([GAME.from_text("4453")])
    trace = json.loads(json.dumps(prediction.trace))
    assert trace == dict(prediction.trace)
    assert trace["simulations"] == 40
    assert sum(move["visits"] for move in trace["moves"]) == 40
    assert trace["line"][0]["move"] == GAME.canonical(prediction.action)
    assert all(-1.0 <= step["value"] <= 1.0 for step in trace["line"])


def test_budget_in_milliseconds_ends_before_its_simulations() -> None:
    agent = search_agent(simulations=100_000, milliseconds=1.0)
    [prediction] = agent.predict([GAME.from_text("start")])
    assert 1 <= prediction.trace["simulations"] < 100_000


def test_finished_game_is_refused() -> None:
    with pytest.raises(InputError, match="finished game"):
        search_agent().predict([GAME.from_text("1212121")])


def test_net_that_gives_no_number_is_named() -> None:
    class Broken(BoardNet):
        def evaluate(self, rows: Words) -> tuple[Array, Array]:
            priors, values = super().evaluate(rows)
            return priors, np.full_like(values, np.nan)

    from tests.boards import small_graph

    agent = TreeSearch(
        GAME,
        Broken(small_graph(), GAME.compiled),
        gate=GATES.search(100),
        config=MCTSConfig(simulations=10),
        usd_per_cpu_s=0.0,
    )
    with pytest.raises(LeafInvalid, match="not finite"):
        agent.predict([GAME.from_text("44")])
