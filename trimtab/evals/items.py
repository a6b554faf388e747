"""What the ledger knows about each decision, laid out so that policies can be compared on it.

Three answers matter for every item: the one shown, the one without the LLM, and the LLM's own.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from trimtab.agents.routing import most_confident
from trimtab.errors import IllegalAction, InputError
from trimtab.ledger import REDACTED
from trimtab.records import Decision, Outcome, Prediction

Row = tuple[Decision, Outcome | None]
Canonical = Callable[[int | str], str]

LLM = "llm"
EXPERTS = (LLM, "human")
SIMULATED = "simulated"
NEITHER = "\u2205 neither answer"
"""Reference of an outcome that knows only that the small models' answer and the LLM's are wrong."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What one way of answering an item gave; ``right`` is in [0, 1], None where unknown."""

    right: float | None
    usd: float
    latency_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """One decision.

    Attributes:
        decision: the ledger's row.
        outcome: what became of it, or None.
        route: label of whose answer was shown.
        shown: the shown answer; its price leaves an audit out, which ran off the caller's path.
        usd: all that was spent, the audit included.
        without_llm: the most confident answer of the small models, None where none was made.
        llm: the LLM's answer, None where it is not known.
        differs: whether any two of these answers differ; where none do, no policy is better.
        asked_llm: whether the caller waited for the LLM.
        uniform: whether the LLM's answer was drawn without regard to the item.
        simulated: whether any answer here comes from a simulated expert.
    """

    decision: Decision
    outcome: Outcome | None
    route: str
    shown: Answer
    usd: float
    without_llm: Answer | None
    llm: Answer | None
    differs: bool
    asked_llm: bool
    uniform: bool
    simulated: bool


class Words:
    """Tells whether an action is right from what a ledger says in words.

    A ledger keeps the canonical words of shown actions only; other actions are matched through
    the pairs of action and words that occur in it, unless ``canonical`` knows them all.
    """

    def __init__(self, rows: Iterable[Row], canonical: Canonical | None = None) -> None:
        self._canonical = canonical
        self._words: dict[int | str, str] = {}
        if canonical is None:
            self._words = {d.action: d.answer for d, _ in rows if d.answer != REDACTED}
        self._actions = {words: action for action, words in self._words.items()}

    def spell(self, action: int | str) -> str | None:
        """Return the canonical words of an action, None where they are not known."""
        if self._canonical is not None:
            try:
                return self._canonical(action)
            except IllegalAction:  # redacted, or of weights that had other labels
                return None
        words = self._words.get(action)
        return action if words is None and isinstance(action, str) else words

    def same(self, first: int | str, second: int | str) -> bool:
        """Return whether two actions are one answer, as far as their words are known."""
        spelled = self.spell(first)
        return first == second or (spelled is not None and spelled == self.spell(second))

    def right(self, action: int | str, decision: Decision, outcome: Outcome | None) -> float | None:
        """Return the reward of an action on a decided item, None where it cannot be known."""
        if outcome is None or action == REDACTED:
            return None
        words = self.spell(action)
        if action == decision.action or words == decision.answer:
            return outcome.reward
        if outcome.reference is None or outcome.reference == REDACTED:
            return None
        if outcome.reference == NEITHER:
            return 0.0 if action in _candidates(decision) else None
        if words is not None and outcome.source == "solver":
            return float(words in outcome.reference.split())
        if words is not None:
            return float(words == outcome.reference)
        return 0.0 if outcome.reference in self._actions else None


def read_items(
    rows: Sequence[Row],
    *,
    always_llm: Mapping[str, Prediction] | None = None,
    canonical: Canonical | None = None,
) -> list[Item]:
    """Return one item per decision.

    Args:
        rows: decisions of one domain with their outcomes.
        always_llm: the LLM's answers by decision id, asked apart on items that were drawn
            uniformly, without regard to how they were routed.
        canonical: the domain's canonical words of an action, where the domain is at hand.

    Raises:
        InputError: a decision's cost is not finite or lies below the sum of its predictions.
    """
    words = Words(rows, canonical)
    answers = always_llm or {}
    return [_item(row, words, answers.get(row[0].decision_id)) for row in rows]


