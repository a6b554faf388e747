"""The research set: questions over the shipped papers, and claims labelled beside a sentence.

Their card is ``trimtab/shipped/research/CARD.md``. Gold papers belong to one split each; what is
fitted is fitted on ``dev``, what is reported is measured on ``test``.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any, Literal, TypeVar

from trimtab.datasets.json_lines import json_objects
from trimtab.errors import InputError
from trimtab.rag.papers import check_arxiv_id

Split = Literal["dev", "test"]
Row = TypeVar("Row")

SPLITS: tuple[Split, ...] = ("dev", "test")
KINDS = ("definition", "comparison", "survey", "number", "record", "multi_part")
REASONS = ("missing_fact", "absent_paper", "other_field", "wrong_premise")
FIELDS = ("title", "authors", "published", "categories")
ORIGINS = {
    "paraphrase": True,
    "part": True,
    "changed_number": False,
    "changed_subject": False,
    "negation": False,
    "wrong_paper": False,
    "over_claim": False,
}
"""How a claim was made from its sentence, and whether the sentence then supports it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Gold:
    """Where an answer stands.

    Attributes:
        arxiv_id: the paper.
        sentences: of its summary, word for word.
        fields: of its record, where the answer stands in the record.
    """

    arxiv_id: str
    sentences: tuple[str, ...]
    fields: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ResearchQuestion:
    """A question over the shipped papers.

    Attributes:
        question_id: unique in its file.
        question: as a person would ask it.
        kind: one of ``KINDS``.
        split: ``dev`` or ``test``.
        answerable: the papers answer it.
        reason: why they do not, one of ``REASONS``; None where they do.
        gold: where the answer stands; empty where there is none.
        also: further papers that an answer may cite and need not.
        facts: short texts that the answer rests on, each word for word in a gold passage.
    """

    question_id: str
    question: str
    kind: str
    split: Split
    answerable: bool
    reason: str | None
    gold: tuple[Gold, ...]
    also: tuple[str, ...]
    facts: tuple[str, ...]

    @property
    def gold_ids(self) -> tuple[str, ...]:
        """Return the papers that the answer needs."""
        return tuple(gold.arxiv_id for gold in self.gold)


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelledCitation:
    """A claim beside the sentence that it cites.

    Attributes:
        pair_id: unique in its file.
        claim: what is said.
        arxiv_id: the paper of the sentence.
        sentence: of the paper's summary, word for word.
        supports: a reader of title and sentence must accept every part of the claim.
        kind: how the claim was made from the sentence, one of ``ORIGINS``.
        split: ``dev`` or ``test``.
    """

    pair_id: str
    claim: str
    arxiv_id: str
    sentence: str
    supports: bool
    kind: str
    split: Split


def research_questions(split: Split | None = None) -> tuple[ResearchQuestion, ...]:
    """Return the shipped questions, of one split or all."""
    return tuple(row for row in _shipped_questions() if split in (None, row.split))


def labelled_citations(split: Split | None = None) -> tuple[LabelledCitation, ...]:
    """Return the shipped pairs of claim and sentence, of one split or all."""
    return tuple(row for row in _shipped_citations() if split in (None, row.split))


def split_named(name: object) -> Split:
    """Return a split by its name; raises ``InputError`` for another text."""
    for split in SPLITS:
        if name == split:
            return split
    raise InputError(f"split={name!r:.80}; use one of {', '.join(SPLITS)}")


def read_questions(path: Path) -> tuple[ResearchQuestion, ...]:
    """Return the questions of a ``.jsonl`` file.

    Raises:
        InputError: a line cannot be used; the message names file, line, field and remedy.
    """
    return _rows(path, "question_id", _question)


def read_citations(path: Path) -> tuple[LabelledCitation, ...]:
    """Return the labelled pairs of a ``.jsonl`` file.

    Raises:
        InputError: a line cannot be used; the message names file, line, field and remedy.
    """
    return _rows(path, "pair_id", _citation)


@functools.cache
def _shipped_questions() -> tuple[ResearchQuestion, ...]:
    with resources.as_file(_folder() / "questions.jsonl") as path:
        return read_questions(path)


@functools.cache
def _shipped_citations() -> tuple[LabelledCitation, ...]:
    with resources.as_file(_folder() / "citations.jsonl") as path:
        return read_citations(path)


