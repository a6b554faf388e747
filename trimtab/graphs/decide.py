"""The graph ``decide``: one request in, one decision and one ledger row out."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Protocol

from langgraph.graph import END, START, StateGraph
from langgraph.graph.state import CompiledStateGraph
from langgraph.runtime import Runtime
from langgraph.types import Checkpointer

from trimtab.errors import ConfigError, LedgerError, TrimtabError
from trimtab.graphs.channels import (
    DecideChannels,
    NextChannel,
    reset_update,
    state_of,
    step_update,
)
from trimtab.graphs.events import event, is_streamed
from trimtab.graphs.nodes import DecideNodes, Node, Update
from trimtab.graphs.serving import Serving
from trimtab.graphs.state import DecideContext, DecideInput, DecideState
from trimtab.records import decision_to_json

Graph = CompiledStateGraph[DecideChannels, DecideContext, Any, DecideChannels]

OUTPUT = ["decision"]
"""``output_keys`` of a run whose caller wants the decision alone; without them the engine reads
every channel after every step, for those who look at the state."""

DIGEST_CHARS = 8

DESCRIPTIONS = {
    "reset": "Clears the channels, checks the request, draws the audit.",
    "meta_controller": "Chooses the next step, by expected gain or cheapest first, or stops.",
    "retrieve": "Fetches labelled examples for an agent that reads context.",
    "policy": "The domain's own small models: text tiers, or a net without search.",
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
AGENTS = {
    "policy": DESCRIPTIONS["policy"],
    "mcts": "A tree search that the net guides.",
    "mcts_600": "The same search with 600 simulations.",
    "trm": "A tiny recursive net that answers the whole puzzle.",
    "hrm": "A hierarchical recursive net that answers the whole puzzle.",
    "trm_restarts": "Noisy runs of the same net; the one it believes most is kept.",
    "hrm_restarts": "Noisy runs of the same net; the one it believes most is kept.",
    "exact": "A search that ends with a proof, guided by the net.",
}
"""What is known of agents by name; others are described by their domains."""


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

    Raises:
        ConfigError: an agent has the name of another step.
    """
    agents = small_models(nodes.servings)

    def reset(state: DecideChannels, runtime: Runtime[DecideContext]) -> Update:
        # the engine passes None where the caller gives no context
        context = DecideContext() if runtime.context is None else runtime.context
        update = shown_by_servers(runtime, lambda: nodes.reset(state_of(state), context))
        if is_streamed(runtime.stream_writer):
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
        **{name: nodes.agent(name) for name in agents},
        "route": nodes.route,
        "llm": nodes.llm,
        "human": nodes.human,
        "record": nodes.record,
    }
    graph.add_node("reset", reset, metadata={"description": DESCRIPTIONS["reset"]})
    for name, action in actions.items():
        described = agents.get(name) or DESCRIPTIONS[name]
        graph.add_node(name, telling(name, action, nodes), metadata={"description": described})
    if resumable:
        graph.add_conditional_edges(START, entry, ["reset", *actions])
    else:
        graph.add_edge(START, "reset")
    asking = any(serving.asks_expert for serving in nodes.servings.values())
    for name, following in successors(agents, asking=asking).items():
        graph.add_conditional_edges(name, follow, list(following))
    graph.add_edge("record", END)
    return graph.compile(checkpointer=checkpointer, name="decide")


def small_models(servings: Mapping[str, Serving]) -> dict[str, str]:
    """Return the description of each agent that is a node, by name, in the order of the domains.

    Raises:
        ConfigError: an agent has the name of another step.
    """
    domains: dict[str, list[str]] = {}
    for domain, serving in servings.items():
        for agent in serving.agents:
            domains.setdefault(agent.name, []).append(domain)
    for name in domains:
        if name in DESCRIPTIONS and name not in AGENTS:
            raise ConfigError(
                f"agent {name!r} of domain {domains[name][0]!r} has the name of a step of the "
                f"graph; give it another than {sorted(set(DESCRIPTIONS) - set(AGENTS))}"
            )
    return {
        name: AGENTS.get(name, f"The agent {name} of {', '.join(found)}.")
        for name, found in domains.items()
    }


def successors(agents: Iterable[str], *, asking: bool = False) -> dict[str, tuple[str, ...]]:
    """Return the nodes that may follow each one, with these agents in the place of ``policy``.

    Args:
        agents: names of the small models.
        asking: whether a meta-controller may choose the LLM as a step.
    """
    names = tuple(agents)
    edges: dict[str, tuple[str, ...]] = {}
    for node, following in SUCCESSORS.items():
        after = tuple(n for name in following for n in (names if name == "policy" else (name,)))
        edges |= dict.fromkeys(names, after) if node == "policy" else {node: after}
    if asking:
        edges["meta_controller"] += ("llm",)
        edges["llm"] += ("meta_controller",)
    return edges


class TellingNode(Protocol):
    """A step that streams what it did."""

    def __call__(self, state: DecideChannels, runtime: Runtime[DecideContext]) -> Update:
        """Run the step."""
        ...


def telling(name: str, action: Node, nodes: DecideNodes) -> TellingNode:
    """Return the step as a node that streams what it did."""

    def run(state: DecideChannels, runtime: Runtime[DecideContext]) -> Update:
        flat = state_of(state)
        if name == "record":
            flat = under_own_id(flat, nodes, thread=_thread(runtime))
        update = shown_by_servers(runtime, lambda: action(flat))
        if is_streamed(runtime.stream_writer):
            domain = nodes.serving(flat["domain"]).domain
            runtime.stream_writer(event(name, update, canonical=domain.canonical))
        return step_update(update, state)

    return run


class ServedError(RuntimeError):
    """An error of trimtab on a server, which would not show the message of another class."""


def shown_by_servers(runtime: Runtime[Any], act: Callable[[], Update]) -> Update:
    """Return what a step returns; on a server, its errors of trimtab are :class:`ServedError`."""
    try:
        return act()
    except TrimtabError as error:
        if runtime.server_info is None:
            raise
        raise ServedError(f"{type(error).__name__}: {error}") from error


def under_own_id(state: DecideState, nodes: DecideNodes, *, thread: str | None) -> DecideState:
    """Return the state, under a new id if its own stands for another decision already.

    That is so where a person forks a thread whose decision was recorded: the fork decides again.
    The new id follows from the decision, so that a fork that is stopped and resumed has one row.

    Args:
        state: all of it but the decision.
        nodes: conclude it, and know the ledger.
        thread: of the run; None, or the decision's own id, for one that nobody forks.
    """
    if thread is None or thread == state["decision_id"]:
        return state
    decision = nodes.conclude(state)
    try:
        recorded = nodes.ledger.get(decision.decision_id)
    except LedgerError:
        return state
    if recorded == decision:
        return state
    text = json.dumps(decision_to_json(decision), sort_keys=True)
    digest = hashlib.sha256(text.encode()).hexdigest()[:DIGEST_CHARS]
    return {**state, "decision_id": f"{decision.decision_id}-{digest}"}


def follow(state: NextChannel) -> str:
    """Return the node that the last one named."""
    return state["next"]


def entry(state: DecideChannels) -> str:
    """Return the node at which a half-finished decision enters, ``reset`` for a new one."""
    return state.get("enter") or "reset"


def _thread(runtime: Runtime[DecideContext]) -> str | None:
    return None if runtime.execution_info is None else runtime.execution_info.thread_id
