"""The nodes of the graph ``decide``, as functions from state to update.

They know no graph engine: the compiled graph and the SDK's fast path run the same functions and
follow the same channel ``next``. Only :meth:`DecideNodes.human` needs the engine, to interrupt.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from typing import Any, Protocol

from trimtab.agents import human as human_agent
from trimtab.agents.llm import UnreadableReply
from trimtab.domains.questions import worded
from trimtab.errors import (
    ContextOverflow,
    IllegalAction,
    InputError,
    LLMUnavailable,
    ParseError,
    UnknownDomain,
)
from trimtab.graphs.beliefs import LLM, choosable, with_belief
from trimtab.graphs.ids import new_decision_id
from trimtab.graphs.routes import (
    best_route,
    budget_of,
    choose_route,
    over_budget,
    settle_spending,
)
from trimtab.graphs.serving import FEW_SHOT, Observer, Serving
from trimtab.graphs.state import DecideContext, DecideState
from trimtab.protocols import AnyAgent, AnyDomain, Ledger
from trimtab.records import (
    Admission,
    Decision,
    Passage,
    Prediction,
    Route,
    Usage,
    decision_to_json,
    prediction_from_json,
    prediction_to_json,
    route_to_json,
    usage_from_json,
    usage_to_json,
)

logger = logging.getLogger(__name__)
Update = dict[str, Any]


class Node(Protocol):
    """A step of the graph: reads the state, returns the channels that it changes."""

    def __call__(self, state: DecideState) -> Update:
        """Run the step."""
        ...


def utc_now() -> datetime:
    """Return the time of day, aware, in UTC."""
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class DecideNodes:
    """One method a node; each returns the channels it changes.

    Attributes:
        servings: what answers each domain.
        ledger: where decisions go.
        auditor: asks the LLM about a decision in addition, off the caller's path.
        new_id: draws decision ids.
        now: gives the time, aware.
    """

    servings: Mapping[str, Serving]
    ledger: Ledger
    auditor: Callable[[Decision, Serving], None]
    new_id: Callable[[], str] = field(default=new_decision_id)
    now: Callable[[], datetime] = field(default=utc_now)
    observer: Observer | None = None

    def serving(self, name: str) -> Serving:
        """Return what answers a domain.

        Raises:
            UnknownDomain: no domain of that name is served.
        """
        if name not in self.servings:
            raise UnknownDomain(
                f"domain={name!r} is not served; serve it with a bundle, or use one of "
                f"{sorted(self.servings)}"
            )
        return self.servings[name]

    def reset(self, state: DecideState, context: DecideContext) -> Update:
        """Start a decision: clear the channels, check the request, draw the admission."""
        serving = self.serving(context.domain)
        serving.domain.from_text(state["text"])
        # never from the state: a thread's channels outlive a request
        decision_id = context.decision_id or self.new_id()
        admission = Admission(audit=False, propensity=1.0)
        if context.mode == "auto":
            admission = serving.rule.admit(decision_id)
        return {
            "decision_id": decision_id,
            "created_at": self.now().isoformat(),
            "domain": context.domain,
            "bundle_id": serving.bundle_id,
            "mode": context.mode,
            "expert": context.expert,
            "budget": {
                "usd": context.budget_usd,
                "seconds": context.budget_seconds,
                "calls": context.budget_calls,
            },
            "spend_usd_per_1000": context.spend_usd_per_1000,
            "category": context.category,
            "audit": admission.audit,
            "propensity": admission.propensity,
            "predictions": [],
            "steps": [],
            "passages": [],
            "route": {},
            "lost": usage_to_json(Usage()),
            "decision": {},
            "enter": "",
            "next": "route" if context.mode == "llm_only" else "meta_controller",
        }

    def meta_controller(self, state: DecideState) -> Update:
        """Choose the next step, or stop and let the router decide."""
        serving = self.serving(state["domain"])
        trail = _trail(state)
        remaining = choosable(state, trail, serving)
        step = serving.meta_controller.next(trail, remaining, budget_of(state))
        chosen = next((a for a in serving.agents if a.name == step.agent), None)
        if step.agent == LLM and LLM in remaining:
            chosen = serving.expert()
        node = "route" if chosen is None else _before(chosen, serving, state)
        recorded = {
            "agent": step.agent,
            "gains": dict(step.gains),
            "prices": dict(step.prices),
        }
        return {"steps": [recorded], "next": node}

    def retrieve(self, state: DecideState) -> Update:
        """Fetch the labelled examples nearest to the text, for an agent that reads context."""
        serving = self.serving(state["domain"])
        if serving.retriever is None:
            raise InputError(f"domain={state['domain']!r} has no retriever to fetch context from")
        passages = serving.retriever.retrieve(state["text"], k=FEW_SHOT)
        chosen = state["steps"][-1]["agent"] if state["steps"] else None
        plain = [{**asdict(p), "metadata": dict(p.metadata)} for p in passages]
        return {"passages": plain, "next": chosen or state["expert"]}

    def agent(self, name: str) -> Node:
        """Return the node that runs one of the small models."""

        def run(state: DecideState) -> Update:
            serving = self.serving(state["domain"])
            agent = next((agent for agent in serving.agents if agent.name == name), None)
            if agent is None:
                raise InputError(
                    f"domain={state['domain']!r} has no agent {name!r}; go on with one of "
                    f"{[agent.name for agent in serving.agents]}"
                )
            prediction = _predict(agent, serving.domain, state)
            return {"predictions": [prediction_to_json(prediction)], "next": "meta_controller"}

        return run

    def route(self, state: DecideState) -> Update:
        """Decide between the best small model's answer and the expert."""
        serving = self.serving(state["domain"])
        trail = _trail(state)
        route = choose_route(state, trail, serving)
        if any(prediction.agent == route.agent for prediction in trail):
            return {"route": route_to_json(route), "next": "record"}
        if over_budget(state, trail, serving, now=self.now()):
            settle_spending(state, serving, cost_usd=0.0)
            capped = best_route(trail, serving, "budget", route.threshold)
            return {"route": route_to_json(capped), "next": "record"}
        if state["expert"] == "human":
            route = Route(agent="human", reason="human", confidence=None, threshold=route.threshold)
            return {"route": route_to_json(route), "next": "human"}
        return {"route": route_to_json(route), "next": _before(serving.expert(), serving, state)}

    def llm(self, state: DecideState) -> Update:
        """Ask the LLM; where it is gone, show the best small model's answer, marked degraded.

        Raises:
            LLMUnavailable, ParseError, ContextOverflow: and no small model has answered.
        """
        serving = self.serving(state["domain"])
        trail = _trail(state)
        try:
            prediction = _predict(serving.expert(), serving.domain, state)
        except (LLMUnavailable, ParseError, ContextOverflow) as error:
            if self.observer is not None:
                self.observer.failed(state["domain"], error)
            if not trail:
                raise
            degraded = best_route(trail, serving, "degraded", state["route"].get("threshold"))
            logger.warning("degraded: %s shown instead of the LLM: %s", degraded.agent, error)
            lost = error.usage if isinstance(error, UnreadableReply) else Usage()
            settle_spending(state, serving, cost_usd=lost.cost_usd)
            return {
                "route": route_to_json(degraded),
                "lost": usage_to_json(lost),
                "next": "record",
            }
        settle_spending(state, serving, cost_usd=prediction.usage.cost_usd)
        if not state["route"]:  # a step like any other, the router has yet to decide
            return {"predictions": [prediction_to_json(prediction)], "next": "meta_controller"}
        route = {**state["route"], "agent": prediction.agent, "confidence": prediction.confidence}
        return {"predictions": [prediction_to_json(prediction)], "route": route, "next": "record"}

    def human(self, state: DecideState) -> Update:
        """Stop for a person; runs only in the compiled graph, with a checkpointer."""
        from langgraph.types import interrupt

        domain = self.serving(state["domain"]).domain
        question = human_agent.question(domain, state["text"], _trail(state))
        reply = interrupt({**question, "problem": None})
        # a thread keeps every reply: raising would leave it with one that can never be read
        while isinstance(prediction := _read_reply(domain, reply), str):
            reply = interrupt({**question, "problem": prediction})
        return {"predictions": [prediction_to_json(prediction)], "next": "record"}

    def record(self, state: DecideState) -> Update:
        """Write the ledger row."""
        return {"decision": decision_to_json(self.write(state)), "next": "", "enter": ""}

    def write(self, state: DecideState) -> Decision:
        """Return the decision of a finished state, with its ledger row queued.

        A state that was stopped and resumed gives the same row again, which the ledger keeps once.
        """
        decision = self.conclude(state)
        self.ledger.append(decision)
        if self.observer is not None:
            self.observer.decided(decision)
        if decision.audit and all(p.agent != "llm" for p in decision.predictions):
            self.auditor(decision, self.serving(decision.domain))
        return decision

    def conclude(self, state: DecideState) -> Decision:
        """Return the decision that a finished state stands for."""
        serving = self.serving(state["domain"])
        trail = _trail(state)
        route = Route(**state["route"])
        shown = next(prediction for prediction in trail if prediction.agent == route.agent)
        return Decision(
            decision_id=state["decision_id"],
            domain=state["domain"],
            state=state["text"],
            action=shown.action,
            answer=worded(serving.domain.canonical, shown.action),
            route=route,
            predictions=with_belief(state, trail, serving),
            usage=sum((prediction.usage for prediction in trail), usage_from_json(state["lost"])),
            bundle_id=state["bundle_id"],
            propensity=state["propensity"],
            created_at=datetime.fromisoformat(state["created_at"]),
            audit=state["audit"],
            category=state.get("category", ""),
        )


def _trail(state: DecideState) -> list[Prediction]:
    return [prediction_from_json(plain) for plain in state["predictions"]]


def _before(agent: AnyAgent, serving: Serving, state: DecideState) -> str:
    """Return ``retrieve`` where the agent needs context that is not there yet, else its node."""
    needs_context = agent.reads_context and serving.retriever is not None
    return "retrieve" if needs_context and not state["passages"] else agent.name


def _read_reply(domain: AnyDomain, reply: object) -> Prediction | str:
    """Return a person's answer, or what is wrong with the reply."""
    try:
        return human_agent.read_reply(domain, reply)
    except IllegalAction as error:
        return str(error)


def _predict(agent: AnyAgent, domain: AnyDomain, state: DecideState) -> Prediction:
    context: list[list[Passage]] = []
    if agent.reads_context:
        context = [[Passage(**plain) for plain in state["passages"]]]
    return agent.predict([domain.from_text(state["text"])], context=context)[0]
