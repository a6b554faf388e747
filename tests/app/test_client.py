"""The SDK: the fast path decides as the graph does, and feedback reaches the ledger."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.desk import (
    REFERENCES,
    TruthfulExpert,
    desk_nodes,
    desk_serving,
    numbered_ids,
    ticking_clock,
)
from trimtab import Trimtab
from trimtab.errors import ConfigError, InputError, LedgerError, UnknownDomain
from trimtab.graphs.decide import build
from trimtab.graphs.state import DecideContext
from trimtab.ledger import SqliteLedger
from trimtab.records import Budget, Decision, decision_from_json, decision_to_json


def desk_client(ledger: SqliteLedger, **options: Any) -> Trimtab:
    return Trimtab(
        servings={"desk": desk_serving(TruthfulExpert())},
        ledger=ledger,
        new_id=numbered_ids(),
        now=ticking_clock(),
        **options,
    )


@pytest.fixture
def client(tmp_path: Path) -> Iterator[Trimtab]:
    with SqliteLedger(tmp_path / "ledger.sqlite") as ledger, desk_client(ledger) as opened:
        yield opened


def rows(ledger: Any) -> list[dict[str, Any]]:
    ledger.flush()
    timeless = [decision_to_json(decision) for decision, _ in ledger.scan()]
    for row in timeless:
        row.pop("created_at")
    return timeless


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    texts=st.lists(st.sampled_from(sorted(REFERENCES)), min_size=1, max_size=5),
    mode=st.sampled_from(["auto", "neural_only", "llm_only"]),
    calls=st.sampled_from([None, 1, 2]),
)
def test_fast_path_and_graph_write_the_same_rows(
    tmp_path_factory: pytest.TempPathFactory, texts: list[str], mode: Any, calls: int | None
) -> None:
    folder = tmp_path_factory.mktemp("both")
    with SqliteLedger(folder / "sdk.sqlite") as ledger, desk_client(ledger) as client:
        for text in texts:
            client.decide("desk", text, mode=mode, budget=Budget(calls=calls))
        by_sdk = rows(ledger)
    with SqliteLedger(folder / "graph.sqlite") as ledger:
        graph = build(desk_nodes(ledger, TruthfulExpert()))
        context = DecideContext(domain="desk", mode=mode, budget_calls=calls)
        for text in texts:
            graph.invoke({"text": text}, context=context)
        by_graph = rows(ledger)
    assert by_sdk == by_graph


def test_confident_answer_does_not_build_the_graph(client: Trimtab) -> None:
    decision = client.decide("desk", "where is my parcel")
    assert decision.answer == "delivery"
    assert "graph" not in vars(client.fast_path)


def test_decision_survives_json(client: Trimtab) -> None:
    decision = client.decide("desk", "screen stays black")
    assert decision_from_json(decision_to_json(decision)) == decision


def test_many_texts_are_answered_in_order(client: Trimtab) -> None:
    texts = list(REFERENCES) * 3
    decisions = client.decide_many("desk", texts)
    assert [decision.state for decision in decisions] == texts
    assert {decision.answer for decision in decisions} == {"delivery", "refund", "technical"}


def test_no_texts_give_no_decisions(client: Trimtab) -> None:
    assert client.decide_many("desk", []) == []


def test_feedback_by_answer_sets_the_reward(client: Trimtab) -> None:
    decision = client.decide("desk", "where is my parcel")
    assert client.feedback(decision.decision_id, answer="Delivery").reward == 1.0
    assert client.feedback(decision.decision_id, answer="refund").reward == 0.0
    stored: list[tuple[Decision, Any]] = list(client.ledger.scan(domain="desk"))
    assert stored[0][1].reference == "refund"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({}, "exactly one"),
        ({"answer": "refund", "reward": 1.0}, "exactly one"),
        ({"reward": 1.5}, r"reward=1.5"),
        ({"reward": float("nan")}, "reward=nan"),
        ({"answer": "sales"}, "sales"),
    ],
)
def test_bad_feedback_is_named(client: Trimtab, options: dict[str, Any], message: str) -> None:
    decision = client.decide("desk", "where is my parcel")
    with pytest.raises(InputError, match=message):
        client.feedback(decision.decision_id, **options)


def test_feedback_on_an_unknown_decision_is_an_error(client: Trimtab) -> None:
    with pytest.raises(LedgerError, match="d77"):
        client.feedback("d77", reward=1.0)


def test_person_answers_through_the_callback(tmp_path: Path) -> None:
    asked: list[Any] = []

    def ask(question: Any) -> str:
        asked.append(question)
        return "technical"

    with (
        SqliteLedger(tmp_path / "ledger.sqlite") as ledger,
        desk_client(ledger, ask_human=ask) as client,
    ):
        decision = client.decide("desk", "screen stays black", human=True)
    assert decision.answer == "technical"
    assert decision.route.agent == "human"
    assert len(asked) == 1


def test_person_without_callback_is_a_config_error(client: Trimtab) -> None:
    with pytest.raises(ConfigError, match="ask_human"):
        client.decide("desk", "screen stays black", human=True)


def test_unknown_domain_lists_those_served(client: Trimtab) -> None:
    with pytest.raises(UnknownDomain, match="desk"):
        client.decide("nowhere", "hello")


def test_bad_text_among_many_loses_nothing_that_was_decided(client: Trimtab) -> None:
    with pytest.raises(InputError, match="text"):
        client.decide_many("desk", ["where is my parcel", " "])
    assert len(rows(client.ledger)) == 1


def test_category_reaches_the_ledger(client: Trimtab) -> None:
    decision = client.decide("desk", "where is my parcel", category="bills")
    client.flush()
    assert client.ledger.get(decision.decision_id).category == "bills"


def test_long_category_is_an_error(client: Trimtab) -> None:
    with pytest.raises(InputError, match="category"):
        client.decide("desk", "where is my parcel", category="x" * 101)
