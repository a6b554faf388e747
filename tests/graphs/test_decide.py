"""The compiled graph: its paths, its channels, and what the ledger keeps."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.types import Command

from tests.desk import TruthfulExpert, desk_nodes
from trimtab.errors import InputError, LLMUnavailable, UnknownDomain
from trimtab.graphs.decide import DESCRIPTIONS, SUCCESSORS, build
from trimtab.graphs.state import DecideContext
from trimtab.ledger import SqliteLedger

CONFIDENT = "where is my parcel"
UNSURE = "screen stays black"
DESK_CONTEXT = DecideContext(domain="desk")


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[SqliteLedger]:
    with SqliteLedger(tmp_path / "ledger.sqlite") as opened:
        yield opened


def run(
    ledger: SqliteLedger, text: str, context: DecideContext = DESK_CONTEXT, **expert: Any
) -> tuple[list[str], dict[str, Any]]:
    """Return the nodes that ran and the final decision."""
    graph = build(desk_nodes(ledger, TruthfulExpert(**expert)))
    path: list[str] = []
    decision: dict[str, Any] = {}
    for update in graph.stream({"text": text}, context=context, stream_mode="updates"):
        path += update
        decision = update.get("record", {}).get("decision", decision)
    return path, decision


def test_confident_answer_never_reaches_the_llm(ledger: SqliteLedger) -> None:
    path, decision = run(ledger, CONFIDENT)
    assert path == ["reset", "meta_controller", "policy", "meta_controller", "route", "record"]
    assert decision["answer"] == "delivery"
    assert decision["route"]["reason"] == "confident"


def test_unsure_answer_is_escalated_with_context(ledger: SqliteLedger) -> None:
    path, decision = run(ledger, UNSURE)
    assert path[-4:] == ["route", "retrieve", "llm", "record"]
    assert decision["answer"] == "technical"
    assert decision["route"] == {
        "agent": "llm",
        "reason": "uncertain",
        "confidence": None,
        "threshold": 0.8,
    }


def test_cost_is_the_sum_over_the_agents_that_ran(ledger: SqliteLedger) -> None:
    _, decision = run(ledger, UNSURE)
    assert decision["usage"]["cost_usd"] == pytest.approx(0.01 + 1e-7)
    assert [p["agent"] for p in decision["predictions"]] == ["policy", "llm"]


def test_expert_is_given_labelled_examples(ledger: SqliteLedger) -> None:
    expert = TruthfulExpert()
    build(desk_nodes(ledger, expert)).invoke({"text": UNSURE}, context=DESK_CONTEXT)
    assert [passage.metadata["label"] for passage in expert.context[0]][:3] == [
        "delivery",
        "delivery",
        "refund",
    ]


def test_llm_only_skips_the_small_models(ledger: SqliteLedger) -> None:
    path, decision = run(ledger, CONFIDENT, DecideContext(domain="desk", mode="llm_only"))
    assert path == ["reset", "route", "retrieve", "llm", "record"]
    assert decision["route"]["reason"] == "forced"


def test_neural_only_never_asks_the_llm(ledger: SqliteLedger) -> None:
    path, decision = run(ledger, UNSURE, DecideContext(domain="desk", mode="neural_only"))
    assert "llm" not in path
    assert decision["route"]["agent"] == "policy"


@pytest.mark.parametrize(
    "limits", [{"budget_usd": 0.005}, {"budget_calls": 1}, {"budget_seconds": 0.0}]
)
def test_budget_is_hard(ledger: SqliteLedger, limits: dict[str, Any]) -> None:
    path, decision = run(ledger, UNSURE, DecideContext(domain="desk", **limits))
    assert "llm" not in path
    assert decision["route"]["reason"] == "budget"


def test_lost_llm_degrades_to_the_small_model(ledger: SqliteLedger) -> None:
    _, decision = run(ledger, UNSURE, error=LLMUnavailable("gone"))
    assert decision["route"]["agent"] == "policy"
    assert decision["route"]["reason"] == "degraded"


def test_lost_llm_is_an_error_where_nothing_else_answered(ledger: SqliteLedger) -> None:
    with pytest.raises(LLMUnavailable):
        run(
            ledger,
            UNSURE,
            DecideContext(domain="desk", mode="llm_only"),
            error=LLMUnavailable("gone"),
        )


def test_decision_is_in_the_ledger_once(ledger: SqliteLedger) -> None:
    _, decision = run(ledger, UNSURE)
    ledger.flush()
    rows = [row for row, _ in ledger.scan(domain="desk")]
    assert [row.decision_id for row in rows] == [decision["decision_id"]]


def test_two_requests_on_one_thread_do_not_leak(ledger: SqliteLedger) -> None:
    graph = build(desk_nodes(ledger, TruthfulExpert()), checkpointer=InMemorySaver())
    config: Any = {"configurable": {"thread_id": "one"}}
    first = graph.invoke({"text": UNSURE}, config, context=DESK_CONTEXT)
    second = graph.invoke({"text": CONFIDENT}, config, context=DESK_CONTEXT)
    assert len(first["predictions"]) == 2
    assert [p["agent"] for p in second["predictions"]] == ["policy"]
    assert first["decision"]["decision_id"] != second["decision"]["decision_id"]


def test_state_after_every_node_is_plain_json(ledger: SqliteLedger) -> None:
    graph = build(desk_nodes(ledger, TruthfulExpert()))
    for state in graph.stream({"text": UNSURE}, context=DESK_CONTEXT, stream_mode="values"):
        assert json.loads(json.dumps(state)) == state


def test_person_is_asked_and_answers(ledger: SqliteLedger) -> None:
    graph = build(desk_nodes(ledger, TruthfulExpert()), checkpointer=InMemorySaver())
    config: Any = {"configurable": {"thread_id": "human"}}
    context = DecideContext(domain="desk", expert="human")
    asked = graph.invoke({"text": UNSURE}, config, context=context)
    question = asked["__interrupt__"][0].value
    assert json.loads(json.dumps(question)) == question
    final = graph.invoke(Command(resume="technical"), config, context=context)
    assert final["decision"]["answer"] == "technical"
    assert final["decision"]["route"]["reason"] == "human"


def test_illegal_reply_of_a_person_is_asked_again(ledger: SqliteLedger) -> None:
    graph = build(desk_nodes(ledger, TruthfulExpert()), checkpointer=InMemorySaver())
    config: Any = {"configurable": {"thread_id": "human"}}
    context = DecideContext(domain="desk", expert="human")
    graph.invoke({"text": UNSURE}, config, context=context)
    again = graph.invoke(Command(resume="sales"), config, context=context)
    assert "'sales'" in again["__interrupt__"][0].value["problem"]
    final = graph.invoke(Command(resume="technical"), config, context=context)
    assert final["decision"]["answer"] == "technical"


@pytest.mark.parametrize("node", [name for name, after in SUCCESSORS.items() if len(after) > 1])
def test_state_can_be_forked_before_every_conditional_edge(ledger: SqliteLedger, node: str) -> None:
    graph = build(desk_nodes(ledger, TruthfulExpert()), checkpointer=InMemorySaver())
    config: Any = {"configurable": {"thread_id": "fork"}}
    graph.invoke({"text": UNSURE}, config, context=DESK_CONTEXT)
    successor = SUCCESSORS[node][-1]
    forked = graph.update_state(config, {"next": successor}, as_node=node)
    assert graph.get_state(forked).next == (successor,)


def test_every_node_is_described(ledger: SqliteLedger) -> None:
    drawn = build(desk_nodes(ledger, TruthfulExpert())).get_graph()
    assert set(drawn.nodes) - {"__start__", "__end__"} == set(DESCRIPTIONS)


@pytest.mark.parametrize(
    ("context", "text", "message"),
    [
        ({"domain": "nowhere"}, "x", "nowhere"),
        ({"domain": "desk"}, "   ", "text"),
        ({"domain": "desk"}, "x" * 1_000_000, "1000000|1,000,000|1_000_000"),
        ({"domain": "desk", "mode": "fast"}, "x", "mode='fast'"),
        ({"domain": "desk", "expert": "bob"}, "x", "expert='bob'"),
        ({"domain": "desk", "budget_usd": -1.0}, "x", "budget_usd"),
        ({"domain": "desk", "mode": "llm_only", "budget_calls": 0}, "x", "budget"),
    ],
)
def test_bad_input_is_named(
    ledger: SqliteLedger, context: dict[str, Any], text: str, message: str
) -> None:
    with pytest.raises((InputError, UnknownDomain), match=message):
        run(ledger, text, DecideContext(**context))


def test_a_fork_after_the_record_is_a_decision_of_its_own(ledger: SqliteLedger) -> None:
    graph = build(desk_nodes(ledger, TruthfulExpert()), checkpointer=InMemorySaver())
    config: Any = {"configurable": {"thread_id": "fork"}}
    first = graph.invoke({"text": CONFIDENT}, config, context=DESK_CONTEXT)["decision"]
    ledger.flush()
    escalated = graph.update_state(config, {"next": "llm"}, as_node="route")
    forks = [graph.invoke(None, escalated, context=DESK_CONTEXT)["decision"] for _ in range(2)]
    ledger.flush()
    stored = [row.decision_id for row, _ in ledger.scan()]
    assert stored[0] == first["decision_id"]
    assert set(stored) == {first["decision_id"], *(fork["decision_id"] for fork in forks)}
    assert all(fork["decision_id"].startswith(first["decision_id"] + "-") for fork in forks)
    assert forks[0]["route"]["agent"] == "llm"


def test_a_thread_that_records_again_keeps_its_row(ledger: SqliteLedger) -> None:
    graph = build(desk_nodes(ledger, TruthfulExpert()), checkpointer=InMemorySaver())
    config: Any = {"configurable": {"thread_id": "again"}}
    first = graph.invoke({"text": CONFIDENT}, config, context=DESK_CONTEXT)["decision"]
    ledger.flush()
    again = graph.update_state(config, {"next": "record"}, as_node="route")
    assert graph.invoke(None, again, context=DESK_CONTEXT)["decision"] == first
    ledger.flush()
    assert len(list(ledger.scan())) == 1
