"""Outcomes: what a caller says, or a domain's own truth where a solver can judge every move."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import Future

from trimtab.agents.answers import DOMAIN
from trimtab.domains.whole_answers import WholeAnswers
from trimtab.errors import IllegalAction, InputError, TruthUnknown
from trimtab.graphs.serving import Serving
from trimtab.ledger import REDACTED
from trimtab.protocols import AnyDomain, Ledger
from trimtab.records import Decision, Outcome, OutcomeSource


def by_reward(
    decision_id: str, answer: str | None, reward: float | None, source: OutcomeSource
) -> Outcome:
    """Return the outcome of a shown answer that was so good.

    Raises:
        InputError: an answer is given too, or no reward, or one outside [0, 1].
    """
    if answer is not None or reward is None:
        raise InputError(f"answer={answer!r}, reward={reward!r}: give exactly one of the two")
    if not 0.0 <= reward <= 1.0:
        raise InputError(f"reward={reward} is not in [0, 1]; give 1 for right, 0 for wrong")
    return Outcome(decision_id=decision_id, reward=reward, source=source)


def by_answer(
    ledger: Ledger,
    decision_id: str,
    answer: str,
    source: OutcomeSource,
    serving: Callable[[str], Serving],
) -> Outcome:
    """Return the outcome of a decision whose right answer is known.

    Raises:
        LedgerError: no such decision.
        InputError: it answers a question over papers.
    """
    ledger.flush()
    decision = ledger.get(decision_id)
    if decision.domain == DOMAIN:
        raise InputError(
            f"decision {decision_id!r} answers a question over papers, in sentences that no other "
            "answer equals; say how good it was: reward, 1 for right, 0 for wrong"
        )
    reference = serving(decision.domain).domain.canonical(answer)
    return Outcome(
        decision_id=decision_id,
        reward=float(reference == decision.answer),
        source=source,
        reference=reference,
    )


def resolve_by_solver(
    ledger: Ledger, domain: AnyDomain, decisions: Iterable[Decision]
) -> list[Outcome]:
    """Write what the domain's truth says of every decision, durably, and return the outcomes.

    Each outcome names all right answers, so that the answers that were not shown are judged too.
    Decisions whose truth is not known, and redacted ones, get no outcome.

    Args:
        ledger: holds the decisions.
        domain: theirs; its ``check`` solves the state.
        decisions: to be judged.

    Raises:
        LedgerError: the ledger does not hold one of them.
    """
    told = [_judged(domain, decision) for decision in decisions if decision.state != REDACTED]
    outcomes = [outcome for outcome in told if outcome is not None]
    written: list[Future[int]] = [ledger.resolve(outcome) for outcome in outcomes]
    for future in written:
        future.result()
    return outcomes


def right_answers(domain: AnyDomain, state: object) -> list[str]:
    """Return the canonical words of every answer that the domain's truth calls right.

    These are legal actions, or the one whole answer of a domain of such.

    Raises:
        TruthUnknown: the domain does not know it.
    """
    if isinstance(domain, WholeAnswers):
        return [domain.solution(state)]
    return [
        domain.canonical(action)
        for action in domain.legal_actions(state)
        if domain.check(state, action) == 1.0
    ]


def _judged(domain: AnyDomain, decision: Decision) -> Outcome | None:
    try:
        right = right_answers(domain, domain.from_text(decision.state))
    except TruthUnknown:
        return None
    return Outcome(
        decision_id=decision.decision_id,
        reward=float(_spelled(domain.canonical, decision.action) in right),
        # several are kept in one line, so that a single one with blanks in it needs another source
        source="checker" if isinstance(domain, WholeAnswers) else "solver",
        reference=" ".join(right),
    )


def _spelled(canonical: Callable[[int | str], str], action: int | str) -> str:
    try:
        return canonical(action)
    except IllegalAction:
        return ""
