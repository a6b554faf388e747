"""Runs a system over labelled examples and scores every decision."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from trimtab.errors import InputError
from trimtab.evals.evaluators import Evaluator
from trimtab.protocols import AnyDomain
from trimtab.records import Decision, EvalReport, Example, Outcome

Decide = Callable[[Sequence[str]], Sequence[Decision]]


def decide_all(examples: Sequence[Example], decide: Decide) -> list[Decision]:
    """Return one decision per example, in order.

    Raises:
        InputError: ``decide`` gave another number of decisions, or one on another state.
    """
    decisions = list(decide([example.state for example in examples]))
    if len(decisions) != len(examples):
        raise InputError(f"decide gave {len(decisions)} decisions for {len(examples)} examples")
    for example, decision in zip(examples, decisions, strict=True):
        if decision.state != example.state:
            raise InputError(
                f"decision {decision.decision_id!r} is about {decision.state[:80]!r}, "
                f"not {example.state[:80]!r}; decide must keep the order"
            )
    return decisions


def score(
    examples: Sequence[Example], decisions: Sequence[Decision], evaluators: Sequence[Evaluator]
) -> EvalReport:
    """Return every evaluator's score of every decision.

    Raises:
        InputError: there are no examples, or they mix domains or bundles.
    """
    systems = {
        (example.domain, d.bundle_id) for example, d in zip(examples, decisions, strict=True)
    }
    if len(systems) != 1:
        raise InputError(f"examples of one domain and one bundle are needed, not {len(systems)}")
    [(domain, bundle_id)] = systems
    scores: dict[str, list[float]] = {}
    for evaluator in evaluators:
        for example, decision in zip(examples, decisions, strict=True):
            given = evaluator(example, decision)
            scores.setdefault(given.name, []).append(given.value)
    return EvalReport(
        domain=domain,
        bundle_id=bundle_id,
        items=tuple(example.state for example in examples),
        scores={name: tuple(values) for name, values in scores.items()},
    )


def outcomes(
    examples: Sequence[Example], decisions: Sequence[Decision], domain: AnyDomain
) -> list[Outcome]:
    """Return what the references say of the decisions, as outcomes a ledger takes."""
    found = []
    for example, decision in zip(examples, decisions, strict=True):
        reference = domain.canonical(example.reference)
        found.append(
            Outcome(
                decision_id=decision.decision_id,
                reward=float(reference == decision.answer),
                source="checker",
                reference=reference,
            )
        )
    return found
