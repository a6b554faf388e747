"""The seam of domains that are answered by a whole text, such as a full grid."""

from __future__ import annotations

from typing import Protocol, TypeVar, runtime_checkable

from trimtab.protocols import Domain

S = TypeVar("S")


@runtime_checkable
class WholeAnswers(Domain[S], Protocol[S]):
    """A domain in which a request is answered by one whole text, and exactly one text is right.

    Laws: ``whole`` is idempotent, agrees with ``canonical``, and what it returns matches
    ``answer_pattern``; ``check(state, solution(state))`` is 1.
    """

    @property
    def answer_pattern(self) -> str:
        """Return the regular expression of a whole answer, as a JSON schema takes it."""
        ...

    def whole(self, answer: str) -> str:
        """Return the one spelling of a whole answer; raises ``IllegalAction`` for none."""
        ...

    def solution(self, state: S) -> str:
        """Return the right answer, in the spelling of ``whole``."""
        ...
