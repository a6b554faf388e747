from __future__ import annotations

from collections.abc import Sequence

import pytest

from tests.evals.traffic import LABELS, decision, llm, small
from trimtab.domains.choices import Choices
from trimtab.errors import IllegalAction, InputError
from trimtab.evals.evaluators import asked_llm, correct, cost_usd, latency_s
from trimtab.evals.runner import decide_all, outcomes, score
from trimtab.records import Decision, Example

DOMAIN = Choices(name="assistant", labels=LABELS)
EXAMPLES = [
    Example(domain="assistant", state=f"request {number}", reference=reference)
    for number, reference in enumerate(("search", "summarise", "compare"))
]


def decide(texts: Sequence[str]) -> list[Decision]:
    """Answer the first with the small model, the others with the LLM; the last is wrong."""
    answers = {0: (small(0),), 1: (small(0), llm(1)), 2: (small(2), llm(0))}
    return [
        decision(*answers[n], shown="policy" if n == 0 else "llm", number=n)
        for n in (int(text.split()[1]) for text in texts)
    ]


def test_scores_are_kept_item_by_item() -> None:
    evaluators = [correct(DOMAIN), asked_llm, cost_usd, latency_s]
    report = score(EXAMPLES, decide_all(EXAMPLES, decide), evaluators)
    assert report.scores["correct"] == (1.0, 1.0, 0.0)
    assert report.scores["asked_llm"] == (0.0, 1.0, 1.0)
    assert report.scores["cost_usd"] == pytest.approx((1e-6, 2.01e-4, 2.01e-4))
    assert report.scores["latency_s"] == pytest.approx((0.0004, 0.8004, 0.8004))
    assert report.items == ("request 0", "request 1", "request 2")


def test_outcomes_carry_reference_and_reward() -> None:
    found = outcomes(EXAMPLES, decide_all(EXAMPLES, decide), DOMAIN)
    assert [(o.reward, o.reference, o.source) for o in found] == [
        (1.0, "search", "checker"),
        (1.0, "summarise", "checker"),
        (0.0, "compare", "checker"),
    ]


def test_a_reference_that_is_no_answer_is_refused() -> None:
    foreign = [Example(domain="assistant", state="request 0", reference="dance")]
    with pytest.raises(IllegalAction):
        outcomes(foreign, decide_all(foreign, decide), DOMAIN)


def test_decisions_out_of_order_are_refused() -> None:
    with pytest.raises(InputError, match="order"):
        decide_all(EXAMPLES, lambda texts: decide(texts)[::-1])


def test_a_missing_decision_is_refused() -> None:
    with pytest.raises(InputError, match="2 decisions for 3 examples"):
        decide_all(EXAMPLES, lambda texts: decide(texts)[:2])


def test_scoring_nothing_is_refused() -> None:
    with pytest.raises(InputError, match="one domain"):
        score([], [], [cost_usd])
