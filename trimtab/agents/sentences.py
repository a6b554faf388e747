"""Texts cut into sentences that know their place, and the words that carry their content."""

from __future__ import annotations

import re
from dataclasses import dataclass

from trimtab.rag.search_terms import content_words

_END = re.compile(r"[.!?]+[\"'”’)\]]*\s+(?=[\"'“‘(\[]?[^\s a-z])")
_ABBREVIATION = re.compile(
    r"(?:\b(?:e\.g|i\.e|cf|vs|et al|etc|resp|approx|Fig|Eq|Sec|No|Dr|Prof|St)|\b[A-Z])\.\s+$"
)
_SUFFIXES = ("ations", "ation", "ings", "ing", "ers", "er", "ies", "ed", "es", "ly", "s", "e")
_STEM_CHARS = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Sentence:
    """``text`` is what the whole text holds from ``start`` to ``end``."""

    start: int
    end: int
    text: str


def sentences(text: str) -> list[Sentence]:
    """Return the sentences of a text in order; blank stretches give none.

    >>> [one.text for one in sentences("It beats GPT-4 by 2.5 %. Why? See e.g. Fig. 3.")]
    ['It beats GPT-4 by 2.5 %.', 'Why?', 'See e.g. Fig. 3.']
    """
    found: list[Sentence] = []
    start = 0
    ends = [match.end() for match in _END.finditer(text)]
    for end in [*ends, len(text)]:
        piece = text[start:end]
        if end < len(text) and _ABBREVIATION.search(piece):
            continue
        kept = piece.strip()
        if kept:
            first = start + len(piece) - len(piece.lstrip())
            found.append(Sentence(start=first, end=first + len(kept), text=kept))
        start = end
    return found


def stem(word: str) -> str:
    """Return a word without its ending, so that its forms meet; never shorter than four letters.

    >>> stem("routers") == stem("routing") == stem("routes")
    True
    """
    for suffix in _SUFFIXES:
        if word.endswith(suffix) and len(word) - len(suffix) >= _STEM_CHARS:
            # again: "succeeds" loses its s first, and must meet "succeed"
            return stem(word[: -len(suffix)])
    return word


def stems(text: str) -> frozenset[str]:
    """Return the stems of the words that carry the content of a text."""
    return frozenset(stem(word) for word in content_words(text))