def _folder() -> resources.abc.Traversable:
    return resources.files("trimtab") / "shipped" / "research"


def _rows(path: Path, key: str, parse: Callable[[Mapping[str, Any]], Row]) -> tuple[Row, ...]:
    rows: dict[str, Row] = {}
    for where, plain in json_objects(path):
        try:
            name = _text(plain, key)
            if name in rows:
                raise InputError(f"{key}={name!r:.80} occurs twice; give each line its own")
            rows[name] = parse(plain)
        except InputError as error:
            raise InputError(f"{path}: {where}: {error}") from error
    return tuple(rows.values())


def _question(plain: Mapping[str, Any]) -> ResearchQuestion:
    question = ResearchQuestion(
        question_id=_text(plain, "question_id"),
        question=_text(plain, "question"),
        kind=_one_of(plain, "kind", KINDS),
        split=split_named(plain.get("split")),
        answerable=_truth(plain, "answerable"),
        reason=None if plain.get("reason") is None else _one_of(plain, "reason", REASONS),
        gold=tuple(_gold(item) for item in _list(plain, "gold")),
        also=tuple(check_arxiv_id(name) for name in _texts(plain, "also")),
        facts=_texts(plain, "facts"),
    )
    complete = bool(question.gold and question.facts) and question.reason is None
    empty = not question.gold and not question.facts and question.reason is not None
    if not (complete if question.answerable else empty):
        raise InputError(
            f"answerable={question.answerable} does not go with {len(question.gold)} gold, "
            f"{len(question.facts)} facts, reason={question.reason!r}; an answerable question "
            "needs gold and facts, another one a reason alone"
        )
    return question


def _gold(plain: object) -> Gold:
    if not isinstance(plain, Mapping):
        raise InputError(f"gold={plain!r:.80} is no object; write arxiv_id, sentences, fields")
    gold = Gold(
        arxiv_id=check_arxiv_id(_text(plain, "arxiv_id")),
        sentences=_texts(plain, "sentences"),
        fields=_texts(plain, "fields"),
    )
    strange = sorted(set(gold.fields) - set(FIELDS))
    if strange or not (gold.sentences or gold.fields):
        raise InputError(
            f"gold of {gold.arxiv_id}: fields={list(gold.fields)} with {len(gold.sentences)} "
            f"sentences; give sentences, or fields of {', '.join(FIELDS)}"
        )
    return gold


def _citation(plain: Mapping[str, Any]) -> LabelledCitation:
    citation = LabelledCitation(
        pair_id=_text(plain, "pair_id"),
        claim=_text(plain, "claim"),
        arxiv_id=check_arxiv_id(_text(plain, "arxiv_id")),
        sentence=_text(plain, "sentence"),
        supports=_truth(plain, "supports"),
        kind=_one_of(plain, "kind", tuple(ORIGINS)),
        split=split_named(plain.get("split")),
    )
    if ORIGINS[citation.kind] != citation.supports:
        raise InputError(f"kind={citation.kind!r} does not go with supports={citation.supports}")
    return citation


def _text(plain: Mapping[str, Any], field: str) -> str:
    value = plain.get(field)
    if not isinstance(value, str) or not value.strip():
        raise InputError(f"{field}={value!r:.80} is no text; every line needs it")
    return value


def _texts(plain: Mapping[str, Any], field: str) -> tuple[str, ...]:
    values = _list(plain, field)
    if not all(isinstance(value, str) and value.strip() for value in values):
        raise InputError(f"{field}={values!r:.80} holds what is no text; write a list of texts")
    return tuple(values)


def _list(plain: Mapping[str, Any], field: str) -> list[Any]:
    value = plain.get(field)
    if not isinstance(value, list):
        raise InputError(f"{field}={value!r:.80} is no list; write [] where there is nothing")
    return value


def _truth(plain: Mapping[str, Any], field: str) -> bool:
    value = plain.get(field)
    if not isinstance(value, bool):
        raise InputError(f"{field}={value!r:.80} is neither true nor false")
    return value


def _one_of(plain: Mapping[str, Any], field: str, names: tuple[str, ...]) -> str:
    value = _text(plain, field)
    if value not in names:
        raise InputError(f"{field}={value!r:.80}; use one of {', '.join(names)}")
    return value
