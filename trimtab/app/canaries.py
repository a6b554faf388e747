"""Canaries: questions with known answers that the LLM is asked again and again (alarm A3)."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from trimtab.app.audits import ask_expert
from trimtab.errors import InputError, ParseError
from trimtab.graphs.serving import Serving


@dataclass(frozen=True, slots=True, kw_only=True)
class Canaries:
    """A fixed set of canaries.

    Attributes:
        examples: texts with the canonical words of their right answers.
        errors: share of them that the LLM got wrong when they were last asked all together.
    """

    examples: tuple[tuple[str, str], ...]
    errors: float

    def drawn(self, decision_id: str) -> tuple[str, str]:
        """Return the canary that a decision's id draws, each one equally likely."""
        digest = hashlib.sha256(f"canary\0{decision_id}".encode()).digest()
        return self.examples[int.from_bytes(digest[:8], "big") % len(self.examples)]

    def to_json(self) -> dict[str, Any]:
        """Return them as plain JSON values."""
        return {"examples": [list(example) for example in self.examples], "errors": self.errors}

    @classmethod
    def from_json(cls, plain: Mapping[str, Any]) -> Canaries:
        """Return what :meth:`to_json` wrote."""
        examples = tuple((str(text), str(answer)) for text, answer in plain["examples"])
        return cls(examples=examples, errors=float(plain["errors"]))


def ask_all(serving: Serving, examples: Mapping[str, str]) -> Canaries:
    """Ask the LLM every canary once, and return them with the share it got wrong.

    Args:
        serving: of the domain.
        examples: the right answer of each text.

    Raises:
        InputError: there are none, a text or an answer is not of the domain, or the LLM gets all
            of them wrong, so that it cannot become worse.
        LLMError: the LLM cannot be asked.
    """
    if not examples:
        raise InputError("canaries: none were given; give texts with their right answers")
    spelled = tuple(
        (text, serving.domain.canonical(answer))
        for text, answer in examples.items()
        if serving.domain.from_text(text) is not None
    )
    wrong = sum(not is_right(serving, text, answer) for text, answer in spelled)
    if wrong == len(spelled):
        raise InputError(
            f"canaries: the LLM gets all {wrong} wrong, so it cannot become worse; give questions "
            f"that it answers rightly"
        )
    return Canaries(examples=spelled, errors=wrong / len(spelled))


def is_right(serving: Serving, text: str, answer: str) -> bool:
    """Return whether the LLM answers a canary rightly; a reply that cannot be read is wrong."""
    try:
        prediction = ask_expert(serving, text)
    except ParseError:
        return False
    return serving.domain.canonical(prediction.action) == answer
