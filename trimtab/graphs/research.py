"""The graph ``research``: one question in, one cited answer and one ledger row out."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from langgraph.graph import END, START, StateGraph
from langgraph.graph.state import CompiledStateGraph
from langgraph.runtime import Runtime
from langgraph.types import Checkpointer, Send

from trimtab.agents.planning import plan_to_json
from trimtab.graphs import research_drafts, research_nodes, research_record
from trimtab.graphs.decide import shown_by_servers
from trimtab.graphs.research_kit import ResearchKit
from trimtab.graphs.research_state import (
    ResearchContext,
    ResearchInput,
    ResearchState,
    Update,
    wave_of,
)

Graph = CompiledStateGraph[ResearchState, ResearchContext, Any, ResearchState]

Step = Callable[[ResearchState, ResearchKit], Update]


class RunNode(Protocol):
    """A step as the engine calls it."""

    def __call__(self, state: ResearchState, runtime: Runtime[ResearchContext]) -> Update:
        """Run the step."""
        ...


OUTPUT = ["answer"]
"""``output_keys`` of a run whose caller wants the answer alone."""
DESCRIPTIONS = {
    "plan": "Splits the question into at most six sub-questions, by rules or by the LLM.",
    "retrieve": "Finds passages for one sub-question; one of these runs for each.",
    "select": "Chooses the passages that are read.",
    "answer_extractive": "Takes the sentences that answer best, and how sure that is.",
    "route": "Shows the sentences, says that the corpus does not say, or asks the LLM.",
    "answer_llm": "Asks the LLM for claims with the passages that state them.",
    "verify": "Checks each citation against its passage; drops what is not supported.",
    "critique": "Judges the draft, keeps the best one, and says what is wrong with it.",
    "revise": "Mends the draft.",
    "record": "Puts the best draft into words and writes the ledger row.",
}
SUCCESSORS = {
    "answer_llm": ("verify",),
    "route": ("answer_llm", "verify"),
    "critique": ("revise", "record"),
}


def build(kit: ResearchKit, *, checkpointer: Checkpointer = None) -> Graph:
    """Return the compiled graph.

    Args:
        kit: what the steps work with.
        checkpointer: keeps threads.
    """
    graph: StateGraph[ResearchState, ResearchContext, Any, ResearchState] = StateGraph(
        ResearchState, context_schema=ResearchContext, input_schema=ResearchInput
    )

    def plan(state: ResearchState, runtime: Runtime[ResearchContext]) -> Update:
        # the engine passes None where the caller gives no context
        context = ResearchContext() if runtime.context is None else runtime.context
        return shown_by_servers(runtime, lambda: research_nodes.plan(state, context, kit))

    graph.add_node("plan", plan, metadata={"description": DESCRIPTIONS["plan"]})

    steps: dict[str, Step] = {
        "retrieve": research_nodes.retrieve,
        "select": research_nodes.select,
        "answer_extractive": research_nodes.answer_extractive,
        "route": research_nodes.route,
        "answer_llm": research_drafts.answer_llm,
        "verify": research_drafts.verify,
        "critique": research_drafts.critique,
        "revise": research_drafts.revise,
        "record": research_record.record,
    }
    for name, step in steps.items():
        described = {"description": DESCRIPTIONS[name]}
        graph.add_node(name, _node(step, kit), metadata=described)
    graph.add_edge(START, "plan")
    graph.add_conditional_edges("plan", fan_out, ["retrieve"])
    graph.add_edge("retrieve", "select")
    graph.add_edge("select", "answer_extractive")
    graph.add_conditional_edges("answer_extractive", deeper, ["retrieve", "route"])
    for name, following in SUCCESSORS.items():
        graph.add_conditional_edges(name, follow, list(following))
    graph.add_edge("verify", "critique")
    graph.add_edge("revise", "verify")
    graph.add_edge("record", END)
    return graph.compile(checkpointer=checkpointer, name="research")


def fan_out(state: ResearchState) -> list[Send]:
    """Return one search for each sub-question of the wave; they run side by side."""
    return [
        Send("retrieve", {"request": state["request"], "plan": {**state["plan"], "items": [one]}})
        for one in plan_to_json(wave_of(state, state["wave"]))
    ]


def deeper(state: ResearchState) -> list[Send] | str:
    """Return the searches of the next wave, or the router where there is none."""
    return fan_out(state) if state["next"] == "retrieve" else "route"


def follow(state: ResearchState) -> str:
    """Return the node that the last one named."""
    return state["next"]


def _node(step: Step, kit: ResearchKit) -> RunNode:
    def run(state: ResearchState, runtime: Runtime[ResearchContext]) -> Update:
        return shown_by_servers(runtime, lambda: step(state, kit))

    return run
