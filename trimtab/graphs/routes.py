"""Whose answer a decision shows: mode, rule and budget, read from the graph's state."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from trimtab.agents.routing import most_confident
from trimtab.errors import InputError
from trimtab.graphs.beliefs import believed
from trimtab.graphs.serving import Serving
from trimtab.graphs.state import DecideState
from trimtab.records import Budget, Prediction, Reason, Route


def choose_route(state: DecideState, trail: Sequence[Prediction], serving: Serving) -> Route:
    """Return the route that the mode, or the rule of the mode, wants."""
    mode = state["mode"]
    if mode == "neural_only":
        return best_route(trail, serving, "forced", None)
    if mode == "llm_only":
        return Route(agent=state["expert"], reason="forced", confidence=None, threshold=None)
    rate = state["spend_usd_per_1000"]
    if rate is None:
        route = serving.rule.route(believed(trail, serving))
        if route.reason == "uncertified" and _is_selected(state):
            # a limit or a caller chose among requests: such rows must not pass for uniform ones
            return replace(route, reason="uncertain")
        return route
    return serving.spending.route(
        believed(trail, serving), usd_per_1000=rate, price_usd=serving.expert_price_usd()
    )


def _is_selected(state: DecideState) -> bool:
    limited = any(limit is not None for limit in state["budget"].values())
    return limited or state["expert"] == "human"


def best_route(
    trail: Sequence[Prediction], serving: Serving, reason: Reason, threshold: float | None
) -> Route:
    """Return the route that shows the answer believed most, or the most confident one.

    Raises:
        InputError: there is none.
    """
    best = most_confident(believed(trail, serving))
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
    if budget.seconds is not None:
        elapsed_s = (now - datetime.fromisoformat(state["created_at"])).total_seconds()
        # what is played back took its time when it was recorded
        used_s = max(elapsed_s, sum(prediction.usage.latency_s for prediction in trail))
        if used_s >= budget.seconds or used_s + serving.expert_latency_s > budget.seconds:
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
