"""The bench of the graph on a few decisions: its form, and that the empty graphs are empty."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.desk import TruthfulExpert, desk_nodes
from trimtab.bench.graph import run
from trimtab.graphs.decide import build
from trimtab.graphs.hollow import build_hollow, record_walk
from trimtab.graphs.state import DecideContext
from trimtab.ledger import SqliteLedger

CONTEXT = DecideContext(domain="desk")


@pytest.fixture(scope="module")
def result() -> dict[str, Any]:
    return run(rounds=2, texts=3, requests=3)


def test_every_figure_was_measured(result: dict[str, Any]) -> None:
    assert result["name"] == "graph"
    assert all(measure["value"] > 0.0 for measure in result["measures"].values())


def test_bars_are_on_rates_and_ratios(result: dict[str, Any]) -> None:
    assert set(result["bars"]) == {
        "sdk_decisions_per_cpu_s",
        "graph_vs_empty",
        "graph_sqlite_vs_empty",
    }


@pytest.mark.parametrize("carrying", [False, True])
def test_empty_graph_walks_the_same_nodes_and_decides_nothing(
    tmp_path: Path, carrying: bool
) -> None:
    with SqliteLedger(tmp_path / "ledger.sqlite") as ledger:
        walk = record_walk(build(desk_nodes(ledger, TruthfulExpert())), "my parcel", CONTEXT)
        hollow = build_hollow(walk, carrying=carrying)
        given = {"text": "x"} if carrying else {"next": "x"}
        for _ in range(2):
            steps = [
                node
                for update in hollow.stream(given, context=CONTEXT, stream_mode="updates")
                for node in update
            ]
            assert steps == [node for node, _ in walk]
        ledger.flush()
        assert len(list(ledger.scan())) == 1
