"""The metrics: what is counted, and that a reader of Prometheus' format reads it."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.desk import REFERENCES, TruthfulExpert, desk_nodes, desk_serving
from trimtab import Trimtab
from trimtab.app.metrics import BUCKETS_S, Metrics
from trimtab.errors import LLMUnavailable
from trimtab.graphs.decide import build
from trimtab.graphs.state import DecideContext
from trimtab.ledger import SqliteLedger
from trimtab.records import Decision, Prediction, Usage
from trimtab.settings import load_settings

SURE = "where is my parcel"
UNSURE = "screen stays black"


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[SqliteLedger]:
    with SqliteLedger(tmp_path / "ledger.sqlite") as opened:
        yield opened


def desk(ledger: SqliteLedger, error: Exception | None = None) -> Trimtab:
    return Trimtab(
        servings={"desk": desk_serving(TruthfulExpert(error))},
        ledger=ledger,
        settings=load_settings({"TRIMTAB_HOME": str(ledger.path.parent)}),
    )


def samples(metrics: Metrics) -> dict[tuple[str, ...], float]:
    """Return each sample by its name and its labels' values, in the order of their names."""
    return {
        (sample.name, *(sample.labels[name] for name in sorted(sample.labels))): sample.value
        for family in text_string_to_metric_families(metrics.text())
        for sample in family.samples
    }


def test_decisions_are_counted_by_domain_reason_and_route(ledger: SqliteLedger) -> None:
    with desk(ledger) as client:
        for text in (SURE, SURE, UNSURE):
            client.decide("desk", text)
        found = samples(client.metrics)
    assert found["trimtab_decisions_total", "desk", "confident", "policy"] == 2.0
    assert found["trimtab_decisions_total", "desk", "uncertain", "llm"] == 1.0
    assert found["trimtab_degraded_total", "desk"] == 0.0


def test_cost_of_the_llm_leaves_out_the_small_models(ledger: SqliteLedger) -> None:
    with desk(ledger) as client:
        client.decide("desk", UNSURE)
        client.decide("desk", SURE)
        found = samples(client.metrics)
    assert found["trimtab_llm_cost_usd_total", "desk"] == pytest.approx(TruthfulExpert.price_usd)


def test_degraded_decisions_and_lost_answers_are_counted(ledger: SqliteLedger) -> None:
    with desk(ledger, LLMUnavailable("gone")) as client:
        client.decide("desk", UNSURE)
        with pytest.raises(LLMUnavailable):
            client.decide("desk", UNSURE, mode="llm_only")
        found = samples(client.metrics)
    assert found["trimtab_degraded_total", "desk"] == 1.0
    assert found["trimtab_llm_failures_total", "desk", "LLMUnavailable"] == 2.0


def test_a_graph_counts_into_the_metrics_of_its_nodes(ledger: SqliteLedger) -> None:
    with desk(ledger) as client:
        build(client.nodes).invoke({"text": SURE}, context=DecideContext(domain="desk"))
        found = samples(client.metrics)
    assert found["trimtab_decisions_total", "desk", "confident", "policy"] == 1.0


@pytest.mark.parametrize("given_s", [0.0, BUCKETS_S[0], 0.002, 1_000.0])
def test_a_duration_falls_into_every_bucket_that_holds_it(
    ledger: SqliteLedger, given_s: float
) -> None:
    metrics = Metrics({}, ledger)
    with desk(ledger) as client:
        metrics.decided(slow(client.decide("desk", SURE), given_s))
    found = samples(metrics)
    for edge in BUCKETS_S:
        name = ("trimtab_decision_duration_seconds_bucket", "desk", repr(edge), "policy")
        assert found[name] == float(given_s <= edge)
    infinite = ("trimtab_decision_duration_seconds_bucket", "desk", "+Inf", "policy")
    assert found[infinite] == 1.0
    assert found["trimtab_decision_duration_seconds_sum", "desk", "policy"] == given_s
    assert found["trimtab_decision_duration_seconds_count", "desk", "policy"] == 1.0


def slow(decision: Decision, latency_s: float) -> Decision:
    return replace(decision, usage=Usage(latency_s=latency_s))


def test_threads_lose_no_count(ledger: SqliteLedger) -> None:
    with desk(ledger) as client, ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda text: client.decide("desk", text), list(REFERENCES) * 50))
        found = samples(client.metrics)
    counted = sum(v for name, v in found.items() if name[0] == "trimtab_decisions_total")
    assert counted == 50 * len(REFERENCES)


def test_reading_metrics_opens_no_llm(ledger: SqliteLedger) -> None:
    def explode() -> TruthfulExpert:
        raise AssertionError("the LLM was opened")

    served = {"desk": replace(desk_serving(TruthfulExpert()), expert=explode)}
    assert "trimtab_ledger_queue" in Metrics(served, ledger).text()


def test_two_clients_count_apart(ledger: SqliteLedger, tmp_path: Path) -> None:
    with (
        desk(ledger) as first,
        SqliteLedger(tmp_path / "other.sqlite") as other,
        desk(other) as second,
    ):
        first.decide("desk", SURE)
        assert ("trimtab_decisions_total", "desk", "confident", "policy") not in samples(
            second.metrics
        )


def test_observer_of_nodes_may_be_left_out(ledger: SqliteLedger) -> None:
    nodes = desk_nodes(ledger, TruthfulExpert(LLMUnavailable("gone")))
    assert nodes.observer is None
    final = build(nodes).invoke({"text": UNSURE}, context=DecideContext(domain="desk"))
    assert final["decision"]["route"]["reason"] == "degraded"


def test_prediction_of_another_agent_is_no_cost_of_the_llm(ledger: SqliteLedger) -> None:
    metrics = Metrics(desk(ledger).nodes.servings, ledger)
    prediction = Prediction(
        agent="policy", action=0, confidence=0.5, usage=Usage(cost_usd=0.1 + 0.2)
    )
    with desk(ledger) as client:
        decision = replace(
            client.decide("desk", SURE), predictions=(prediction,), usage=prediction.usage
        )
    metrics.decided(decision)
    assert samples(metrics)["trimtab_llm_cost_usd_total", "desk"] == 0.0
