"""What answers one domain: the small models, the expert behind them, and the rule between."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from trimtab.agents.routing import SpendingRule
from trimtab.errors import LLMError
from trimtab.protocols import (
    AnsweringController,
    AnyAgent,
    AnyDomain,
    MetaController,
    Retriever,
    RoutingRule,
)
from trimtab.records import Decision

FEW_SHOT = 4
"""Labelled examples that an agent reading context is given."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Serving:
    """All that answers one domain; replaced as a whole, never altered.

    Attributes:
        domain: rules and text form.
        agents: the small models, cheapest first.
        meta_controller: chooses among ``agents``.
        rule: decides between their answer and the expert in mode ``auto``.
        spending: does so in mode ``adaptive``.
        expert: gives the LLM agent; called on first use only, because opening it may be slow.
        expert_id: the LLM, as its predictions' tier names it; certificates hold for it alone.
        expert_price_usd: upper estimate of what one answer of the LLM costs.
        retriever: finds labelled examples for agents that read context; None for no examples.
        bundle_id: the released weights.
        judge: tells whose answer of a trail to show; where it is None, the most confident is.
        followed: the rule that was made for this meta-controller as a whole; while it is ``rule``,
            the controller chooses the LLM like any other step in mode ``auto``.
        expert_latency_s: upper estimate of what one answer of the LLM takes; 0 where unknown.
    """

    domain: AnyDomain
    agents: Sequence[AnyAgent]
    meta_controller: MetaController
    rule: RoutingRule
    spending: SpendingRule
    expert: Callable[[], AnyAgent]
    expert_id: str
    expert_price_usd: Callable[[], float]
    retriever: Retriever | None
    bundle_id: str
    judge: AnsweringController | None = None
    followed: RoutingRule | None = None
    expert_latency_s: float = 0.0

    @property
    def asks_expert(self) -> bool:
        """Return whether the meta-controller may choose the LLM itself."""
        return self.followed is not None and self.followed is self.rule


class Observer(Protocol):
    """Is told what happens; quick, silent, and callable from any thread."""

    def decided(self, decision: Decision) -> None:
        """Take note of a decision whose ledger row is queued."""
        ...

    def failed(self, domain: str, error: LLMError) -> None:
        """Take note that the LLM gave no usable answer, whatever is shown instead."""
        ...
