"""What answers one domain: the small models, the expert behind them, and the rule between."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from trimtab.protocols import AnyAgent, AnyDomain, MetaController, Retriever, RoutingRule

FEW_SHOT = 4
"""Labelled examples that an agent reading context is given."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Serving:
    """All that answers one domain; replaced as a whole, never altered.

    Attributes:
        domain: rules and text form.
        agents: the small models, cheapest first.
        meta_controller: chooses among ``agents``.
        rule: decides between their answer and the expert.
        expert: gives the LLM agent; called on first use only, because opening it may be slow.
        expert_price_usd: upper estimate of what one answer of the LLM costs.
        retriever: finds labelled examples for agents that read context; None for no examples.
        bundle_id: the released weights.
    """

    domain: AnyDomain
    agents: Sequence[AnyAgent]
    meta_controller: MetaController
    rule: RoutingRule
    expert: Callable[[], AnyAgent]
    expert_price_usd: Callable[[], float]
    retriever: Retriever | None
    bundle_id: str
