"""Connect Four through the SDK: net, searches, LLM, and the solver as truth."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.games import game_bundle
from trimtab import Trimtab
from trimtab.agents.promise import Promise
from trimtab.app.game_serving import opponent
from trimtab.app.serving import bundle_servings
from trimtab.app.truth import resolve_by_solver, right_answers
from trimtab.domains.connect_four import ConnectFour
from trimtab.errors import BundleError, ConfigError, InputError, TruthUnknown, UnknownDomain
from trimtab.graphs.decide import build, small_models, successors
from trimtab.graphs.state import DecideContext
from trimtab.ledger import SqliteLedger
from trimtab.protocols import AnyAgent, AnyDomain
from trimtab.records import Budget, Passage, Prediction, Usage, decision_to_json
from trimtab.release.bundle import pack
from trimtab.settings import Settings, load_settings

GAME = ConnectFour()


class LeftmostPlayer:
    """Stands in for an LLM that always plays the first legal column."""

    name = "llm"
    reads_context = True

    def predict(
        self, states: Sequence[Any], *, context: Sequence[Sequence[Passage]] = ()
    ) -> list[Prediction]:
        return [
            Prediction(
                agent=self.name,
                action=GAME.legal_actions(state)[0],
                confidence=None,
                tier="smollm2-135m-instruct",
                usage=Usage(cost_usd=1e-3),
            )
            for state in states
        ]


def leftmost(domain: AnyDomain) -> AnyAgent:
    return LeftmostPlayer()


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return load_settings({"TRIMTAB_HOME": str(tmp_path)})


@pytest.fixture
def client(tmp_path: Path, settings: Settings) -> Iterator[Trimtab]:
    folder = game_bundle(tmp_path / "net")
    with (
        SqliteLedger(tmp_path / "ledger.sqlite") as ledger,
        Trimtab(
            bundles={"connect_four": folder}, ledger=ledger, expert=leftmost, settings=settings
        ) as opened,
    ):
        yield opened


def positions(count: int, *, stones: int, seed: int) -> list[str]:
    """Return texts of unfinished positions after random moves."""
    rng = np.random.default_rng(seed)
    found: list[str] = []
    while len(found) < count:
        state = GAME.initial_state(0)
        for _ in range(stones):
            if not GAME.is_terminal(state):
                state = GAME.apply_action(state, int(rng.choice(GAME.legal_actions(state))))
        if not GAME.is_terminal(state):
            found.append(GAME.to_text(state))
    return found


def test_decision_is_a_legal_move_of_the_deepest_agent_that_ran(client: Trimtab) -> None:
    decision = client.decide("connect_four", "4453", mode="neural_only")
    assert decision.answer in "1234567"
    ran = [prediction.agent for prediction in decision.predictions]
    assert ran == ["policy", "mcts", "mcts_600"][: len(ran)]
    assert decision.route.agent == ran[-1]
    assert decision.predictions[-1].trace["line"][0]["move"] == decision.answer


def test_proven_move_ends_the_climb(client: Trimtab) -> None:
    decision = client.decide("connect_four", "112233", mode="neural_only")
    assert decision.answer == "4"
    assert decision.route.agent != "mcts_600"


def test_budget_keeps_the_searches_from_running(client: Trimtab) -> None:
    decision = client.decide("connect_four", "4453", mode="neural_only", budget=Budget(calls=1))
    assert [prediction.agent for prediction in decision.predictions] == ["policy"]


def test_graph_and_fast_path_run_the_same_agents(client: Trimtab) -> None:
    context = DecideContext(domain="connect_four", mode="neural_only")
    graph = build(client.nodes)
    path = [
        node
        for update in graph.stream({"text": "4453"}, context=context, stream_mode="updates")
        for node in update
    ]
    final = graph.invoke({"text": "4453"}, context=context)["decision"]
    fast = decision_to_json(client.decide("connect_four", "4453", mode="neural_only"))
    assert [node for node in path if node in ("policy", "mcts", "mcts_600")] == [
        prediction["agent"] for prediction in fast["predictions"]
    ]
    assert final["answer"] == fast["answer"]
    assert [p["probs"] for p in final["predictions"]] == [p["probs"] for p in fast["predictions"]]
    client.flush()


def test_events_of_a_search_are_told(client: Trimtab) -> None:
    context = DecideContext(domain="connect_four", mode="neural_only")
    told = [
        event
        for event in build(client.nodes).stream(
            {"text": "4453"}, context=context, stream_mode="custom"
        )
        if event["node"] == "mcts"
    ]
    assert "mcts (100 simulations) answers" in told[0]["text"]


def test_llm_is_asked_without_a_certificate(client: Trimtab) -> None:
    decision = client.decide("connect_four", "4453")
    assert (decision.route.agent, decision.route.reason) == ("llm", "uncertified")
    assert decision.answer == "1"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("1212121", "finished game"),
        ("445x", "move 4 is 'x'"),
        ("1111111", "move 7 into column 1"),
        ("", "empty"),
    ],
)
def test_bad_position_is_named(client: Trimtab, text: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        client.decide("connect_four", text, mode="neural_only")


def test_solver_says_what_was_right_and_all_that_would_have_been(client: Trimtab) -> None:
    texts = positions(6, stones=26, seed=1)
    decisions = [client.decide("connect_four", text) for text in texts]
    client.flush()
    outcomes = resolve_by_solver(client.ledger, GAME, decisions)
    for decision, outcome in zip(decisions, outcomes, strict=True):
        state = GAME.from_text(decision.state)
        assert outcome.source == "solver"
        assert outcome.reward == GAME.check(state, decision.answer)
        assert outcome.reference is not None
        assert outcome.reference.split() == right_answers(GAME, state)
    stored = [outcome for _, outcome in client.ledger.scan(domain="connect_four")]
    assert stored == outcomes


def test_early_position_has_no_outcome(client: Trimtab) -> None:
    decision = client.decide("connect_four", "44", mode="neural_only")
    client.flush()
    assert resolve_by_solver(client.ledger, GAME, [decision]) == []
    with pytest.raises(TruthUnknown):
        right_answers(GAME, GAME.from_text("44"))


def test_promise_with_exact_truth_refuses_a_bad_player(client: Trimtab) -> None:
    texts = positions(40, stones=28, seed=2)
    decisions = [client.decide("connect_four", text) for text in texts]
    client.flush()
    resolve_by_solver(client.ledger, GAME, decisions)
    issued = client.certify("connect_four", Promise(loss=0.3, confidence=0.9, window=40))
    assert issued.unlabelled == 0
    assert issued.certificate.refused
    report = client.report("connect_four")
    assert report["domains"][0]["outcomes"] == {"solver": 40}
    after = client.decide("connect_four", texts[0])
    assert after.route.agent != "llm"


def test_feedback_reaches_the_ledger(client: Trimtab) -> None:
    decision = client.decide("connect_four", "4453", mode="neural_only")
    outcome = client.feedback(decision.decision_id, answer=decision.answer)
    assert outcome.reward == 1.0


def test_every_agent_is_a_node_with_a_description(client: Trimtab) -> None:
    agents = small_models(client.nodes.servings)
    drawn = build(client.nodes).get_graph()
    for name, described in agents.items():
        assert drawn.nodes[name].metadata == {"description": described}
    assert successors(agents)["meta_controller"] == (
        "retrieve",
        "policy",
        "mcts",
        "mcts_600",
        "route",
    )


def test_agent_of_another_domain_is_named(client: Trimtab) -> None:
    with pytest.raises(InputError, match="no agent 'trm'"):
        client.nodes.agent("trm")({"domain": "connect_four", "text": "44"})


def test_agent_with_the_name_of_a_step_is_refused(client: Trimtab) -> None:
    from dataclasses import replace

    serving = client.nodes.serving("connect_four")
    with pytest.raises(ConfigError, match="'llm' of domain 'connect_four'"):
        small_models({"connect_four": replace(serving, agents=(LeftmostPlayer(),))})


def test_bundle_of_another_kind_answers_no_requests(tmp_path: Path, settings: Settings) -> None:
    for domain, kind, message in (
        ("sudoku4", "chess-net/1", "answers no requests"),
        ("connect_four", "chess-net/1", "not 'board-net/1'"),
    ):
        folder = tmp_path / f"{domain}-bundle"
        pack(
            folder,
            domain=domain,
            files={},
            thresholds={},
            metrics={},
            card="# other\n",
            spec={"kind": kind},
        )
        with pytest.raises(BundleError, match=message):
            bundle_servings({domain: folder}, settings=settings, expert=leftmost)


def test_unknown_shipped_domain_is_named(settings: Settings) -> None:
    with pytest.raises(UnknownDomain, match="chess"):
        Trimtab(shipped=["chess"], settings=settings)


def test_opponent_takes_any_budget(tmp_path: Path, settings: Settings) -> None:
    from trimtab.release.bundle import load

    bundle = load(game_bundle(tmp_path / "net"))
    agent = opponent(bundle, simulations=30, settings=settings)
    [prediction] = agent.predict([GAME.from_text("4453")])
    assert prediction.tier in ("30 simulations", "proven")
    with pytest.raises(ConfigError, match="simulations"):
        opponent(bundle, simulations=0, settings=settings)
