"""The records that cross package borders: frozen, plain, and writable as JSON.

Units: money in US dollars, time in seconds, tokens as the model counts them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

Reason = Literal[
    "confident",
    "agreement",
    "uncertain",
    "disagreement",
    "uncertified",
    "refused",
    "audit",
    "budget",
    "forced",
    "human",
    "degraded",
    "spending",
]
Mode = Literal["auto", "neural_only", "llm_only", "adaptive"]
OutcomeSource = Literal["solver", "checker", "expert", "judge", "user"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """What one computation used; ``cached_tokens`` are part of ``prompt_tokens``; ``+`` adds up."""

    prompt_tokens: int = 0
    cached_tokens: int = 0
    completion_tokens: int = 0
    cpu_s: float = 0.0
    latency_s: float = 0.0
    cost_usd: float = 0.0

    def __add__(self, other: Usage) -> Usage:
        return Usage(
            prompt_tokens=self.prompt_tokens + other.prompt_tokens,
            cached_tokens=self.cached_tokens + other.cached_tokens,
            completion_tokens=self.completion_tokens + other.completion_tokens,
            cpu_s=self.cpu_s + other.cpu_s,
            latency_s=self.latency_s + other.latency_s,
            cost_usd=self.cost_usd + other.cost_usd,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Prediction:
    """One agent's answer to one state.

    Attributes:
        agent: name of the agent that answered.
        action: an int is one legal action, a str is a complete answer.
        confidence: calibrated probability in [0, 1] that the answer is right; None if unknown.
        probs: `[num_actions]` probabilities, or None where the agent has none.
        value: expected return in [-1, 1], or None.
        usage: what the prediction used.
        tier: which part of the agent answered (a ladder's rung, a model id).
        signals: features a router may read, by name (margin, agreement, …).
        trace: how the agent came to it, plain JSON for people to read; nothing decides by it.
    """

    agent: str
    action: int | str
    confidence: float | None
    probs: tuple[float, ...] | None = None
    value: float | None = None
    usage: Usage = Usage()
    tier: str = ""
    signals: Mapping[str, float] = field(default_factory=dict)
    trace: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """Whose answer is shown, and why."""

    agent: str
    reason: Reason
    confidence: float | None
    threshold: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Admission:
    """What was drawn for a decision before its trail is known.

    ``propensity`` is the probability in (0, 1] with which ``audit`` took its value.
    """

    audit: bool
    propensity: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """What the meta-controller chose; ``agent`` None means stop.

    ``gains`` and ``prices`` (US dollars) hold one entry per remaining agent.
    """

    agent: str | None
    gains: Mapping[str, float] = field(default_factory=dict)
    prices: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """Hard limits of one decision; None means no limit."""

    usd: float | None = None
    seconds: float | None = None
    calls: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """One answered request: the row that the ledger keeps.

    Attributes:
        decision_id: unique; appending the same decision twice stores it once.
        domain: name of the domain.
        state: text form of the state.
        action: the action shown (an int indexes the domain's actions).
        answer: the action in the domain's canonical words.
        route: whose answer it is, and why.
        predictions: every prediction that was made, in the order they were made.
        usage: the sum over all predictions.
        bundle_id: the released weights that answered.
        propensity: probability of what was drawn at admission, for off-policy estimates.
        created_at: aware UTC.
        audit: whether the LLM was asked in addition.
        category: what the caller says the request is about, empty if nothing; reports slice by it.
    """

    decision_id: str
    domain: str
    state: str
    action: int | str
    answer: str
    route: Route
    predictions: tuple[Prediction, ...]
    usage: Usage
    bundle_id: str
    propensity: float
    created_at: datetime
    audit: bool = False
    category: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What became of a decision: ``reward`` in [0, 1]; ``reference`` is the right answer if known.

    A solver may find several: they stand in canonical words, separated by spaces.
    """

    decision_id: str
    reward: float
    source: OutcomeSource
    reference: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Passage:
    """A retrieved text; ``score`` is the retriever's own, larger is nearer."""

    text: str
    source_id: str
    score: float
    metadata: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Bundle:
    """A released set of weights; ``bundle_id`` is the sha256 of its manifest.

    Attributes:
        files: sha256 of each file, by its name within the bundle.
        thresholds: fitted cut-offs, by name.
        metrics: what was measured when it was packed, by name.
        parent: the bundle it was trained from, or None.
    """

    bundle_id: str
    domain: str
    files: Mapping[str, str]
    thresholds: Mapping[str, float]
    metrics: Mapping[str, float]
    parent: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Example:
    """An evaluation row: a state in text form and its right answer."""

    domain: str
    state: str
    reference: str


def usage_to_json(usage: Usage) -> dict[str, Any]:
    """Return the usage as plain JSON values."""
    return {
        "prompt_tokens": usage.prompt_tokens,
        "cached_tokens": usage.cached_tokens,
        "completion_tokens": usage.completion_tokens,
        "cpu_s": usage.cpu_s,
        "latency_s": usage.latency_s,
        "cost_usd": usage.cost_usd,
    }


def usage_from_json(plain: Mapping[str, Any]) -> Usage:
    """Return the usage that :func:`usage_to_json` wrote."""
    return Usage(**plain)


@dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    """What an evaluator says of one decision: ``name`` tells what, ``value`` how much."""

    name: str
    value: float


@dataclass(frozen=True, slots=True, kw_only=True)
class EvalReport:
    """Scores of one system, by name and item (states in text form), so that two can be paired."""

    domain: str
    bundle_id: str
    items: tuple[str, ...]
    scores: Mapping[str, tuple[float, ...]]


def prediction_to_json(prediction: Prediction) -> dict[str, Any]:
    """Return the prediction as plain JSON values (lists for tuples); an empty trace is left out."""
    # by hand: dataclasses.asdict costs ten times as much, and every decision passes here often
    plain = {
        "agent": prediction.agent,
        "action": prediction.action,
        "confidence": prediction.confidence,
        "probs": None if prediction.probs is None else list(prediction.probs),
        "value": prediction.value,
        "usage": usage_to_json(prediction.usage),
        "tier": prediction.tier,
        "signals": dict(prediction.signals),
    }
    return {**plain, "trace": dict(prediction.trace)} if prediction.trace else plain


def prediction_from_json(plain: Mapping[str, Any]) -> Prediction:
    """Return the prediction that :func:`prediction_to_json` wrote."""
    values = {**plain, "usage": usage_from_json(plain["usage"])}
    values["probs"] = None if values["probs"] is None else tuple(values["probs"])
    return Prediction(**values)


def route_to_json(route: Route) -> dict[str, Any]:
    """Return the route as plain JSON values."""
    return {
        "agent": route.agent,
        "reason": route.reason,
        "confidence": route.confidence,
        "threshold": route.threshold,
    }


def decision_to_json(decision: Decision) -> dict[str, Any]:
    """Return the decision as plain JSON values; the time is ISO 8601 in UTC."""
    return {
        "decision_id": decision.decision_id,
        "domain": decision.domain,
        "state": decision.state,
        "action": decision.action,
        "answer": decision.answer,
        "route": route_to_json(decision.route),
        "predictions": [prediction_to_json(p) for p in decision.predictions],
        "usage": usage_to_json(decision.usage),
        "bundle_id": decision.bundle_id,
        "propensity": decision.propensity,
        "created_at": decision.created_at.isoformat(),
        "audit": decision.audit,
        "category": decision.category,
    }


def decision_from_json(plain: Mapping[str, Any]) -> Decision:
    """Return the decision that :func:`decision_to_json` wrote."""
    values = {**plain, "route": Route(**plain["route"]), "usage": usage_from_json(plain["usage"])}
    values["predictions"] = tuple(prediction_from_json(p) for p in plain["predictions"])
    values["created_at"] = datetime.fromisoformat(plain["created_at"])
    return Decision(**values)
