"""State, input and context of the graphs: plain JSON, so that any checkpointer can keep it."""

from __future__ import annotations

import operator
from dataclasses import dataclass
from typing import Annotated, Any, Literal, get_args

from pydantic import Field
from typing_extensions import TypedDict

from trimtab.errors import InputError
from trimtab.records import Mode

Expert = Literal["llm", "human"]


class DecideInput(TypedDict):
    """What a caller sends."""

    text: Annotated[str, Field(description="The request to decide on, in plain words.")]


class DecideState(TypedDict, total=False):
    """What the steps of the graph ``decide`` read and change; every value is plain JSON.

    Attributes:
        text: text form of the domain state to decide.
        decision_id: taken from the context, or drawn by ``reset``.
        created_at: ISO 8601, UTC.
        domain, mode, expert, budget, spend_usd_per_1000, category: copied from the context by
            ``reset``, so that routing functions need nothing but the state.
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
    category: str
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
MAX_CATEGORY_CHARS = 100


class BadContext(InputError, ValueError):
    """A setting of a run cannot be used; a ``ValueError`` too: servers hide other messages."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DecideContext:
    """Settings of one run; Studio shows them as a form."""

    domain: Annotated[str, Field(description="The domain that the text belongs to.")] = "assistant"
    mode: Annotated[
        Mode,
        Field(
            description="auto keeps the promise (without a certificate the expert is always "
            "asked); neural_only never asks the expert; llm_only always does; adaptive asks as "
            "often as the spending rate pays for."
        ),
    ] = "auto"
    expert: Annotated[
        Expert,
        Field(description="Who is asked where the small models are unsure: the llm, or a human."),
    ] = "llm"
    budget_usd: Annotated[
        float | None, Field(description="Most US dollars for this decision; empty for no limit.")
    ] = None
    budget_seconds: Annotated[
        float | None,
        Field(description="The expert is not asked after this many seconds; empty for no limit."),
    ] = None
    budget_calls: Annotated[
        int | None, Field(description="Most predictions to make; empty for no limit.")
    ] = None
    spend_usd_per_1000: Annotated[
        float | None,
        Field(description="Spending rate of mode adaptive, US dollars per 1,000 decisions."),
    ] = None
    decision_id: Annotated[
        str, Field(description="An id of your own for the decision; drawn if empty.")
    ] = ""
    category: Annotated[
        str, Field(description="What the request is about, by which reports are sliced.")
    ] = ""

    def __post_init__(self) -> None:
        for name, known in (("mode", get_args(Mode)), ("expert", get_args(Expert))):
            if getattr(self, name) not in known:
                value = getattr(self, name)
                raise BadContext(f"{name}={value!r} is not known; use one of {list(known)}")
        if (self.mode == "adaptive") != (self.spend_usd_per_1000 is not None):
            raise BadContext(
                f"spend_usd_per_1000={self.spend_usd_per_1000} with mode={self.mode!r}; give a "
                "spending rate with mode='adaptive', and with that mode only"
            )
        for name in ("budget_usd", "budget_seconds", "budget_calls", "spend_usd_per_1000"):
            limit = getattr(self, name)
            if limit is not None and not limit >= 0:
                raise BadContext(f"{name}={limit} is not a limit; give at least 0, or none")
        if len(self.category) > MAX_CATEGORY_CHARS:
            raise BadContext(
                f"category={self.category[:20]!r}… has {len(self.category)} characters; name it "
                f"with at most {MAX_CATEGORY_CHARS}"
            )
