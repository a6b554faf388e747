"""A small real domain with real agents, for tests of the graph and the SDK."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta

from trimtab.agents.meta_controller import CheapestFirst
from trimtab.agents.promise import Certificate
from trimtab.agents.routing import PromiseRule, SpendingRule
from trimtab.domains.choices import Choices, ChoiceState
from trimtab.graphs.nodes import DecideNodes
from trimtab.graphs.serving import Serving
from trimtab.protocols import AnyAgent, Ledger
from trimtab.records import Decision, Passage, Prediction, Usage

REFERENCES = {
    "where is my parcel": "delivery",
    "my parcel never came": "delivery",
    "I want my money back": "refund",
    "pay me back please": "refund",
    "the app crashes": "technical",
    "screen stays black": "technical",
}

DESK = Choices(name="desk", labels=["delivery", "refund", "technical"], references=REFERENCES)


class KeywordAgent:
    """Answers by the first keyword found, with a confidence that depends on how many match."""

    name = "policy"
    reads_context = False
    keywords = ("parcel", "back", "app")

    def predict(
        self, states: Sequence[ChoiceState], *, context: Sequence[Sequence[Passage]] = ()
    ) -> list[Prediction]:
        return [self._predict(state.text) for state in states]

    def _predict(self, text: str) -> Prediction:
        hits = [word in text.casefold() for word in self.keywords]
        confidence = 0.9 if sum(hits) == 1 else 0.4
        action = hits.index(True) if any(hits) else 0
        return Prediction(
            agent=self.name,
            action=action,
            confidence=confidence,
            tier="keywords",
            usage=Usage(cost_usd=1e-7),
        )


class TruthfulExpert:
    """Knows the references and charges for each answer; reads one example for context."""

    name = "llm"
    reads_context = True
    price_usd = 0.01

    def __init__(self, error: Exception | None = None) -> None:
        self.error = error
        self.asked: list[str] = []
        self.context: list[Sequence[Passage]] = []

    def predict(
        self, states: Sequence[ChoiceState], *, context: Sequence[Sequence[Passage]] = ()
    ) -> list[Prediction]:
        self.asked += [state.text for state in states]
        self.context += list(context)
        if self.error is not None:
            raise self.error
        return [
            Prediction(
                agent=self.name,
                action=DESK.canonical(next(a for a in range(3) if DESK.check(state, a))),
                confidence=None,
                tier="truth",
                usage=Usage(prompt_tokens=50, completion_tokens=2, cost_usd=self.price_usd),
            )
            for state in states
        ]


class ReferenceRetriever:
    """Returns the references in their order, whatever the query."""

    def retrieve(self, query: str, *, k: int = 8) -> list[Passage]:
        return [
            Passage(text=text, source_id=str(row), score=1.0, metadata={"label": label})
            for row, (text, label) in enumerate(REFERENCES.items())
        ][:k]


def certificate(threshold: float | None, *, refused: bool = False) -> Certificate:
    """Return a certificate for showing answers from a threshold on; for nothing if None."""
    certified = refused or threshold is not None
    return Certificate(
        loss=0.02,
        confidence=0.95,
        n=500,
        certified=certified,
        refused=refused,
        candidate="test",
        threshold=None if refused else threshold,
        llm_share=0.0 if refused else 0.3,
        wealth=25.0 if certified else 2.0,
        needed=20.0,
        labels=40,
        tested=3,
    )


def no_audit(decision: Decision, serving: Serving) -> None:
    """Take an audit that the test is not about."""


def desk_serving(
    expert: AnyAgent, *, threshold: float | None = 0.8, audit_rate: float = 0.0
) -> Serving:
    return Serving(
        domain=DESK,
        agents=(KeywordAgent(),),
        meta_controller=CheapestFirst(prices={"policy": 0.0}, stop_at=0.8),
        rule=PromiseRule(certificate=certificate(threshold), audit_rate=audit_rate),
        spending=SpendingRule(),
        expert=lambda: expert,
        expert_id="truth",
        expert_price_usd=lambda: TruthfulExpert.price_usd,
        retriever=ReferenceRetriever(),
        bundle_id="b" * 64,
    )


def ticking_clock() -> Callable[[], datetime]:
    """Return a clock that moves one second a call, from a fixed start."""
    ticks = iter(range(10**9))
    start = datetime(2026, 1, 1, tzinfo=UTC)
    return lambda: start + timedelta(seconds=next(ticks))


def numbered_ids() -> Callable[[], str]:
    """Return a source of ids d0, d1, …"""
    numbers = iter(range(10**9))
    return lambda: f"d{next(numbers)}"


def desk_nodes(ledger: Ledger, expert: AnyAgent, *, threshold: float | None = 0.8) -> DecideNodes:
    return DecideNodes(
        servings={"desk": desk_serving(expert, threshold=threshold)},
        ledger=ledger,
        auditor=no_audit,
        new_id=numbered_ids(),
        now=ticking_clock(),
    )
