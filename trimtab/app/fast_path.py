"""The fast path: the graph's node functions without the graph engine, until the expert is asked.

A compiled graph costs a hundred times what the small models cost, so it is entered only where
its price vanishes beside the expert's.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from typing import TYPE_CHECKING, Any, cast

from trimtab.errors import ConfigError, IllegalAction
from trimtab.graphs.nodes import DecideNodes
from trimtab.graphs.state import ADDITIVE, DecideContext, DecideState
from trimtab.records import Budget, Decision, Mode, decision_from_json

if TYPE_CHECKING:
    from trimtab.graphs.decide import Graph

EXPERT_NODES = ("retrieve", "llm", "human")
"""Nodes that are left to the compiled graph."""

AskHuman = Callable[[Mapping[str, Any]], str | int]


class FastPath:
    """Runs decisions over one set of nodes; safe to use from several threads.

    Args:
        nodes: what the nodes do.
        ask_human: answers the questions of the expert ``human``.
    """

    def __init__(self, nodes: DecideNodes, ask_human: AskHuman | None) -> None:
        self.nodes = nodes
        self._ask_human = ask_human

    @cached_property
    def graph(self) -> Graph:
        """Return the compiled graph that escalations run through."""
        from langgraph.checkpoint.memory import InMemorySaver

        from trimtab.graphs.decide import build

        checkpointer = InMemorySaver() if self._ask_human else None
        return build(self.nodes, checkpointer=checkpointer, resumable=True)

    def context(
        self,
        domain: str,
        *,
        mode: Mode,
        human: bool = False,
        budget: Budget | None = None,
        spend_usd_per_1000: float | None = None,
        decision_id: str | None = None,
        category: str = "",
    ) -> DecideContext:
        """Return the settings of one run.

        Raises:
            ConfigError: a person is to be asked, and there is nobody to ask.
            InputError: a setting is not known or not in its range.
        """
        if human and self._ask_human is None:
            raise ConfigError("human=True needs someone to ask; construct Trimtab(ask_human=...)")
        limits = budget or Budget()
        return DecideContext(
            domain=domain,
            mode=mode,
            expert="human" if human else "llm",
            budget_usd=limits.usd,
            budget_seconds=limits.seconds,
            budget_calls=limits.calls,
            spend_usd_per_1000=spend_usd_per_1000,
            decision_id=decision_id or "",
            category=category,
        )

    def start(self, text: str, context: DecideContext) -> DecideState | Decision:
        """Run the nodes up to the decision, or to the first one that belongs to the graph."""
        state: DecideState = {"text": text, "next": "reset"}
        _apply(state, self.nodes.reset(state, context))
        while state["next"] not in EXPERT_NODES:
            if state["next"] == "record":
                return self.nodes.write(state)
            _apply(state, self._run(state["next"], state))
        return state

    def finish(self, state: DecideState | Decision, context: DecideContext) -> Decision:
        """Return the decision, running the compiled graph where the expert is still to be asked."""
        if isinstance(state, Decision):
            return state
        from langgraph.types import Command

        from trimtab.graphs.channels import channels_of
        from trimtab.graphs.decide import OUTPUT

        config: Any = {"configurable": {"thread_id": state["decision_id"]}}
        entering: Any = channels_of({**state, "enter": state["next"]})
        final: dict[str, Any] = self.graph.invoke(
            entering, config, context=context, output_keys=OUTPUT
        )
        while "__interrupt__" in final and self._ask_human is not None:
            question = final["__interrupt__"][0].value
            if question["problem"] is not None:
                raise IllegalAction(question["problem"])
            reply = self._ask_human(question)
            final = self.graph.invoke(
                Command(resume=reply), config, context=context, output_keys=OUTPUT
            )
        return decision_from_json(final["decision"])

    def many(self, texts: Sequence[str], context: DecideContext, *, workers: int) -> list[Decision]:
        """Return one decision per text, in order; the graph runs several at a time."""
        started = [self.start(text, context) for text in texts]
        if all(isinstance(state, Decision) for state in started):
            return [self.finish(state, context) for state in started]
        with ThreadPoolExecutor(workers) as pool:
            return list(pool.map(lambda state: self.finish(state, context), started))

    def _run(self, node: str, state: DecideState) -> dict[str, Any]:
        if node == "meta_controller":
            return self.nodes.meta_controller(state)
        if node == "route":
            return self.nodes.route(state)
        return self.nodes.agent(node)(state)


def _apply(state: DecideState, update: Mapping[str, Any]) -> None:
    """Merge an update as the graph's channels do; ``reset`` starts them empty."""
    channels = cast(dict[str, Any], state)
    for name, value in update.items():
        if name in ADDITIVE:
            channels[name] = [*channels.get(name, ()), *value]
        else:
            channels[name] = value
