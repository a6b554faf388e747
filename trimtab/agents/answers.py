"""An answer over papers: claims with the stretch of text that each rests on, and its sources."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

from trimtab.agents import facts
from trimtab.records import Passage, Route, Usage, route_to_json, usage_from_json, usage_to_json

Mark = Literal["extractive, no LLM", "extractive", "LLM, verified", "not in the corpus"]
NOTHING = "The corpus does not say."
DOMAIN = "research"
"""The domain under which the ledger keeps answers over papers."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """One statement and what it rests on.

    Attributes:
        text: the statement; of the cheap answer, the sentence itself.
        item: the sub-question that it answers.
        source_id: the passage that it cites.
        quote: the stretch that supports it, from ``start`` to ``end`` of the passage's text; where
            both are 0 the paper's record does.
        support: probability in [0, 1] that the quote supports the claim.
        by: ``extractive``, ``record`` or ``llm``.
        score: of the sentence among those that could answer; 1 for a claim of the LLM.
        why: what speaks against the claim, empty for one that is shown.
    """

    text: str
    item: str
    source_id: str
    quote: str
    start: int
    end: int
    support: float
    by: str
    score: float = 1.0
    why: str = ""

    @property
    def canonical(self) -> tuple[str, int, int, tuple[float, ...]]:
        """Return the claim without its wording: the stretch it rests on, and its numbers.

        Two claims agree exactly if these are equal.
        """
        record = self.text if self.start == self.end else ""
        numbers = tuple(sorted(facts.numbers(record or self.text)))
        return self.source_id, self.start, self.end, numbers


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """A paper that an answer cites, under its number; None where a fact is not known."""

    number: int
    source_id: str
    arxiv_id: str
    title: str
    section: str
    start: int
    end: int
    authors: tuple[str, ...] | None
    date: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """The answer to one question.

    Attributes:
        question: as it was asked.
        decision_id: of the ledger's row.
        answerable: whether the corpus answers; where not, there is no claim.
        answerable_probability: that it does, from what was found.
        confidence: that the answer shown is right.
        mark: who speaks.
        text: the answer, with the numbers of its sources.
        claims: all verified.
        dropped: claims that did not verify, with the reason.
        sources: by number.
        nearest: the papers nearest to a question that has no answer.
        plan: the sub-questions as plain JSON.
        kind: the form of question.
        planned_by: ``rules`` or ``llm``.
        marks: what was not as usual.
        rounds: drafts that were judged.
        route: who answered, and why.
        calls: how many, by kind.
        usage: all that was used.
    """

    question: str
    decision_id: str
    answerable: bool
    answerable_probability: float
    confidence: float
    mark: Mark
    text: str
    claims: tuple[Claim, ...]
    dropped: tuple[Claim, ...]
    sources: tuple[Source, ...]
    nearest: tuple[Source, ...]
    plan: tuple[Mapping[str, Any], ...]
    kind: str
    planned_by: str
    marks: tuple[str, ...]
    rounds: int
    route: Route
    calls: Mapping[str, int]
    usage: Usage


def claim_from_json(plain: Mapping[str, Any]) -> Claim:
    """Return the claim of ``dataclasses.asdict``."""
    return Claim(**plain)


def answer_to_json(answer: Answer) -> dict[str, Any]:
    """Return an answer as plain JSON values (lists for tuples)."""
    plain: dict[str, Any] = asdict(answer)
    plain["route"] = route_to_json(answer.route)
    plain["usage"] = usage_to_json(answer.usage)
    listed: dict[str, Any] = json.loads(json.dumps(plain, ensure_ascii=False))
    return listed


def answer_from_json(plain: Mapping[str, Any]) -> Answer:
    """Return the answer that :func:`answer_to_json` wrote."""
    values = dict(plain)
    for name in ("claims", "dropped"):
        values[name] = tuple(claim_from_json(one) for one in values[name])
    for name in ("sources", "nearest"):
        values[name] = tuple(_source_from_json(one) for one in values[name])
    for name in ("plan", "marks"):
        values[name] = tuple(values[name])
    values["route"] = Route(**values["route"])
    values["usage"] = usage_from_json(values["usage"])
    return Answer(**values)


def sources_of(passages: Sequence[Passage]) -> tuple[Source, ...]:
    """Return the passages as numbered sources, each once, in their order."""
    known = {passage.source_id: passage for passage in passages}
    return tuple(_source(number, one) for number, one in enumerate(known.values(), start=1))


def compose(
    claims: Sequence[Claim],
    sources: Sequence[Source],
    plan: Sequence[Mapping[str, Any]],
    kind: str,
    *,
    unanswered: Sequence[str] = (),
) -> str:
    """Return the answer in words: the claims item by item, each with the number of its source.

    Args:
        claims: verified ones.
        sources: all that they cite.
        plan: the sub-questions.
        kind: papers are listed by title; the sides of a comparison stand under their names.
        unanswered: ids of items that the corpus does not answer.
    """
    by_id = {source.source_id: source for source in sources}
    lines: list[str] = []
    said_of: set[tuple[str, str]] = set()
    for item in plan:
        mine = [claim for claim in claims if claim.item == item["id"]]
        if kind != "comparison":
            # one sentence may answer two sub-questions; it is read once
            mine = [claim for claim in mine if (claim.source_id, claim.text) not in said_of]
            said_of.update((claim.source_id, claim.text) for claim in mine)
        if item["id"] in unanswered:
            lines.append(f"{item['goal']}: the corpus does not say.")
        elif item["tool"] == "papers":
            lines += [_listed(claim, by_id[claim.source_id]) for claim in mine]
        elif mine:
            said = _said(mine, by_id)
            lines.append(f"{item['goal']}: {said}" if kind == "comparison" else said)
    loose = [claim for claim in claims if claim.item not in {item["id"] for item in plan}]
    if loose:
        lines.append(_said(loose, by_id))
    return "\n".join(dict.fromkeys(lines)) or NOTHING


def _said(claims: Sequence[Claim], sources: Mapping[str, Source]) -> str:
    """Return claims with their sources; sentences of one passage stand in its order."""
    numbers: dict[str, list[int]] = {}
    first = {claim.source_id: place for place, claim in reversed(list(enumerate(claims)))}
    quoted = [claim for claim in claims if claim.by == "extractive"]
    quoted.sort(key=lambda claim: (first[claim.source_id], claim.start))
    for claim in [*quoted, *(claim for claim in claims if claim.by != "extractive")]:
        numbers.setdefault(claim.text, []).append(sources[claim.source_id].number)
    return " ".join(
        text + "".join(f" [{number}]" for number in dict.fromkeys(cited))
        for text, cited in numbers.items()
    )


def _listed(claim: Claim, source: Source) -> str:
    return f"- {source.title}: {claim.text} [{source.number}]"


def _source(number: int, passage: Passage) -> Source:
    known = passage.metadata
    authors = known.get("authors")
    day = known.get("date")
    return Source(
        number=number,
        source_id=passage.source_id,
        arxiv_id=known["paper"],
        title=known.get("title", ""),
        section=known.get("section", ""),
        start=int(known.get("start", 0)),
        end=int(known.get("end", 0)),
        authors=None if authors is None else tuple(json.loads(authors)),
        date=f"{day[:4]}-{day[4:6]}-{day[6:]}" if day else known.get("year"),
    )


def _source_from_json(plain: Mapping[str, Any]) -> Source:
    values = dict(plain)
    values["authors"] = None if values["authors"] is None else tuple(values["authors"])
    return Source(**values)
