"""The cheap answer: the sentences of passages that answer a sub-question best, word for word."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from trimtab.agents import facts
from trimtab.agents.directives import is_directive
from trimtab.agents.paper_record import record_sentence
from trimtab.agents.planning import PlanItem, asked_facts
from trimtab.agents.sentences import Sentence, sentences, stem, stems
from trimtab.protocols import Array, Embedder
from trimtab.rag.library import COSINE
from trimtab.rag.search_terms import content_words
from trimtab.records import Passage

Rarity = Callable[[Sequence[str]], Mapping[str, float]]
FEATURES = (
    "passage_cosine",
    "sentence_cosine",
    "coverage",
    "rarest_missing",
    "name_missing",
    "kind_missing",
    "lead",
)
"""What the probabilities that the corpus answers, and that the cheap answer is right, look at."""

MEANING = 0.5
"""Share of the cosine in a sentence's score; the rest is the share of rare words it holds."""
PASSAGE_SHARE = 0.7
"""What a word of the question counts that only the rest of the passage or its title holds."""
NUMBER_BONUS = 0.15
"""What a number adds to the score of a sentence where a number is asked for."""
CANDIDATES = 12
_ASKING_WORDS = """
    paper papers study studies work works article preprint author authors propose proposed introduce
    introduced method approach find found finding report reported say says according show shows use
    used using many much get name named called tell describe explain compare difference differ
    corpus one ones thing give given long often
"""
_ASKING = frozenset(_ASKING_WORDS.split())
"""Words that speak of the question, not of its subject."""
_RECORD_WORDS = """
    who wrote written publish published publication submitted submission date day month year when
    appear appeared arxiv id identifier category categories filed title position released first
"""
_FIELD_WORDS = frozenset(stem(word) for word in _RECORD_WORDS.split())
_WANTS_NUMBER = re.compile(
    r"\bhow\s+(?:many|much|often|large|big|far|fast\w*|long|low|high|small|few)\b|"
    r"\bby\s+how\b|\b(?:what|which)\s+(?:\w+\s+){0,3}?(?:percent\w*|share|rate|score|number|"
    r"accuracy|size|cost|price|speed\w*|factor|success|coefficient|rating|fraction|reduction|"
    r"temperature|improvement|gain)\b|\bafter how\b|\bon how many\b"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A sentence that may answer.

    Attributes:
        source_id: of its passage.
        start, end: in characters of the passage's text; both 0 for what the record says.
        text: the sentence.
        score: in [0, 1], larger is better.
        words: stems of the question that it holds.
    """

    source_id: str
    start: int
    end: int
    text: str
    score: float
    words: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class CheapAnswer:
    """What the passages say to one sub-question.

    Attributes:
        candidates: best first; empty where no passage was found.
        features: the values of ``FEATURES``.
        skipped: passages with sentences that speak to a model; those sentences were left out.
    """

    candidates: tuple[Candidate, ...]
    features: tuple[float, ...]
    skipped: tuple[str, ...] = ()


_NOTHING = (0.0, 0.0, 0.0, 1.0, 1.0, 1.0, 0.0)
"""The features where no passage was found, or nothing is asked for."""


def answer_from(
    item: PlanItem,
    passages: Sequence[Passage],
    embedder: Embedder,
    rarity: Rarity,
    *,
    about: str = "",
) -> CheapAnswer:
    """Return the sentences that answer a sub-question best.

    Args:
        item: what is asked.
        passages: best first; each carries its cosine to the question.
        embedder: of sentences; passages' vectors come from the same one.
        rarity: of words in the corpus.
        about: what the sub-questions ask that this one needs; its own words may say little.
    """
    weights = question_words(item.goal, rarity)
    subject = question_words(f"{about} {item.goal}", rarity)
    if not passages or not subject:
        # a question that names nothing is near to any passage and answered by none
        return CheapAnswer(candidates=(), features=_NOTHING)
    if item.tool == "facts":
        return _from_record(item, passages, subject)
    passages = _naming(item.goal, passages)
    read: list[tuple[Passage, Sentence]] = []
    skipped: list[str] = []
    for passage in passages:
        found = sentences(passage.text)
        usable = [one for one in found if not is_directive(one.text)]
        if len(usable) < len(found):
            skipped.append(passage.source_id)
        # a paper's question is no answer to ours
        telling = [one for one in usable if not one.text.endswith("?")]
        read += [(passage, one) for one in telling or usable]
    cosines = _cosines(f"{about} {item.goal}".strip(), read, embedder)
    bonus = NUMBER_BONUS if wants_number(item.goal) else 0.0
    scored = [
        _candidate(passage, one, float(cosine), weights, bonus)
        for (passage, one), cosine in zip(read, cosines, strict=True)
    ]
    order = sorted(range(len(scored)), key=lambda n: (-scored[n].score, n))
    if item.tool == "papers":
        order = _one_each(order, scored, passages)
    best = tuple(scored[n] for n in order[:CANDIDATES])
    return CheapAnswer(
        candidates=best,
        features=_features(
            item.goal, passages, best, dict(zip(scored, cosines, strict=True)), subject
        ),
        skipped=tuple(skipped),
    )


def question_words(goal: str, rarity: Rarity) -> dict[str, float]:
    """Return the rarity of each stem that names the question's subject."""
    # a lone Latin letter says nothing, one of a script without spaces is a word
    words = [
        word
        for word in content_words(goal)
        if word not in _ASKING and (len(word) > 1 or not word.isascii())
    ]
    rare = rarity(words)
    return {stem(word): max(0.05, rare[word]) for word in words}


def wants_number(goal: str) -> bool:
    """Return whether a question asks for a number."""
    return _WANTS_NUMBER.search(goal.casefold()) is not None


def _from_record(
    item: PlanItem, passages: Sequence[Passage], weights: Mapping[str, float]
) -> CheapAnswer:
    """Return what the records say, the paper first whose title and text fit the question best."""
    fields = asked_facts(item.goal) or ["authors", "published"]
    asked = {word: weight for word, weight in weights.items() if word not in _FIELD_WORDS}
    covered = [_coverage(asked, stems(f"{p.metadata.get('title', '')} {p.text}")) for p in passages]
    order = sorted(range(len(passages)), key=lambda n: (-covered[n], n))
    found = []
    for n in order:
        said = record_sentence(passages[n], fields)
        if said is not None:
            name = passages[n].source_id
            found.append(Candidate(source_id=name, start=0, end=0, text=said, score=covered[n]))
        elif n == order[0]:
            # the record of the paper that is meant does not say; another paper's answers nothing
            break
    best = passages[order[0]]
    text = _whole_text(best)
    missing = _rarest_missing(asked, stems(text))
    unnamed = float(bool(facts.missing_names(item.goal, f"{text} {best.metadata['paper']} arXiv")))
    cosine = float(best.metadata[COSINE])
    lead = covered[order[0]] - (covered[order[1]] if len(order) > 1 else 0.0)
    features = (cosine, cosine, covered[order[0]], missing, unnamed, float(not found), lead)
    return CheapAnswer(candidates=tuple(found[:1]), features=features)


def _cosines(goal: str, read: Sequence[tuple[Passage, Sentence]], embedder: Embedder) -> Array:
    texts = [f"{passage.metadata.get('title', '')}\n{one.text}" for passage, one in read]
    question, *rows = embedder.embed([goal, *texts])
    found: Array = np.array([float(np.dot(question, row)) for row in rows], dtype=np.float32)
    return found


def _candidate(
    passage: Passage, one: Sentence, cosine: float, weights: Mapping[str, float], bonus: float
) -> Candidate:
    here = stems(one.text)
    around = stems(f"{passage.metadata.get('title', '')} {passage.text}") - here
    coverage = _coverage(weights, here) + PASSAGE_SHARE * _coverage(weights, around)
    counted = bonus if facts.numbers(one.text) else 0.0
    return Candidate(
        source_id=passage.source_id,
        start=one.start,
        end=one.end,
        text=one.text,
        score=MEANING * max(0.0, cosine) + (1.0 - MEANING) * coverage + counted,
        words=tuple(sorted(set(weights) & here)),
    )


def _one_each(
    order: Sequence[int], scored: Sequence[Candidate], passages: Sequence[Passage]
) -> list[int]:
    """Return the best sentence of each passage, in the order of the sentences."""
    first: dict[str, int] = {}
    for n in order:
        first.setdefault(scored[n].source_id, n)
    return list(first.values())


def _features(
    goal: str,
    passages: Sequence[Passage],
    best: Sequence[Candidate],
    cosines: Mapping[Candidate, float],
    weights: Mapping[str, float],
) -> tuple[float, ...]:
    if not best:
        return _NOTHING
    cited = next(one for one in passages if one.source_id == best[0].source_id)
    whole = _whole_text(cited)
    top = stems(whole)
    other = next((one for one in best if one.source_id != best[0].source_id), None)
    asked = facts.numbers(goal)
    lacks = wants_number(goal) and not facts.numbers(best[0].text) - asked
    return (
        max(float(passage.metadata[COSINE]) for passage in passages),
        float(cosines[best[0]]),
        _coverage(weights, top),
        _rarest_missing(weights, top),
        float(bool(facts.missing_names(goal, whole))),
        float(lacks),
        best[0].score - (other.score if other else 0.0),
    )


def _coverage(weights: Mapping[str, float], words: frozenset[str]) -> float:
    total = sum(weights.values())
    return sum(weight for word, weight in weights.items() if word in words) / max(total, 1e-9)


def _naming(goal: str, passages: Sequence[Passage]) -> Sequence[Passage]:
    """Return the passages that hold every name of the question; all of them where none does."""
    holding = [one for one in passages if not facts.missing_names(goal, _whole_text(one))]
    return holding or passages


def _whole_text(passage: Passage) -> str:
    known = passage.metadata
    return f"{known.get('title', '')} {passage.text} {known.get('authors', '')}"


def _rarest_missing(weights: Mapping[str, float], words: frozenset[str]) -> float:
    return max((weight for word, weight in weights.items() if word not in words), default=0.0)
