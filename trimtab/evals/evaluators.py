"""Evaluators: functions from an example and its decision to a score."""

from __future__ import annotations

from collections.abc import Callable

from trimtab.evals.items import LLM
from trimtab.protocols import AnyDomain
from trimtab.records import Decision, Example, Score

Evaluator = Callable[[Example, Decision], Score]


def correct(domain: AnyDomain) -> Evaluator:
    """Return the evaluator ``correct``: 1 if the shown answer means the same as the reference.

    Raises (when called):
        IllegalAction: the reference is none of the domain's answers.
    """

    def evaluate(example: Example, decision: Decision) -> Score:
        right = domain.canonical(example.reference) == decision.answer
        return Score(name="correct", value=float(right))

    return evaluate


def asked_llm(example: Example, decision: Decision) -> Score:
    """Return the score ``asked_llm``: 1 if the LLM was asked, audits included."""
    asked = any(prediction.agent == LLM for prediction in decision.predictions)
    return Score(name="asked_llm", value=float(asked))


def cost_usd(example: Example, decision: Decision) -> Score:
    """Return the score ``cost_usd``: what all agents that ran have cost."""
    return Score(name="cost_usd", value=decision.usage.cost_usd)


def latency_s(example: Example, decision: Decision) -> Score:
    """Return the score ``latency_s``: the seconds that all agents that ran have taken."""
    return Score(name="latency_s", value=decision.usage.latency_s)
