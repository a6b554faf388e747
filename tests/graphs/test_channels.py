"""Channels and state say the same, and nothing of an earlier request is left."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from langgraph.checkpoint.memory import InMemorySaver

from tests.desk import TruthfulExpert, desk_nodes
from trimtab.graphs.channels import CHANNELS, channels_of, state_of
from trimtab.graphs.decide import build
from trimtab.graphs.state import DecideContext, DecideState
from trimtab.ledger import SqliteLedger

CONTEXT = DecideContext(domain="desk")


def test_whole_state_survives_the_channels(tmp_path: Path) -> None:
    with SqliteLedger(tmp_path / "ledger.sqlite") as ledger:
        nodes = desk_nodes(ledger, TruthfulExpert())
        state: DecideState = {"text": "where is my parcel"}
        state.update(nodes.reset(state, CONTEXT))
    channels = channels_of(state)
    assert set(channels) <= CHANNELS
    assert state_of(channels) == state
    assert state_of(json.loads(json.dumps(channels))) == state


@pytest.mark.parametrize("first", ["screen stays black", "where is my parcel"])
@pytest.mark.parametrize("second", ["screen stays black", "where is my parcel"])
def test_a_used_thread_ends_as_a_fresh_one(tmp_path: Path, first: str, second: str) -> None:
    with SqliteLedger(tmp_path / "ledger.sqlite") as ledger:
        graph = build(desk_nodes(ledger, TruthfulExpert()), checkpointer=InMemorySaver())
        used: Any = {"configurable": {"thread_id": "used"}}
        fresh: Any = {"configurable": {"thread_id": "fresh"}}
        graph.invoke({"text": first}, used, context=CONTEXT)
        after = state_of(graph.invoke({"text": second}, used, context=CONTEXT))
        alone = state_of(graph.invoke({"text": second}, fresh, context=CONTEXT))
    differing = {name for name in alone if after[name] != alone[name]}
    assert differing == {"decision_id", "created_at", "decision"}
