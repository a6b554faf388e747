"""Words a question for a person and reads the reply; only a graph node stops and asks.

Options are numbered from 1 in the order of the domain's actions, so that a number means the same
in every state. Where an action's own name is a whole number (a column), options go by name alone.
A domain of whole answers has no options: the reply is the answer.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from trimtab.domains.whole_answers import WholeAnswers
from trimtab.errors import IllegalAction
from trimtab.protocols import AnyDomain
from trimtab.records import Prediction

NAME = "human"


def question(
    domain: AnyDomain, state_text: str, predictions: Sequence[Prediction]
) -> dict[str, Any]:
    """Return what a person is asked, as plain JSON values.

    Keys: ``title``, ``instructions``, ``text`` (the state), ``options`` (``number`` or None, and
    ``label``; the legal ones, none in a domain of whole answers) and ``suggestions`` (``agent``,
    ``label``, ``confidence`` or None), in the order in which the predictions were made.
    """
    state = domain.from_text(state_text)
    numbered = _is_numbered(domain)
    return {
        "title": f"What is the right answer in {domain.name}?",
        "instructions": domain.instructions,
        "text": domain.to_text(state),
        "options": [
            {"number": action + 1 if numbered else None, "label": domain.canonical(action)}
            for action in ([] if isinstance(domain, WholeAnswers) else domain.legal_actions(state))
        ],
        "suggestions": [
            {"agent": p.agent, "label": domain.canonical(p.action), "confidence": p.confidence}
            for p in predictions
        ],
    }


def read_reply(domain: AnyDomain, reply: object, *, state_text: str | None = None) -> Prediction:
    """Return a person's answer: an option's number, its label in any case, or a whole answer.

    Args:
        domain: the domain of the question.
        reply: what the person sent.
        state_text: the state asked about; if given, the answer must be legal in it.

    Raises:
        IllegalAction: the reply is none; the message lists the options.
    """
    if isinstance(domain, WholeAnswers):
        return Prediction(
            agent=NAME, action=domain.whole(str(reply)), confidence=None, tier="person"
        )
    labels = {action: domain.canonical(action) for action in range(domain.num_actions)}
    if state_text is not None:
        legal = domain.legal_actions(domain.from_text(state_text))
        labels = {action: labels[action] for action in legal}
    numbered = _is_numbered(domain)
    text = str(reply).strip() if _is_readable(reply) else ""
    for action, label in labels.items():
        number = str(action + 1) if numbered else None
        if text and (text.casefold() == label.casefold() or text == number):
            return Prediction(agent=NAME, action=action, confidence=None, tier="person")
    options = ", ".join(
        f"{action + 1} = {label}" if numbered else label for action, label in labels.items()
    )
    raise IllegalAction(f"reply {str(reply)[:80]!r} is no option; options: {options}")


def _is_readable(reply: object) -> bool:
    return isinstance(reply, int | str) and not isinstance(reply, bool)


def _is_numbered(domain: AnyDomain) -> bool:
    return not any(domain.canonical(a).lstrip("-").isdigit() for a in range(domain.num_actions))
