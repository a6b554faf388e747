"""Whether a sentence supports a claim that cites it.

A number or a name that the evidence lacks decides alone. The rest is one fitted probability of
five measures: nearness of meaning, shared words, the opposite direction, a figure beside other
words, more than was said.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from trimtab.agents import facts
from trimtab.agents.directives import is_directive
from trimtab.agents.research_fit import Fitted
from trimtab.agents.sentences import Sentence, sentences, stems
from trimtab.protocols import Embedder

MEASURES = ("cosine", "coverage", "opposed", "swapped", "overclaims")
_WINDOW = 2
"""Neighbouring sentences that may support one claim together."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Support:
    """The stretch of a passage that supports a claim best, and how well.

    Attributes:
        value: probability in [0, 1] that it does.
        start, end: of the stretch, in characters of the passage.
        quote: the stretch.
        why: what speaks against it, empty where nothing does.
    """

    value: float
    start: int
    end: int
    quote: str
    why: str = ""


class CitationChecker:
    """Checks claims against sentences; thread-safe where its embedder is.

    Args:
        embedder: gives the cosines; the fit holds for it alone.
        fitted: weights and thresholds.
    """

    def __init__(self, embedder: Embedder, fitted: Fitted) -> None:
        self._embedder = embedder
        self._fitted = fitted

    @property
    def threshold(self) -> float:
        """Return the probability from which a sentence counts as support."""
        return self._fitted.support_threshold

    def support(
        self, claim: str, sentence: str, *, title: str = "", record: str = "", passage: str = ""
    ) -> float:
        """Return the probability in [0, 1] that a sentence supports a claim.

        Args:
            claim: one statement.
            sentence: of the passage that it cites.
            title: of the paper; it says whom "it" and "the method" mean.
            record: authors, date and categories of the paper, where the claim may rest on them.
            passage: around the sentence; names may stand there.
        """
        if not possible(claim, sentence, title=title, record=record, passage=passage):
            return 0.0
        row = measures(self._embedder, claim, sentence, title=title)
        return self._fitted.support.probability(row)

    def supports(
        self, claim: str, sentence: str, *, title: str = "", record: str = "", passage: str = ""
    ) -> bool:
        """Return whether the support reaches the fitted threshold."""
        value = self.support(claim, sentence, title=title, record=record, passage=passage)
        return value >= self._fitted.support_threshold

    def best(self, claim: str, passage: str, *, title: str = "", record: str = "") -> Support:
        """Return the best support of a claim within a passage; orders to a model support nothing.

        A claim that is a sentence of the passage, word for word, is supported with certainty.
        """
        found = sentences(passage)
        usable = [one for one in found if not is_directive(one.text)]
        plain = " ".join(claim.split())
        for one in usable:
            if " ".join(one.text.split()) == plain:
                return Support(value=1.0, start=one.start, end=one.end, quote=one.text)
        named = " ".join(one.text for one in usable)
        best = Support(value=0.0, start=0, end=0, quote="", why="the passage holds no sentence")
        for window in _windows(found):
            if any(is_directive(one.text) for one in window):
                continue
            start, end = window[0].start, window[-1].end
            quote = passage[start:end]
            value = self.support(claim, quote, title=title, record=record, passage=named)
            if value > best.value or not best.quote:
                why = objection(claim, quote, title=title, record=record, passage=named)
                best = Support(value=value, start=start, end=end, quote=quote, why=why)
        return best


def possible(
    claim: str, sentence: str, *, title: str = "", record: str = "", passage: str = ""
) -> bool:
    """Return whether the evidence holds every number and name of a claim, which orders nothing."""
    evidence = f"{sentence} {title} {record}"
    return (
        facts.numbers(claim) <= facts.numbers(evidence)
        and not facts.missing_names(claim, f"{evidence} {passage}")
        and not is_directive(claim)
    )


def measures(embedder: Embedder, claim: str, sentence: str, *, title: str = "") -> list[float]:
    """Return the values of ``MEASURES`` for one claim and one stretch of text."""
    titled = f"{title}\n{sentence}" if title else sentence
    mine, bare, whole = embedder.embed([claim, sentence, titled])
    words = stems(claim)
    return [
        float(max(np.dot(mine, bare), np.dot(mine, whole))),
        len(words & stems(f"{sentence} {title}")) / max(1, len(words)),
        float(facts.opposed(claim, sentence)),
        facts.swapped(claim, sentence),
        float(facts.overclaims(claim, sentence)),
    ]


def objection(
    claim: str, sentence: str, *, title: str = "", record: str = "", passage: str = ""
) -> str:
    """Return in words what speaks against a claim, empty where nothing hard does."""
    evidence = f"{sentence} {title} {record}"
    if is_directive(claim):
        return "the claim gives an order"
    absent = sorted(facts.numbers(claim) - facts.numbers(evidence))
    if absent:
        return f"the passage does not hold the number {absent[0]:g}"
    unnamed = facts.missing_names(claim, f"{evidence} {passage}")
    if unnamed:
        return f"the passage does not name {unnamed[0]!r}"
    if facts.opposed(claim, sentence):
        return "the passage points the other way"
    if facts.overclaims(claim, sentence):
        return "the claim says more than the passage"
    return ""


def _windows(found: Sequence[Sentence]) -> list[list[Sentence]]:
    return [
        list(found[start : start + size])
        for size in range(1, _WINDOW + 1)
        for start in range(len(found) - size + 1)
    ]