def drawn_uniformly(decision: Decision) -> bool:
    """Return whether asking the LLM was settled without regard to the request.

    So it is for audits, drawn before the trail is known, and in a cold start, where every request
    asks the LLM (reason ``uncertified``). Whether its answer came is another question.
    """
    return decision.audit or decision.route.reason == "uncertified"


def route_label(decision: Decision) -> str:
    """Return whose answer was shown: agent and tier, and ``degraded`` where it was second best."""
    shown = shown_prediction(decision)
    tier = shown.tier if shown is not None else ""
    label = f"{decision.route.agent} · {tier}" if tier else decision.route.agent
    return f"{label} (degraded)" if decision.route.reason == "degraded" else label


def shown_prediction(decision: Decision) -> Prediction | None:
    """Return the prediction whose answer was shown: the last one of the route's agent."""
    for prediction in reversed(decision.predictions):
        if prediction.agent == decision.route.agent:
            return prediction
    return None


def _item(row: Row, words: Words, sampled: Prediction | None) -> Item:
    decision, outcome = row
    _check_cost(decision)
    asked = [p for p in decision.predictions if p.agent == LLM]
    off_path = decision.audit and decision.route.agent != LLM
    audit_usd = sum(p.usage.cost_usd for p in asked) if off_path else 0.0
    audit_s = sum(p.usage.latency_s for p in asked) if off_path else 0.0
    llm = sampled or (asked[-1] if asked else None)
    small = [p for p in decision.predictions if p.agent not in EXPERTS]
    best = most_confident(small)

    shown = shown_prediction(decision)
    others = [p.action for p in (best, llm) if p is not None]

    def answer(chosen: Prediction, ran: Sequence[Prediction]) -> Answer:
        right = words.right(chosen.action, decision, outcome)
        if chosen is shown and outcome is not None:
            right = outcome.reward
        return Answer(
            right=right,
            usd=sum(p.usage.cost_usd for p in ran),
            latency_s=sum(p.usage.latency_s for p in ran),
        )

    return Item(
        decision=decision,
        outcome=outcome,
        route=route_label(decision),
        shown=Answer(
            right=None if outcome is None else outcome.reward,
            usd=decision.usage.cost_usd - audit_usd,
            latency_s=decision.usage.latency_s - audit_s,
        ),
        usd=decision.usage.cost_usd,
        without_llm=None if best is None else answer(best, small),
        llm=None if llm is None else answer(llm, [llm] if sampled else asked),
        differs=not all(words.same(decision.action, action) for action in others),
        asked_llm=bool(asked) and not off_path,
        uniform=llm is not None and (sampled is not None or drawn_uniformly(decision)),
        simulated=any(
            SIMULATED in p.tier for p in (*decision.predictions, *([llm] if llm else ()))
        ),
    )


def _candidates(decision: Decision) -> list[int | str]:
    """Return the actions that a person who labels a pair is shown."""
    small = [p for p in decision.predictions if p.agent not in EXPERTS]
    best = most_confident(small)
    asked = [p for p in decision.predictions if p.agent == LLM]
    return [p.action for p in (best, *asked[-1:]) if p is not None]


def _check_cost(decision: Decision) -> None:
    total = sum(p.usage.cost_usd for p in decision.predictions)
    spent = decision.usage.cost_usd
    if not math.isfinite(spent) or spent < total - 1e-9 * max(1.0, total):
        raise InputError(
            f"decision {decision.decision_id!r} cost_usd={spent} is not a number at or above the "
            f"{total} of its predictions; the row cannot be priced, run: trimtab ledger verify"
        )
