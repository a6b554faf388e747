"""Which of the passages found for a question are read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from trimtab.records import Passage


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """The passages to read, best first, and how sure the selector is; None if it cannot tell."""

    passages: tuple[Passage, ...]
    confidence: float | None = None


class Selector(Protocol):
    """Orders passages for a question.

    Laws: what it returns are passages that it was given, each once and unaltered; callable from
    any thread.
    """

    @property
    def name(self) -> str:
        """Return the name that traces carry."""
        ...

    def select(self, question: str, passages: Sequence[Passage], *, k: int) -> Selection:
        """Return at most k passages, best first."""
        ...


class FusionSelector:
    """Takes the best by the fused score of retrieval; knows no confidence."""

    name = "fusion"

    def select(self, question: str, passages: Sequence[Passage], *, k: int) -> Selection:
        """Return the first k, which retrieval has ordered."""
        return Selection(passages=tuple(passages[:k]))
