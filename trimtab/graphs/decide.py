"""The graph ``decide``: one request in, one decision and one ledger row out."""

from __future__ import annotations

from typing import Any, Protocol

from langgraph.graph import END, START, StateGraph
from langgraph.graph.state import CompiledStateGraph
from langgraph.runtime import Runtime
from langgraph.types import Checkpointer

from trimtab.graphs.channels import (
    DecideChannels,
    NextChannel,
    reset_update,
    state_of,
    step_update,
)
from trimtab.graphs.events import event
from trimtab.graphs.nodes import DecideNodes, Node, Update
from trimtab.graphs.state import DecideContext, DecideInput

Graph = CompiledStateGraph[DecideChannels, DecideContext, Any, DecideChannels]

_SILENT: Runtime[None] = Runtime()
NOBODY = _SILENT.stream_writer
"""Takes the events of a run that nobody streams; they are not even made then."""

DESCRIPTIONS = {
    "reset": "Clears the channels, checks the request, draws the audit.",
    "meta_controller": "Chooses the next small model, cheapest first, or stops.",
    "retrieve": "Fetches labelled examples for an agent that reads context.",
    "policy": "Small text models: exact cache, static embeddings, MiniLM.",
    "route": "Shows the small models' answer, or sends the request to the expert.",
    "llm": "Asks the LLM behind the OpenAI-compatible API.",
    "human": "Stops and asks a person.",
    "record": "Writes the decision to the ledger.",
}
SUCCESSORS = {
    "reset": ("meta_controller", "route"),
    "meta_controller": ("retrieve", "policy", "route"),
    "retrieve": ("policy", "llm"),
    "policy": ("meta_controller",),
    "route": ("retrieve", "llm", "human", "record"),
    "llm": ("record",),
    "human": ("record",),
}


def build(
    nodes: DecideNodes,
    *,
    checkpointer: Checkpointer = None,
    resumable: bool = False,
) -> Graph:
    """Return the compiled graph.

    Args:
        nodes: what the nodes do.
        checkpointer: keeps threads; needed for the expert ``human``.
        resumable: take the channels of a half-finished decision as input and enter at their
            ``enter`` node, as the SDK does to escalate; otherwise the input is a
            :class:`DecideInput`.
    """

    def reset(state: DecideChannels, runtime: Runtime[DecideContext]) -> Update:
        # the engine passes None where the caller gives no context
        context = DecideContext() if runtime.context is None else runtime.context
        update = nodes.reset(state_of(state), context)
        if runtime.stream_writer is not NOBODY:
            runtime.stream_writer(event("reset", update, canonical=str))
        return reset_update(update, state)

    graph: StateGraph[DecideChannels, DecideContext, Any, DecideChannels] = StateGraph(
        DecideChannels,
        context_schema=DecideContext,
        input_schema=DecideChannels if resumable else DecideInput,
    )
    actions: dict[str, Node] = {
        "meta_controller": nodes.meta_controller,
        "retrieve": nodes.retrieve,
        "policy": nodes.agent("policy"),
        "route": nodes.route,
        "llm": nodes.llm,
        "human": nodes.human,
        "record": nodes.record,
    }
    graph.add_node("reset", reset, metadata={"description": DESCRIPTIONS["reset"]})
    for name, action in actions.items():
        graph.add_node(
            name, telling(name, action, nodes), metadata={"description": DESCRIPTIONS[name]}
        )
    if resumable:
        graph.add_conditional_edges(START, entry, list(DESCRIPTIONS))
    else:
        graph.add_edge(START, "reset")
    for name, successors in SUCCESSORS.items():
        graph.add_conditional_edges(name, follow, list(successors))
    graph.add_edge("record", END)
    return graph.compile(checkpointer=checkpointer, name="decide")


class TellingNode(Protocol):
    """A step that streams what it did."""

    def __call__(self, state: DecideChannels, runtime: Runtime[DecideContext]) -> Update:
        """Run the step."""
        ...


def telling(name: str, action: Node, nodes: DecideNodes) -> TellingNode:
    """Return the step as a node that streams what it did."""

    def run(state: DecideChannels, runtime: Runtime[DecideContext]) -> Update:
        flat = state_of(state)
        update = action(flat)
        if runtime.stream_writer is not NOBODY:
            domain = nodes.serving(flat["domain"]).domain
            runtime.stream_writer(event(name, update, canonical=domain.canonical))
        return step_update(update, state)

    return run


def follow(state: NextChannel) -> str:
    """Return the node that the last one named."""
    return state["next"]


def entry(state: DecideChannels) -> str:
    """Return the node at which a half-finished decision enters, ``reset`` for a new one."""
    return state.get("enter") or "reset"
