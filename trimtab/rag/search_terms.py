"""Words for the full-text index: what is stored, and what a query asks for.

The tokenizer of the index splits at everything but letters and digits, folds case and accents and
stems English. Scripts that put no space between words would become one long token there, so their
characters are stored apart and asked for in pairs.
"""

from __future__ import annotations

import re
import unicodedata

TOKENIZER = "porter unicode61 remove_diacritics 2"
MAX_TERMS = 256
# Words that most English passages hold: their weight in BM25 is next to nothing, and reading their
# postings takes most of a query's time. Inside quotes and compounds they count.
_FUNCTION_WORD = re.compile(
    "a|an|and|are|as|at|be|been|but|by|can|could|did|do|does|for|from|had|has|have|he|her|his|how|"
    "i|if|in|into|is|it|its|may|me|my|no|nor|not|of|on|or|our|she|should|so|some|such|than|that|"
    "the|their|them|then|there|these|they|this|those|to|us|was|we|were|what|when|where|which|who|"
    "why|will|with|would|you|your"
)
_SPACELESS = (
    "\u0e00-\u0eff"  # Thai, Lao
    "\u1000-\u109f\u1780-\u17ff"  # Burmese, Khmer
    "\u3040-\u30ff\u31f0-\u31ff"  # kana
    "\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"  # Han
    "\U00020000-\U0002fa1f"
)
_LETTER = re.compile(f"([{_SPACELESS}])")
_QUOTED = re.compile(r'"([^"]+)"|“([^”]+)”')
_COMPOUND = re.compile(r"\w+(?:[-./_:+']\w+)+")
_WORD = re.compile(r"[^\W_]+")


def searchable(text: str) -> str:
    """Return a text as the full-text index stores it."""
    composed = unicodedata.normalize("NFKC", text)
    return _LETTER.sub(r" \1 ", composed).replace("\x00", " ")


def match_expression(query: str) -> str | None:
    """Return the FTS5 expression of a query, None where it holds no word.

    Any term may match. Quoted parts and compounds (``GPT-4o-mini``, ``2505.12028``) are asked for
    as phrases beside their words: a rare phrase outweighs its common words. English function words
    are left out unless there is nothing else.
    """
    composed = unicodedata.normalize("NFKC", query)
    terms: dict[str, None] = {}
    common: dict[str, None] = {}
    for found in _QUOTED.finditer(composed):
        _add(terms, _words(found.group(1) or found.group(2)))
    for found in _COMPOUND.finditer(composed):
        _add(terms, _words(found.group(0)))
    for run in composed.split():
        for word in _pairs(_words(run)):
            _add(common if _FUNCTION_WORD.fullmatch(word[0]) else terms, word)
    return " OR ".join(list(terms or common)[:MAX_TERMS]) or None


def content_words(text: str) -> list[str]:
    """Return the words of a text in order, folded, without English function words."""
    words = _words(unicodedata.normalize("NFKC", text))
    return [word for word in words if not _FUNCTION_WORD.fullmatch(word)]


def is_literal(query: str) -> bool:
    """Return whether a query is nothing but quoted parts and identifiers, words with a digit.

    Such a query has no meaning that a vector could be near to: it names what must be there.
    """
    rest, quotes = _QUOTED.subn(" ", unicodedata.normalize("NFKC", query))
    words = [word for word in rest.split() if not _FUNCTION_WORD.fullmatch(word.casefold())]
    named = [word for word in words if len(word) > 2 and any(c.isdigit() for c in word)]
    return len(named) == len(words) and quotes + len(named) > 0


def _words(text: str) -> list[str]:
    return _WORD.findall(_LETTER.sub(r" \1 ", text).casefold())


def _pairs(words: list[str]) -> list[list[str]]:
    """Return words one by one, but neighbouring characters of spaceless scripts as pairs."""
    terms: list[list[str]] = []
    last = len(words) - 1
    for place, word in enumerate(words):
        if not _LETTER.fullmatch(word):
            terms.append([word])
        elif place < last and _LETTER.fullmatch(words[place + 1]):
            terms.append([word, words[place + 1]])
        elif place == 0 or not _LETTER.fullmatch(words[place - 1]):
            terms.append([word])  # a character that stands alone
    return terms


def _add(terms: dict[str, None], words: list[str]) -> None:
    if words:
        terms['"' + " ".join(words) + '"'] = None
