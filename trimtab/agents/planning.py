"""Splits a question into at most six sub-questions: by rules for known kinds, or as an LLM says.

A plan is data, whoever made it: it is checked against its limits before anything follows it. The
rules know the forms of questions, not their meaning; what has no known form is one search.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args

from trimtab.agents.facts import names
from trimtab.domains.texts import short, text_problem
from trimtab.errors import ParseError

Tool = Literal["search", "papers", "facts", "combine"]
Kind = Literal["comparison", "papers", "facts", "several", "definition", "question", "open", "llm"]
TOOLS: tuple[Tool, ...] = get_args(Tool)
MAX_ITEMS = 6
MAX_DEPTH = 2
MAX_GOAL_CHARS = 500
OPEN_WORDS = 30
"""A question of more words that has no known form is ``open``: an LLM may plan it better."""

_WH = r"(?:what|which|who|whom|whose|when|where|why|how|does|do|did|is|are|was|were|can|could)"
_PAIRS = (
    re.compile(
        r"^(?:please\s+)?compare\s+(?P<a>.+?)\s+(?:and|with|to|against|vs\.?|versus)\s+(?P<b>.+?)$"
    ),
    re.compile(
        r"\b(?:difference|differences|contrast|comparison)\s+between\s+(?P<a>.+?)\s+and\s+(?P<b>.+?)$"
    ),
    re.compile(
        r"\bhow\s+(?:does|do|is|are)\s+(?P<a>.+?)\s+(?:differ(?:s|ent)?\s+from|compare(?:s|d)?\s+"
        r"(?:to|with|against))\s+(?P<b>.+?)$"
    ),
    re.compile(r"\bhow\s+do(?:es)?\s+(?P<a>.+?)\s+and\s+(?P<b>.+?)\s+(?:differ|compare)\b.*$"),
    re.compile(
        r"\bwhat\s+(?:do|have)\s+(?P<a>.+?)\s+and\s+(?P<b>.+?)\s+(?:have\s+in\s+common|share|"
        r"in\s+common)\b.*$"
    ),
    re.compile(r"^(?P<a>.+?)\s+(?:vs\.?|versus)\s+(?P<b>.+?)$"),
    re.compile(
        r"^(?P<a>.+?),?\s+(?:compared\s+(?:with|to)|(?:that\s+|which\s+)?differs?\s+from|"
        r"differently\s+from|in\s+contrast\s+to|as\s+opposed\s+to)\s+(?P<b>.+?)$"
    ),
)
_PAPERS = re.compile(
    r"^(?:(?:what|which)\s+(?:\w+\s+){0,2}?(?:papers|works|studies|articles|preprints)\b|"
    r"(?:list|name|find|show|give)\s+(?:me\s+)?(?:\w+\s+){0,3}?(?:papers|works|studies)\b|"
    r"(?:are|is)\s+there\s+(?:\w+\s+)?(?:papers|work|research|studies)\b|"
    r"what\s+is\s+there\s+(?:on|about)\b|who\s+(?:else\s+)?works\s+on\b)"
)
_FACTS: Mapping[str, re.Pattern[str]] = {
    "authors": re.compile(
        r"\bwho\s+(?:wrote|is|are|was|were|proposed|introduced|published|authored|developed)\b|"
        r"\bauthors?\b|\bwritten\s+by\s+whom\b|\bby\s+whom\b|\bwhose\s+(?:paper|work)\b"
    ),
    "published": re.compile(
        r"\bwho\b.*\band\s+when\b|\bwhen\s+(?:was|were|did|is)\b.*\b(?:paper|publish\w*|submit\w*|appear\w*|post\w*|"
        r"releas\w*|com\w*\s+out|written|introduc\w*|propos\w*)|"
        r"\b(?:what|which)\s+(?:\w+\s+)?(?:date|day|month|year)\b|"
        r"\b(?:publication|submission)\s+date\b"
    ),
    "categories": re.compile(r"\bcategor(?:y|ies)\b"),
    "arxiv_id": re.compile(r"\barxiv\s+(?:id|identifier|number)\b"),
    "title": re.compile(r"\b(?:what|give)\b.*\btitle\b"),
}
_CLAUSE = re.compile(rf"(?:[,;]?\s+and\s+(?={_WH}\b)|\?\s+(?:and\s+)?(?=\w)|;\s+(?={_WH}\b))")
_LISTED = re.compile(r"\s+(?:vs\.?|versus)\s+|,\s+(?:and\s+)?", re.IGNORECASE)
_PRONOUN = re.compile(r"\b(?:it|its|they|their|them)\b")
_DEFINITION = re.compile(r"^(?:what\s+(?:is|are|does)|define|explain|describe)\b")
_QUESTION = re.compile(rf"\b{_WH}\b")


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanItem:
    """One sub-question.

    Attributes:
        id: unique within its plan.
        goal: what to find out, in words.
        needs: items whose answers it builds on.
        tool: ``search`` answers from passages, ``papers`` lists papers, ``facts`` reads a paper's
            record, ``combine`` sets the answers it needs beside each other.
    """

    id: str
    goal: str
    needs: tuple[str, ...] = ()
    tool: Tool = "search"


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """A checked plan; ``kind`` is the form of question that the rules saw, or ``llm``."""

    kind: Kind
    items: tuple[PlanItem, ...]


class PlanError(ParseError):
    """A plan breaks its limits; it is counted, and the rules plan instead."""


def check_plan(items: Sequence[PlanItem]) -> tuple[PlanItem, ...]:
    """Return the items, each behind those that it needs.

    Raises:
        PlanError: none or more than six, a repeated or unknown id, an unknown tool, a goal that
            is empty or too long, a circle, a chain of more than two, or nothing that looks into
            the corpus.
    """
    if not 1 <= len(items) <= MAX_ITEMS:
        raise PlanError(f"a plan of {len(items)} items; 1 to {MAX_ITEMS} are allowed")
    known = {item.id: item for item in items}
    if len(known) != len(items):
        raise PlanError(f"ids {[item.id for item in items]} repeat; give each item its own")
    for item in items:
        if item.tool not in TOOLS:
            raise PlanError(f"item {item.id!r}: tool={item.tool!r}; use one of {list(TOOLS)}")
        problem = text_problem(item.goal)
        if problem or len(item.goal) > MAX_GOAL_CHARS:
            why = problem or f"has {len(item.goal)} characters, at most {MAX_GOAL_CHARS} are read"
            raise PlanError(f"item {item.id!r}: its goal {why}: {short(item.goal)}")
        unknown = [name for name in item.needs if name not in known]
        if unknown:
            raise PlanError(f"item {item.id!r} needs {unknown}, which the plan does not hold")
        if item.tool != "combine" and any(known[need].tool == "combine" for need in item.needs):
            raise PlanError(f"item {item.id!r} needs one that only combines; let it need its parts")
    depths = {item.id: depth(item.id, known) for item in items}
    if all(item.tool == "combine" for item in items):
        raise PlanError("a plan that only combines finds nothing; add an item that searches")
    return tuple(sorted(items, key=lambda item: depths[item.id]))


def depth(name: str, items: Mapping[str, PlanItem], above: tuple[str, ...] = ()) -> int:
    """Return 1 for an item that needs none, else one more than the deepest that it needs.

    Raises:
        PlanError: the chain is a circle, or longer than two.
    """
    if name in above or len(above) >= MAX_DEPTH:
        raise PlanError(f"items {[*above, name]} form a chain of more than {MAX_DEPTH}")
    needs = items[name].needs
    return 1 + max((depth(need, items, (*above, name)) for need in needs), default=0)


def plan_from_json(plain: object) -> Plan:
    """Return the plan of an LLM's reply ``{"plan": [{"id", "goal", "needs", "tool"}]}``.

    Raises:
        PlanError: it is of another form, or breaks the limits.
    """
    rows = plain.get("plan") if isinstance(plain, Mapping) else None
    if not isinstance(rows, list):
        raise PlanError(f"the reply holds no list of items: {short(plain)}")
    items: list[PlanItem] = []
    for row in rows:
        if not isinstance(row, Mapping) or set(row) != {"id", "goal", "needs", "tool"}:
            raise PlanError(f"an item needs id, goal, needs and tool: {short(row)}")
        needs = row["needs"]
        if not isinstance(needs, list) or not all(
            isinstance(text, str) for text in (row["id"], row["goal"], row["tool"], *needs)
        ):
            raise PlanError(f"an item holds what is no text: {short(row)}")
        tool: Any = row["tool"]
        items.append(PlanItem(id=row["id"], goal=row["goal"], needs=tuple(needs), tool=tool))
    return Plan(kind="llm", items=check_plan(items))


def plan_to_json(items: Sequence[PlanItem]) -> list[dict[str, Any]]:
    """Return the items as plain JSON."""
    return [
        {"id": item.id, "goal": item.goal, "needs": list(item.needs), "tool": item.tool}
        for item in items
    ]


def plan_item(plain: Mapping[str, Any]) -> PlanItem:
    """Return the item of :func:`plan_to_json`."""
    return PlanItem(
        id=plain["id"], goal=plain["goal"], needs=tuple(plain["needs"]), tool=plain["tool"]
    )


def plan_by_rules(question: str) -> Plan:
    """Return the plan of a question by its form.

    >>> plan = plan_by_rules("Compare CP-Router and Thinkless")
    >>> plan.kind, [(item.goal, item.tool) for item in plan.items][:2]
    ('comparison', [('CP-Router', 'search'), ('Thinkless', 'search')])
    """
    text = " ".join(question.split())
    for rule in (_comparison, _papers, _facts, _several):
        found = rule(text)
        # a text too long for a sub-question has this form by accident: it is one search
        if found is not None and all(len(one.goal) <= MAX_GOAL_CHARS for one in found.items):
            return Plan(kind=found.kind, items=check_plan(found.items))
    folded = text.casefold()
    kind: Kind = "open" if len(text.split()) > OPEN_WORDS else "question"
    if _DEFINITION.search(folded) and kind != "open":
        kind = "definition"
    elif not _QUESTION.search(folded):
        kind = "open" if kind == "open" else "question"
    return _one(kind, text, "search")


def asked_facts(goal: str) -> list[str]:
    """Return which facts of a paper's record a question asks for."""
    return [name for name, pattern in _FACTS.items() if pattern.search(goal.casefold())]


