"""The graph ``decide`` with steps that do nothing: what its engine alone costs."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

from langgraph.graph import END, START, StateGraph
from langgraph.graph.state import CompiledStateGraph
from langgraph.runtime import Runtime
from langgraph.types import Checkpointer

from trimtab.graphs.channels import DecideChannels, NextChannel
from trimtab.graphs.decide import SUCCESSORS, Graph, follow
from trimtab.graphs.state import DecideContext, DecideInput

Walk = Sequence[tuple[str, dict[str, Any]]]
Hollow = CompiledStateGraph[Any, DecideContext, Any, Any]


def record_walk(graph: Graph, text: str, context: DecideContext) -> Walk:
    """Return the steps that one request runs through, each with what it writes."""
    return [
        (node, update)
        for updates in graph.stream({"text": text}, context=context, stream_mode="updates")
        for node, update in updates.items()
    ]


def build_hollow(walk: Walk, *, carrying: bool, checkpointer: Checkpointer = None) -> Hollow:
    """Return a graph with the nodes and edges of ``decide`` that walks a recorded walk for ever.

    It is for one run at a time: a step knows its place by counting.

    Args:
        walk: of one request.
        carrying: have the channels of ``decide`` and write to them what was recorded; otherwise
            there is one channel, which names the next node.
        checkpointer: as for ``decide``.
    """
    followers = [*(node for node, _ in walk[1:]), ""]
    writes = [
        update if carrying else {"next": following}
        for (_, update), following in zip(walk, followers, strict=True)
    ]
    endless = itertools.cycle(writes)

    def step(state: Any, runtime: Runtime[DecideContext]) -> dict[str, Any]:  # noqa: ANN401
        return next(endless)

    channels: Any = DecideChannels if carrying else NextChannel
    graph: StateGraph[Any, DecideContext, Any, Any] = StateGraph(
        channels,
        context_schema=DecideContext,
        input_schema=DecideInput if carrying else NextChannel,
    )
    for node in (*SUCCESSORS, "record"):
        graph.add_node(node, step, input_schema=channels)
    graph.add_edge(START, "reset")
    for name, successors in SUCCESSORS.items():
        graph.add_conditional_edges(name, follow, list(successors))
    graph.add_edge("record", END)
    return graph.compile(checkpointer=checkpointer, name="hollow")
