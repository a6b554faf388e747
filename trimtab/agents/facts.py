"""The hard parts of a claim in canonical form: numbers, names, and which way it points.

Wording may differ between a claim and its evidence; these may not.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator

from trimtab.agents.sentences import stem
from trimtab.rag.search_terms import content_words

_UNITS = "two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen"
_MORE = "sixteen seventeen eighteen nineteen"
_TENS = "twenty thirty forty fifty sixty seventy eighty ninety"
_WORDS = {
    **{word: 2 + place for place, word in enumerate(f"{_UNITS} {_MORE}".split())},
    **{word: 20 + 10 * place for place, word in enumerate(_TENS.split())},
}
_SCALES = {"k": 1e3, "m": 1e6, "b": 1e9, "thousand": 1e3, "million": 1e6, "billion": 1e9}
# digits that stand behind a letter or a hyphen belong to a name (GPT-4o, o3, Qwen2.5)
_NUMBER = re.compile(
    r"(?<![\w.-])(?:\d{1,3}(?:,\d{3})+|\d+)?(?:\.\d+|(?<=\d))"
    r"(?:\s?(?P<scale>[kKmMbB]\b|thousand\b|million\b|billion\b))?"
    rf"|\b(?P<word>{'|'.join(_WORDS)})\b",
    re.IGNORECASE,
)
_NAME = re.compile(r"[A-Za-z0-9][\w+.$^-]*\w|[A-Z]")
_GENERIC = frozenset(
    (
        "llm",
        "lm",
        "ai",
        "nlp",
        "rag",
        "rl",
        "ml",
        "gpu",
        "cpu",
        "api",
        "qa",
        "it",
        "in",
        "we",
        "i",
        "the",
        "a",
    )
)
"""Abbreviations that every paper of the field uses: that one is absent says nothing."""
_CLAUSE = re.compile(r"[,;:](?!\d)|\.(?!\d)|\b(?:and|but|where|while|whereas)\b")
_OPPOSITES = (
    ("better", "worse"), ("more", "less"), ("more", "fewer"), ("higher", "lower"),
    ("most", "least"), ("largest", "smallest"), ("larger", "smaller"), ("longer", "shorter"),
    ("faster", "slower"), ("rise", "fall"), ("raise", "lower"), ("gain", "lose"),
    ("increase", "reduce"), ("increase", "decrease"), ("increase", "fall"), ("improve", "worsen"),
    ("improve", "hurt"), ("improve", "degrade"), ("succeed", "fail"), ("before", "after"),
    ("with", "without"), ("cheaper", "dearer"), ("win", "lose"), ("first", "last"),
    ("always", "never"), ("strong", "weak"), ("help", "harm"), ("preserve", "change"),
    ("remain", "change"), ("outperform", "underperform"), ("above", "below"),
)  # fmt: skip
_NEGATIONS = frozenset(
    (
        "no",
        "not",
        "never",
        "without",
        "cannot",
        "nor",
        "neither",
        "none",
        "nothing",
        "hardly",
        "unchanged",
    )
)
_EXTREMES = frozenset(
    ("all", "every", "always", "best", "never", "any", "only", "none", "entirely", "everywhere")
)


def numbers(text: str) -> frozenset[float]:
    """Return the numbers of a text, digits and words alike; those within names are not numbers.

    >>> sorted(numbers("Fourteen models of 7B, 2.22 times at 16K, not GPT-4o"))
    [2.22, 14.0, 16000.0, 7000000000.0]
    """
    return frozenset(value for value, _ in numbers_with_places(text))


def numbers_with_places(text: str) -> Iterator[tuple[float, int]]:
    """Yield each number with the place at which it begins."""
    plain = unicodedata.normalize("NFKC", text)
    for found in _NUMBER.finditer(plain):
        written = found.group(0)
        if found.group("word"):
            yield float(_WORDS[found.group("word").casefold()]), found.start()
        elif any(letter.isdigit() for letter in written):
            scale = (found.group("scale") or "").casefold()
            digits = re.sub(r"[^\d.]", "", written)
            yield float(f"{float(digits) * _SCALES.get(scale, 1.0):.10g}"), found.start()


def names(text: str) -> frozenset[str]:
    """Return the names of a text in canonical form: no case, no hyphens, no plural.

    A name is a word with a capital or a digit beyond its first letter, or a capitalised word that
    does not begin a sentence.

    >>> sorted(names("The router beats GPT-4o and Mistral. LLMs help CP-Router."))
    ['cprouter', 'gpt4o', 'mistral']
    """
    found: set[str] = set()
    for match in _NAME.finditer(text):
        word = match.group(0)
        begins = not text[: match.start()].strip() or text[: match.start()].rstrip()[-1] in '.!?:"“'
        inner = any(letter.isupper() or letter.isdigit() for letter in word[1:])
        if word[0].isdigit() and not any(letter.isalpha() for letter in word):
            continue
        if re.fullmatch(r"\d[\d.,]*[kKmMbB]?", word) or not (
            inner or (word[0].isupper() and not begins)
        ):
            continue
        name = canonical_name(word)
        if name and name not in _GENERIC:
            found.add(name)
    return frozenset(found)


def missing_names(claim: str, evidence: str) -> list[str]:
    """Return the names of a text that its evidence holds in no spelling, sorted."""
    bare = "".join(letter for letter in evidence.casefold() if letter.isalnum())
    return sorted(name for name in names(claim) if name not in bare)


def canonical_name(word: str) -> str:
    """Return a name without case, punctuation and plural."""
    bare = "".join(letter for letter in word if letter.isalnum())
    if len(bare) > 2 and bare.endswith("s") and bare[:-1].isupper():
        bare = bare[:-1]
    return bare.casefold()


def opposed(claim: str, evidence: str) -> bool:
    """Return whether the claim points the other way than its evidence, by the words that say so."""
    here, there = _directions(claim), _directions(evidence)
    for one, other in _OPPOSITES:
        for a, b in ((stem(one), stem(other)), (stem(other), stem(one))):
            if a in here and b not in here and b in there and a not in there:
                return True
    return bool(here & _NEGATIONS) != bool(there & _NEGATIONS)


def overclaims(claim: str, evidence: str) -> bool:
    """Return whether the claim says all, always or best where its evidence does not."""
    return bool((_directions(claim) & _EXTREMES) - _directions(evidence))


def swapped(claim: str, evidence: str) -> float:
    """Return in [0, 1] how much better the words beside a claim's number fit another number.

    0 where every shared number stands beside the words that it stands beside in the evidence; two
    figures that changed places are both wrong.
    """
    worst = 0.0
    there = [(value, _company(evidence, place)) for value, place in numbers_with_places(evidence)]
    for value, place in numbers_with_places(claim):
        mine = _company(claim, place)
        own = [_shared(mine, words) for number, words in there if number == value]
        others = [_shared(mine, words) for number, words in there if number != value]
        if own and others:
            worst = max(worst, max(others) - max(own))
    return worst


def _company(text: str, place: int) -> frozenset[str]:
    """Return the stems of the clause around a place, without its numbers."""
    start = max((cut.end() for cut in _CLAUSE.finditer(text, 0, place)), default=0)
    following = _CLAUSE.search(text, place)
    clause = text[start : following.start() if following else len(text)]
    return frozenset(stem(word) for word in content_words(clause) if not word[0].isdigit())


def _shared(mine: frozenset[str], words: frozenset[str]) -> float:
    return len(mine & words) / max(1, len(mine))


def _directions(text: str) -> frozenset[str]:
    words = re.findall(r"[a-z']+", text.casefold().replace("n't", " not").replace("’", "'"))
    return frozenset({*words, *(stem(word) for word in words)})
