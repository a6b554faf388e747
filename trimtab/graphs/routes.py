"""Whose answer a decision shows: mode, rule and budget, read from the graph's state."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from trimtab.agents.routing import most_confident
from trimtab.errors import InputError
from trimtab.graphs.serving import Serving
from trimtab.graphs.state import DecideState
from trimtab.records import Budget, Prediction, Reason, Route


def choose_route(state: DecideState, trail: Sequence[Prediction], serving: Serving) -> Route:
    """Return the route that the mode, or the rule of the mode, wants."""
    mode = state["mode"]
    if mode == "neural_only":
        return best_route(trail, "forced", None)
    if mode == "llm_only":
        return Route(agent=state["expert"], reason="forced", confidence=None, threshold=None)
    rate = state["spend_usd_per_1000"]
    if rate is None:
        route = serving.rule.route(trail)
        if route.reason == "uncertified" and _is_selected(state):
            # a limit or a caller chose among requests: such rows must not pass for uniform ones
            return replace(route, reason="uncertain")
        return route
    return serving.spending.route(trail, usd_per_1000=rate, price_usd=serving.expert_price_usd())


def _is_selected(state: DecideState) -> bool:
    limited = any(limit is not None for limit in state["budget"].values())
    return limited or state["expert"] == "human"


def best_route(trail: Sequence[Prediction], reason: Reason, threshold: float | None) -> Route:
    """Return the route that shows the most confident answer there is.

    Raises:
        InputError: there is none.
    """
    best = most_confident(trail)
    if best is None:
        raise InputError(
            "the budget or mode allows no agent to answer; raise budget_calls or budget_usd, "
            "or use mode='auto'"
        )
    return Route(agent=best.agent, reason=reason, confidence=best.confidence, threshold=threshold)


def over_budget(
    state: DecideState, trail: Sequence[Prediction], serving: Serving, *, now: datetime
) -> bool:
    """Return whether asking the expert would break one of the decision's limits."""
    budget = budget_of(state)
    if budget.calls is not None and len(trail) >= budget.calls:
        return True
    elapsed_s = (now - datetime.fromisoformat(state["created_at"])).total_seconds()
    if budget.seconds is not None and elapsed_s >= budget.seconds:
        return True
    if budget.usd is None or state["expert"] == "human":
        return False
    spent = sum(prediction.usage.cost_usd for prediction in trail)
    return spent + serving.expert_price_usd() > budget.usd


def settle_spending(state: DecideState, serving: Serving, *, cost_usd: float) -> None:
    """Tell the spending rule of mode ``adaptive`` what an answer of the LLM really cost."""
    if state["mode"] == "adaptive" and state["expert"] == "llm":
        serving.spending.settle(estimate_usd=serving.expert_price_usd(), cost_usd=cost_usd)


def budget_of(state: DecideState) -> Budget:
    """Return the decision's limits."""
    limits = state["budget"]
    calls = limits["calls"]
    return Budget(
        usd=limits["usd"], seconds=limits["seconds"], calls=None if calls is None else int(calls)
    )
