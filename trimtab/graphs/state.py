"""State, input and context of the graphs: plain JSON, so that any checkpointer can keep it."""

from __future__ import annotations

import operator
from dataclasses import dataclass
from typing import Annotated, Any, Literal, TypedDict, get_args

from trimtab.errors import InputError
from trimtab.records import Mode

Expert = Literal["llm", "human"]


class DecideInput(TypedDict):
    """What a caller sends: the request's text form."""

    text: str


class DecideState(TypedDict, total=False):
    """Channels of the graph ``decide``; every value is plain JSON.

    Attributes:
        text: text form of the domain state to decide.
        decision_id: taken from the context, or drawn by ``reset``.
        created_at: ISO 8601, UTC.
        domain, mode, expert, budget, spend_usd_per_1000: copied from the context by ``reset``, so
            that routing functions need nothing but the state.
        bundle_id: the weights that answer; a resumed run keeps those it began with.
        audit, propensity: drawn before the trail is known.
        predictions: the trail, oldest first (records as JSON).
        steps: what the meta-controller chose each time, with gains and prices.
        passages: context for the agents that read it.
        route: whose answer is shown, and why.
        lost: usage of LLM replies that could not be read; it is part of the decision's price.
        next: the node that follows.
        enter: node at which a half-finished decision enters; empty for a new one.
        decision: the finished decision, as it stands in the ledger.
    """

    text: str
    decision_id: str
    created_at: str
    domain: str
    bundle_id: str
    mode: Mode
    expert: Expert
    budget: dict[str, float | int | None]
    spend_usd_per_1000: float | None
    audit: bool
    propensity: float
    predictions: Annotated[list[dict[str, Any]], operator.add]
    steps: Annotated[list[dict[str, Any]], operator.add]
    passages: list[dict[str, Any]]
    route: dict[str, Any]
    lost: dict[str, float]
    next: str
    enter: str
    decision: dict[str, Any]


ADDITIVE = ("predictions", "steps")


@dataclass(frozen=True, slots=True, kw_only=True)
class DecideContext:
    """Settings of one run; Studio shows them as a form.

    Attributes:
        domain: which domain the text belongs to.
        mode: `auto` keeps the promise, `neural_only` never asks the expert, `llm_only` always does,
            `adaptive` asks as often as a spending rate pays for.
        expert: who is asked where the small models are unsure: the `llm` or a `human`.
        budget_usd: most that one decision may cost in US dollars; empty for no limit.
        budget_seconds: most seconds that may pass before the expert is asked; empty for no limit.
        budget_calls: most predictions that may be made; empty for no limit.
        spend_usd_per_1000: the spending rate of `adaptive`, US dollars per 1,000 decisions.
        decision_id: an id of the caller's own; drawn if empty.
    """

    domain: str = "assistant"
    mode: Mode = "auto"
    expert: Expert = "llm"
    budget_usd: float | None = None
    budget_seconds: float | None = None
    budget_calls: int | None = None
    spend_usd_per_1000: float | None = None
    decision_id: str = ""

    def __post_init__(self) -> None:
        for name, known in (("mode", get_args(Mode)), ("expert", get_args(Expert))):
            if getattr(self, name) not in known:
                value = getattr(self, name)
                raise InputError(f"{name}={value!r} is not known; use one of {list(known)}")
        if (self.mode == "adaptive") != (self.spend_usd_per_1000 is not None):
            raise InputError(
                f"spend_usd_per_1000={self.spend_usd_per_1000} with mode={self.mode!r}; give a "
                "spending rate with mode='adaptive', and with that mode only"
            )
        for name in ("budget_usd", "budget_seconds", "budget_calls", "spend_usd_per_1000"):
            limit = getattr(self, name)
            if limit is not None and not limit >= 0:
                raise InputError(f"{name}={limit} is not a limit; give at least 0, or none")