def is_about_it(goal: str) -> bool:
    """Return whether a sub-question speaks of its subject by a pronoun alone."""
    return _PRONOUN.search(goal.casefold()) is not None


def _comparison(text: str) -> Plan | None:
    bare = text.rstrip(" ?.!")
    for pattern in _PAIRS:
        found = pattern.search(bare.casefold())
        if found is None:
            continue
        # offsets of the folded text hold for the text itself, which keeps its spelling
        if len(bare.casefold()) != len(bare):
            return None
        sides = [bare[slice(*found.span(name))].strip(" ,;:") for name in ("a", "b")]
        sides[1] = re.split(
            r"\s+(?:in terms of|with respect to|regarding|when it comes to)\s+", sides[1]
        )[0]
        sides = [part for side in sides for part in _named_parts(side)]
        if not all(sides) or len(sides) >= MAX_ITEMS:
            continue
        items = [PlanItem(id=f"q{n}", goal=side) for n, side in enumerate(sides, start=1)]
        needs = tuple(item.id for item in items)
        both = PlanItem(id=f"q{len(items) + 1}", goal=text, needs=needs, tool="combine")
        return Plan(kind="comparison", items=(*items, both))
    return None


def _named_parts(side: str) -> list[str]:
    """Return the things that one side of a comparison lists, where each part is a name."""
    parts = [part.strip() for part in _LISTED.split(side)]
    return parts if all(len(part.split()) <= 3 and names(f"a {part}") for part in parts) else [side]


