"""What a running graph tells about its steps: one line to read, and the numbers behind it.

Events are custom stream events; who does not stream them pays next to nothing, and the SDK's fast
path does not come here at all.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import FunctionType
from typing import Any

from trimtab.domains.questions import worded

Event = dict[str, Any]
Update = Mapping[str, Any]
Canonical = Callable[[int | str], str]


def is_streamed(writer: Callable[[Event], None]) -> bool:
    """Return whether somebody may read what a run's ``stream_writer`` takes.

    The engine gives a run that nobody streams a plain function with nothing to write to.
    """
    return not isinstance(writer, FunctionType) or writer.__closure__ is not None


def event(node: str, update: Update, *, canonical: Canonical) -> Event:
    """Return the event of a finished step as plain JSON.

    Every event has ``node`` and ``text``; the others are those of ``agent``, ``confidence``,
    ``price_usd``, ``reason``, ``threshold``, ``gains`` and ``prices`` that the step knows.

    Args:
        node: the step's name.
        update: the channels that it changed.
        canonical: words an answer of the domain.
    """
    return {"node": node, **_TELLERS.get(node, _prediction)(update, canonical)}


def _reset(update: Update, canonical: Canonical) -> Event:
    return {
        "text": f"New decision in {update['domain']}, mode {update['mode']}.",
        "decision_id": update["decision_id"],
    }


def _meta_controller(update: Update, canonical: Canonical) -> Event:
    step = update["steps"][-1]
    agent, gains, prices = step["agent"], step["gains"], step["prices"]
    known = {"agent": agent, "gains": gains, "prices": prices}
    if agent is None:
        why = "no further step is called for"
        if gains:
            worth = any(gain > 0.0 for gain in gains.values())
            why = f"{'the budget forbids what' if worth else 'no further step'} is worth its price"
        return {"text": f"Stop: {why}{_gained(gains)}.", **known}
    price = prices.get(agent)
    return {"text": f"Next: {agent}{_priced(price)}{_gained(gains)}.", **known, "price_usd": price}


def _retrieve(update: Update, canonical: Canonical) -> Event:
    return {"text": f"Found {len(update['passages'])} labelled examples near the text."}


def _prediction(update: Update, canonical: Canonical) -> Event:
    if not update.get("predictions"):
        route = update["route"]
        return {
            "text": f"The LLM is gone: {route['agent']} answers instead, marked degraded.",
            "agent": route["agent"],
            "confidence": route["confidence"],
            "reason": route["reason"],
        }
    made = update["predictions"][-1]
    tier = f" ({made['tier']})" if made["tier"] else ""
    price = made["usage"]["cost_usd"]
    answer = worded(canonical, made["action"]) or "nothing"
    return {
        "text": f"{made['agent']}{tier} answers {answer}{_sure(made['confidence'])}"
        f"{_priced(price)}.",
        "agent": made["agent"],
        "tier": made["tier"],
        "answer": answer,
        "confidence": made["confidence"],
        "price_usd": price,
        "latency_s": made["usage"]["latency_s"],
    }


def _route(update: Update, canonical: Canonical) -> Event:
    route = update["route"]
    limit = "" if route["threshold"] is None else f", threshold {route['threshold']:.3f}"
    return {
        "text": f"Route: {route['agent']}, because {route['reason']}"
        f"{_sure(route['confidence'])}{limit}.",
        "agent": route["agent"],
        "confidence": route["confidence"],
        "threshold": route["threshold"],
        "reason": route["reason"],
    }


def _record(update: Update, canonical: Canonical) -> Event:
    decision = update["decision"]
    price = decision["usage"]["cost_usd"]
    return {
        "text": f"Answer: {decision['answer']}{_priced(price)}; in the ledger.",
        "answer": decision["answer"],
        "agent": decision["route"]["agent"],
        "reason": decision["route"]["reason"],
        "price_usd": price,
    }


# every other node is an agent
_TELLERS: dict[str, Callable[[Update, Canonical], Event]] = {
    "reset": _reset,
    "meta_controller": _meta_controller,
    "retrieve": _retrieve,
    "route": _route,
    "record": _record,
}


def _gained(gains: Mapping[str, float]) -> str:
    """Return what each remaining step is expected to gain, in right answers, its price deducted."""
    if not gains:
        return ""
    told = (f"{name} {gain:+.3f}" for name, gain in sorted(gains.items(), key=lambda g: -g[1]))
    return f"; expected net gain: {', '.join(told)}"


def _sure(confidence: float | None) -> str:
    return "" if confidence is None else f", {confidence:.1%} sure"


def _priced(price: float | None) -> str:
    return "" if price is None else f", {price:.3g} USD"
