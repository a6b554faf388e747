"""The channels of the graph ``decide``, and the way between them and the state of its steps.

The engine reads and copies every channel at every step, so they are few: what ``reset`` settles
once is one channel, and a channel that has nothing to hold is not written.
"""

from __future__ import annotations

import operator
from collections.abc import Mapping
from typing import Annotated, Any, cast

from langgraph.types import Overwrite
from typing_extensions import TypedDict

from trimtab.graphs.state import ADDITIVE, DecideState
from trimtab.records import Usage, usage_to_json


class DecideChannels(TypedDict, total=False):
    """What a thread holds; every value is plain JSON.

    Attributes:
        request: all of :class:`DecideState` that ``reset`` settles: id, time, domain, weights,
            mode, expert, limits and admission.
        text, predictions, steps, passages, route, lost, next, enter, decision: as there; absent
            until there is something to hold.
    """

    text: str
    request: dict[str, Any]
    predictions: Annotated[list[dict[str, Any]], operator.add]
    steps: Annotated[list[dict[str, Any]], operator.add]
    passages: list[dict[str, Any]]
    route: dict[str, Any]
    lost: dict[str, float]
    next: str
    enter: str
    decision: dict[str, Any]


class NextChannel(TypedDict):
    """All that an edge reads."""

    next: str


CHANNELS = frozenset(DecideChannels.__annotations__)
_EMPTY: Mapping[str, Any] = {
    "predictions": [],
    "steps": [],
    "passages": [],
    "route": {},
    "lost": usage_to_json(Usage()),
    "enter": "",
    "decision": {},
}


def state_of(channels: DecideChannels) -> DecideState:
    """Return the state that a step reads."""
    flat: dict[str, Any] = {**_EMPTY, **channels}
    flat.update(flat.pop("request", {}))
    return cast(DecideState, flat)


def channels_of(state: DecideState) -> DecideChannels:
    """Return a whole state as channels: the input of a graph that takes up a decision."""
    plain = cast(dict[str, Any], state)
    held = {name: value for name, value in plain.items() if not _is_empty(name, value)}
    return cast(DecideChannels, _packed(held))


def reset_update(update: Mapping[str, Any], channels: DecideChannels) -> dict[str, Any]:
    """Return what ``reset`` writes: its settings, and nothing over what an earlier request left.

    A thread's channels outlive a request: without ``Overwrite`` the next request on the same
    thread would see this one's predictions.
    """
    left = {name for name in CHANNELS if channels.get(name)}
    kept = {n: v for n, v in update.items() if n in left or not _is_empty(n, v)}
    return {n: Overwrite(v) if n in ADDITIVE else v for n, v in _packed(kept).items()}


def step_update(update: Mapping[str, Any], channels: DecideChannels) -> dict[str, Any]:
    """Return what another step writes: ``next``, and what changes."""
    held = {**_EMPTY, **channels}
    return {n: v for n, v in update.items() if n in ADDITIVE or n == "next" or v != held.get(n)}


def _is_empty(name: str, value: object) -> bool:
    return name in _EMPTY and value == _EMPTY[name]


def _packed(plain: Mapping[str, Any]) -> dict[str, Any]:
    settled = {name: value for name, value in plain.items() if name not in CHANNELS}
    packed = {name: value for name, value in plain.items() if name in CHANNELS}
    return {**packed, "request": settled} if settled else packed