def _papers(text: str) -> Plan | None:
    return _one("papers", text, "papers") if _PAPERS.search(text.casefold()) else None


def _facts(text: str) -> Plan | None:
    folded = text.casefold()
    if not asked_facts(text) or len(_clauses(text, _is_other)) > 1:
        return None
    if re.search(r"\bwho\s+(?:is|are|was|were)\b", folded) and "author" not in folded:
        return None
    return _one("facts", text, "facts")


def _several(text: str) -> Plan | None:
    clauses = _clauses(text, lambda _: True)
    if len(clauses) < 2:
        return None
    items = tuple(
        PlanItem(
            id=f"q{n}",
            goal=clause,
            needs=("q1",) if n > 1 and _points_back(clause) else (),
            tool="facts" if asked_facts(clause) else "search",
        )
        for n, clause in enumerate(clauses[:MAX_ITEMS], start=1)
    )
    return Plan(kind="several", items=items)


def _points_back(clause: str) -> bool:
    """Return whether a clause speaks of what another one names: by a pronoun, or without a name."""
    return is_about_it(clause) or not names(clause)


def _is_other(clause: str) -> bool:
    return not asked_facts(clause)


def _clauses(text: str, counted: Callable[[str], bool]) -> list[str]:
    parts = [re.sub(r"^and\s+", "", part.strip(" ,;?"), flags=re.I) for part in _CLAUSE.split(text)]
    found = [part for part in parts if len(part.split()) >= 2 and _QUESTION.search(part.casefold())]
    if counted is _is_other and not any(counted(part) for part in found):
        # several facts of one paper are one look at its record
        return found[:1]
    return found


def _one(kind: Kind, text: str, tool: Tool) -> Plan:
    return Plan(kind=kind, items=(PlanItem(id="q1", goal=text, tool=tool),))
