"""Fitted controllers in the real graph, on recorded answers, beside their runs on the table."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.recorded_tables import MODELS, recorded_world
from trimtab import Trimtab
from trimtab.agents.cascades import AgreementChain, Candidate, Single, ValueCascade
from trimtab.agents.controller_rule import ControllerRule
from trimtab.app.recorded_serving import recorded_serving
from trimtab.app.replay import replay_serving
from trimtab.datasets.recorded import RecordedTable
from trimtab.domains.tables import RecordedSteps
from trimtab.errors import InputError
from trimtab.graphs.decide import build
from trimtab.graphs.serving import Serving
from trimtab.graphs.state import DecideContext
from trimtab.ledger import SqliteLedger
from trimtab.records import Budget
from trimtab.settings import load_settings
from trimtab.training.cascade_pool import fit_candidates

World = tuple[RecordedTable, RecordedSteps]
FITTED, N = 150, 190


@pytest.fixture(scope="module")
def world() -> World:
    return recorded_world(N, latency_s=3.0)


@pytest.fixture(scope="module")
def pool(world: World) -> list[Candidate]:
    train = world[1].take(np.arange(FITTED))
    tried, _ = fit_candidates(train, strong="strong", rng=np.random.default_rng(0))
    return [one.candidate for one in tried]


def _learned(pool: list[Candidate]) -> list[Candidate]:
    return [one for one in pool if isinstance(one.cascade, ValueCascade)]


def _middle(pool: list[Candidate], world: World) -> Candidate:
    """Return the learned candidate whose share of the strong model is nearest to a half."""
    return min(_learned(pool), key=lambda one: abs(one.run(world[1]).asked_strong.mean() - 0.5))


@pytest.fixture(scope="module")
def serving(world: World, pool: list[Candidate]) -> Serving:
    chosen = _middle(pool, world)
    return recorded_serving(world[0], chosen, bundle_id="b", rule=ControllerRule())


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[SqliteLedger]:
    with SqliteLedger(tmp_path / "ledger.sqlite") as opened:
        yield opened


@pytest.fixture
def client(tmp_path: Path, ledger: SqliteLedger, serving: Serving) -> Iterator[Trimtab]:
    settings = load_settings({"TRIMTAB_HOME": str(tmp_path)})
    with Trimtab(servings={"world": serving}, ledger=ledger, settings=settings) as opened:
        yield opened


def _kinds(pool: list[Candidate], world: World) -> list[Candidate]:
    chains = [one for one in pool if isinstance(one.cascade, AgreementChain)]
    singles = [one for one in pool if isinstance(one.cascade, Single)]
    last = [one for one in chains if one.cascade.last_decides]  # type: ignore[attr-defined]
    return [singles[0], singles[1], chains[-1], last[-1], _middle(pool, world)]


def test_graph_comes_to_what_the_cascade_does_on_the_table(
    world: World, pool: list[Candidate]
) -> None:
    table, steps = world
    held = list(range(FITTED, N))
    for candidate in _kinds(pool, world):
        did = candidate.run(steps.take(np.array(held)))
        done = replay_serving(
            table,
            recorded_serving(table, candidate, bundle_id="b", rule=ControllerRule()),
            held,
            candidate=candidate.name,
            certified=False,
        )
        named = [MODELS[m] if m < 3 else "llm" for m in did.shown]
        assert [one.route.agent for one in done.decisions] == named
        assert done.quality.value == pytest.approx(did.correct.mean())
        assert done.usd_per_1000.value == pytest.approx(1000.0 * did.cost_usd.mean())
        assert done.llm_share.value == pytest.approx(did.asked_strong.mean())
        confidences = [one.route.confidence for one in done.decisions]
        assert confidences == pytest.approx(did.confidence.tolist())


def test_trace_says_what_every_remaining_step_would_gain_and_cost(
    client: Trimtab, world: World
) -> None:
    graph = build(client.nodes)
    context = DecideContext(domain="world")
    told: list[dict[str, Any]] = []
    asked = 0
    for q in range(FITTED, FITTED + 12):
        final: dict[str, Any] = {}
        for kind, chunk in graph.stream(
            {"text": f"question {q}"}, context=context, stream_mode=["custom", "values"]
        ):
            if kind == "custom":
                told.append(chunk)
            else:
                final = chunk
        ran: list[str] = []
        for step in final["steps"]:
            left = {*MODELS[:3], "llm"} - set(ran)
            assert set(step["prices"]) == left
            assert set(step["gains"]) == (left if step["gains"] else set())
            ran += [step["agent"]] if step["agent"] else []
        asked += "llm" in ran
        fast = client.decide("world", f"question {q}")
        assert final["decision"]["answer"] == fast.answer
        assert [p["agent"] for p in final["predictions"]] == [p.agent for p in fast.predictions]
        assert ran == [p.agent for p in fast.predictions]
    chosen = [event for event in told if event["node"] == "meta_controller"]
    assert asked
    assert all("expected net gain: " in event["text"] for event in chosen if event["gains"])
    assert any(event["text"].startswith("Stop: no further step is worth") for event in chosen)
    assert any(event["text"].startswith("Next: llm, ") for event in chosen)


def test_ledger_keeps_every_prediction_and_the_belief_in_the_shown_one(client: Trimtab) -> None:
    decisions = [client.decide("world", f"question {q}") for q in range(FITTED, FITTED + 12)]
    client.flush()
    for decision in decisions:
        kept = client.ledger.get(decision.decision_id)
        assert kept == decision
        known = {p.agent: p.confidence for p in kept.predictions if p.confidence is not None}
        assert known == {decision.route.agent: decision.route.confidence}


@pytest.mark.parametrize(
    "budget",
    [
        Budget(usd=1.1e-3),
        Budget(usd=4e-4),
        Budget(usd=2.05e-2),
        Budget(calls=1),
        Budget(calls=2),
        Budget(seconds=6.0),
        Budget(seconds=3.1),
        Budget(usd=3e-3, seconds=7.0, calls=2),
    ],
)
def test_budget_is_never_exceeded(client: Trimtab, budget: Budget) -> None:
    for q in range(FITTED, FITTED + 25):
        decision = client.decide("world", f"question {q}", budget=budget)
        recorded_s = decision.usage.latency_s  # the table's seconds: nothing is timed here
        assert budget.usd is None or decision.usage.cost_usd <= budget.usd
        assert budget.seconds is None or recorded_s <= budget.seconds
        assert budget.calls is None or len(decision.predictions) <= budget.calls


def test_budget_for_nothing_is_an_error_that_says_so(client: Trimtab) -> None:
    with pytest.raises(InputError, match="raise budget_calls or budget_usd"):
        client.decide("world", "question 0", budget=Budget(usd=1e-9))


def test_without_a_rule_the_strong_model_answers_and_the_small_ones_are_judged(
    world: World, pool: list[Candidate], ledger: SqliteLedger, tmp_path: Path
) -> None:
    serving = recorded_serving(world[0], _middle(pool, world), bundle_id="b", rule=None)
    settings = load_settings({"TRIMTAB_HOME": str(tmp_path)})
    with Trimtab(servings={"world": serving}, ledger=ledger, settings=settings) as client:
        decision = client.decide("world", "question 160")
        assert decision.route.reason == "uncertified"
        assert [p.agent for p in decision.predictions].count("llm") == 1
        small = [p for p in decision.predictions if p.agent != "llm"]
        assert sum(p.confidence is not None for p in small) == 1
        alone = client.decide("world", "question 160", mode="neural_only")
        assert alone.route.agent in MODELS[:3]
        assert alone.route.confidence is not None


def test_model_of_the_table_named_like_the_expert_is_refused(
    world: World, pool: list[Candidate]
) -> None:
    table, _ = world
    rows = {("llm" if model == "small" else model): of for model, of in table.rows.items()}
    named = RecordedTable(
        name="world", ids=table.ids, texts=table.texts, categories=table.categories, rows=rows
    )
    steps = world[1]
    others = RecordedSteps(
        names=("llm", *MODELS[1:]),
        codes=steps.codes,
        correct=steps.correct,
        cost_usd=steps.cost_usd,
        signals=steps.signals,
    )
    tried, _ = fit_candidates(others, strong="strong", rng=np.random.default_rng(0))
    with pytest.raises(InputError, match="share a name"):
        recorded_serving(named, tried[0].candidate, bundle_id="b", rule=ControllerRule())
