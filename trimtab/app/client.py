"""The SDK: decide, give feedback, report.

The fast path runs the graph's node functions directly and enters the compiled graph only where
the expert is asked: a compiled graph costs a hundred times what the small models cost.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, cast

from trimtab.app.serving import LLM, ExpertFactory, bundle_servings, shipped_bundle
from trimtab.errors import ConfigError, InputError
from trimtab.graphs.ids import new_decision_id
from trimtab.graphs.nodes import DecideNodes, utc_now
from trimtab.graphs.serving import Serving
from trimtab.graphs.state import ADDITIVE, DecideContext, DecideState
from trimtab.ledger import SqliteLedger
from trimtab.protocols import Ledger
from trimtab.records import (
    Budget,
    Decision,
    Mode,
    Outcome,
    OutcomeSource,
    decision_from_json,
)
from trimtab.settings import Settings, load_settings

if TYPE_CHECKING:
    from trimtab.graphs.decide import Graph

EXPERT_NODES = ("retrieve", "llm", "human")
"""Nodes that the fast path leaves to the compiled graph."""

AskHuman = Callable[[Mapping[str, Any]], str | int]


class Trimtab:
    """Decides with small models first and asks the LLM only where they are unsure.

    Safe to use from several threads. Use it as a context manager, or call :meth:`close`.

    Args:
        bundles: folder of the bundle that answers each domain; the shipped ``assistant`` if
            neither bundles nor servings are given.
        servings: what answers a domain that no bundle makes.
        ledger: where decisions go; ``settings.ledger`` if None.
        expert: makes the agent that stands in for the LLM of a bundle's domain; the LLM of the
            settings if None.
        ask_human: answers a question of the expert ``human``; needed for that expert only.
        settings: read from the environment if None.
        new_id: draws decision ids; give a seeded source for repeatable ledgers.
        now: gives the time, aware.
    """

    def __init__(
        self,
        *,
        bundles: Mapping[str, Path | str] | None = None,
        servings: Mapping[str, Serving] | None = None,
        ledger: Ledger | None = None,
        expert: ExpertFactory | None = None,
        ask_human: AskHuman | None = None,
        settings: Settings | None = None,
        new_id: Callable[[], str] = new_decision_id,
        now: Callable[[], datetime] = utc_now,
    ) -> None:
        self.settings = settings or load_settings()
        self._ask_human = ask_human
        self._llm = LLM(self.settings)
        if not bundles and not servings:
            bundles = {"assistant": shipped_bundle("assistant")}
        served = bundle_servings(
            bundles or {}, settings=self.settings, expert=expert or self._llm.agent
        )
        self._owns_ledger = ledger is None
        if ledger is None:
            self.settings.ledger.parent.mkdir(parents=True, exist_ok=True)
            ledger = SqliteLedger(self.settings.ledger)
        self.ledger: Ledger = ledger
        self.nodes = DecideNodes(
            servings={**served, **(servings or {})}, ledger=self.ledger, new_id=new_id, now=now
        )

    @property
    def domains(self) -> list[str]:
        """Return the names of the domains that are served."""
        return sorted(self.nodes.servings)

    @cached_property
    def graph(self) -> Graph:
        """Return the compiled graph that escalations run through."""
        from langgraph.checkpoint.memory import InMemorySaver

        from trimtab.graphs.decide import build

        checkpointer = InMemorySaver() if self._ask_human else None
        return build(self.nodes, checkpointer=checkpointer, resumable=True)

    def decide(
        self,
        domain: str,
        text: str,
        *,
        mode: Mode = "auto",
        human: bool = False,
        budget: Budget | None = None,
        decision_id: str | None = None,
    ) -> Decision:
        """Return the decision on a text; its ledger row is queued.

        Args:
            domain: name of a served domain.
            text: the request.
            mode: ``auto`` routes by confidence, ``neural_only`` never asks the expert,
                ``llm_only`` always does.
            human: ask a person instead of the LLM where the small models are unsure.
            budget: hard limits of this decision.
            decision_id: an id of the caller's own; drawn if None.

        Raises:
            InputError: the request cannot be used; the message names field, value and remedy.
            LLMError: ``llm_only``, and the LLM gave no usable answer.
        """
        context = self._context(
            domain, mode=mode, human=human, budget=budget, decision_id=decision_id
        )
        return self._finish(self._start(text, context), context)

    def decide_many(
        self,
        domain: str,
        texts: Sequence[str],
        *,
        mode: Mode = "auto",
        budget: Budget | None = None,
    ) -> list[Decision]:
        """Return one decision per text, in order; the LLM is asked several at a time.

        A bad text raises before any LLM is asked; what was decided before it is kept.
        """
        context = self._context(domain, mode=mode, budget=budget)
        started = [self._start(text, context) for text in texts]
        waiting = [state for state in started if not isinstance(state, Decision)]
        if not waiting:
            return [decision for decision in started if isinstance(decision, Decision)]
        with ThreadPoolExecutor(self.settings.llm_max_concurrency) as pool:
            finished = dict(
                zip(
                    map(id, waiting),
                    pool.map(lambda state: self._finish(state, context), waiting),
                    strict=True,
                )
            )
        return [s if isinstance(s, Decision) else finished[id(s)] for s in started]

    def feedback(
        self,
        decision_id: str,
        *,
        answer: str | None = None,
        reward: float | None = None,
        source: OutcomeSource = "user",
    ) -> Outcome:
        """Record what became of a decision, durably, and return it.

        Args:
            decision_id: a decision of this ledger.
            answer: the right answer; the reward is then 1 if it is the one that was shown.
            reward: how good the shown answer was, in [0, 1]; one of the two must be given.
            source: who says so.

        Raises:
            InputError: neither or both of ``answer`` and ``reward``, or a reward outside [0, 1].
            LedgerError: no such decision.
        """
        if (answer is None) == (reward is None):
            raise InputError(f"answer={answer!r}, reward={reward!r}: give exactly one of the two")
        if reward is not None and not 0.0 <= reward <= 1.0:
            raise InputError(f"reward={reward} is not in [0, 1]; give 1 for right, 0 for wrong")
        reference = None
        if answer is not None:
            self.ledger.flush()
            decision = self.ledger.get(decision_id)
            reference = self.nodes.serving(decision.domain).domain.canonical(answer)
            reward = float(reference == decision.answer)
        outcome = Outcome(
            decision_id=decision_id, reward=cast(float, reward), source=source, reference=reference
        )
        self.ledger.resolve(outcome).result()
        return outcome

    def report(self, domain: str | None = None, *, volume: int | None = None) -> dict[str, Any]:
        """Return the report on the ledger as one JSON object.

        Args:
            domain: only this domain; all if None.
            volume: decisions per month, for the monthly figure.
        """
        from trimtab.evals.report import ledger_report

        self.flush()
        canonical = {name: served.domain.canonical for name, served in self.nodes.servings.items()}
        return ledger_report(self.ledger.scan(domain=domain), volume=volume, canonical=canonical)

    def flush(self) -> None:
        """Return once every decision so far is durable."""
        self.ledger.flush()

    def close(self) -> None:
        """Flush the ledger and stop the embedded LLM, if one was started."""
        self._llm.close()
        if self._owns_ledger:
            self.ledger.close()
        else:
            self.ledger.flush()

    def __enter__(self) -> Trimtab:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _context(
        self,
        domain: str,
        *,
        mode: Mode,
        human: bool = False,
        budget: Budget | None = None,
        decision_id: str | None = None,
    ) -> DecideContext:
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
            decision_id=decision_id or "",
        )

    def _start(self, text: str, context: DecideContext) -> DecideState | Decision:
        """Run the nodes up to the decision, or to the first one that belongs to the graph."""
        state: DecideState = {"text": text, "next": "reset"}
        _apply(state, self.nodes.reset(state, context))
        while state["next"] not in EXPERT_NODES:
            if state["next"] == "record":
                return self.nodes.write(state)
            _apply(state, self._run(state["next"], state))
        return state

    def _run(self, node: str, state: DecideState) -> dict[str, Any]:
        if node == "meta_controller":
            return self.nodes.meta_controller(state)
        if node == "route":
            return self.nodes.route(state)
        return self.nodes.agent(node)(state)

    def _finish(self, state: DecideState | Decision, context: DecideContext) -> Decision:
        """Return the decision, running the compiled graph where the expert is still to be asked."""
        if isinstance(state, Decision):
            return state
        from langgraph.types import Command

        config: Any = {"configurable": {"thread_id": state["decision_id"]}}
        entering: Any = {**state, "enter": state["next"]}
        final: dict[str, Any] = self.graph.invoke(entering, config, context=context)
        while "__interrupt__" in final and self._ask_human is not None:
            reply = self._ask_human(final["__interrupt__"][0].value)
            final = self.graph.invoke(Command(resume=reply), config, context=context)
        return decision_from_json(final["decision"])


def _apply(state: DecideState, update: Mapping[str, Any]) -> None:
    """Merge an update as the graph's channels do; ``reset`` starts them empty."""
    channels = cast(dict[str, Any], state)
    for name, value in update.items():
        if name in ADDITIVE:
            channels[name] = [*channels.get(name, ()), *value]
        else:
            channels[name] = value
