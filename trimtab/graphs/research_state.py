"""State, input and context of the graph ``research``: plain JSON, as any checkpointer keeps it."""

from __future__ import annotations

import operator
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Annotated, Any, Literal

from langgraph.types import Overwrite
from pydantic import Field
from typing_extensions import TypedDict

from trimtab.agents.extractive import Candidate
from trimtab.agents.planning import PlanItem, depth, plan_item
from trimtab.graphs.state import BadContext
from trimtab.records import Passage

AskMode = Literal["auto", "neural_only", "llm_only"]


class ResearchInput(TypedDict):
    """What a caller sends."""

    question: Annotated[str, Field(description="What to find out from the papers.")]


class ResearchState(TypedDict, total=False):
    """What a thread holds; every value is plain JSON.

    Attributes:
        question: as it was asked.
        request: what ``plan`` settles: decision_id, created_at, mode, where.
        plan: ``kind``, ``planned_by`` and ``items``.
        wave: depth of the sub-questions that are being answered, from 1.
        found: passages by sub-question, as the parallel steps bring them.
        read: selected passages by sub-question.
        cheap: candidates, features and probabilities by sub-question.
        draft: ``claims`` and ``dropped`` of the draft in hand, and ``says_no`` where the LLM says
            that the passages do not answer.
        best: the best-scored draft with its ``score``.
        problems: what is wrong with the draft in hand.
        rounds: drafts judged so far.
        predictions: the trail, as in a decision.
        lost: usage of LLM replies that could not be used.
        spent: CPU-seconds and calls of each step.
        marks: what was not as usual, in words.
        route: whose answer is shown, and why.
        next: the node that follows.
        answer: the finished answer.
    """

    question: str
    request: dict[str, Any]
    plan: dict[str, Any]
    wave: int
    found: Annotated[list[dict[str, Any]], operator.add]
    read: dict[str, list[dict[str, Any]]]
    cheap: dict[str, dict[str, Any]]
    draft: dict[str, Any]
    best: dict[str, Any]
    problems: list[dict[str, Any]]
    rounds: int
    predictions: Annotated[list[dict[str, Any]], operator.add]
    lost: Annotated[list[dict[str, Any]], operator.add]
    spent: Annotated[list[dict[str, Any]], operator.add]
    marks: Annotated[list[str], operator.add]
    route: dict[str, Any]
    next: str
    answer: dict[str, Any]


Update = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class ResearchContext:
    """Settings of one run; Studio shows them as a form."""

    mode: Annotated[
        AskMode,
        Field(
            description="auto asks the LLM where the sentences found are not sure enough; "
            "neural_only never asks it; llm_only always does."
        ),
    ] = "auto"
    category: Annotated[str, Field(description="Only papers of this arXiv category.")] = ""
    since: Annotated[str, Field(description="Only papers from this day on, 2024-05-01.")] = ""
    until: Annotated[str, Field(description="Only papers up to this day.")] = ""
    decision_id: Annotated[
        str, Field(description="An id of your own for the decision; drawn if empty.")
    ] = ""

    def __post_init__(self) -> None:
        if self.mode not in ("auto", "neural_only", "llm_only"):
            raise BadContext(
                f"mode={self.mode!r} is not known; use one of ['auto', 'neural_only', 'llm_only']"
            )


def fresh(state: ResearchState) -> Update:
    """Return the update that clears what an earlier question left on the thread."""
    empty: Update = {
        "wave": 1,
        "read": {},
        "cheap": {},
        "draft": {"claims": [], "dropped": [], "says_no": False},
        "best": {},
        "problems": [],
        "rounds": 0,
        "route": {},
        "answer": {},
    }
    additive = ("found", "predictions", "lost", "spent", "marks")
    return empty | {name: Overwrite([]) for name in additive if state.get(name)}


def items_of(state: ResearchState) -> list[PlanItem]:
    """Return the sub-questions in the order of the plan."""
    return [plan_item(plain) for plain in state["plan"]["items"]]


def wave_of(state: ResearchState, wave: int) -> list[PlanItem]:
    """Return the sub-questions of a depth that look into the corpus."""
    items = items_of(state)
    known = {item.id: item for item in items}
    return [one for one in items if one.tool != "combine" and depth(one.id, known) == wave]


def passage_to_json(passage: Passage) -> dict[str, Any]:
    """Return a passage as plain JSON."""
    return {
        "text": passage.text,
        "source_id": passage.source_id,
        "score": passage.score,
        "metadata": dict(passage.metadata),
    }


def passages_of(plain: Sequence[Mapping[str, Any]]) -> list[Passage]:
    """Return the passages of :func:`passage_to_json`."""
    return [Passage(**one) for one in plain]


def read_by_id(state: ResearchState) -> dict[str, Passage]:
    """Return every passage that was read, by id, in the order of the plan."""
    return {
        one["source_id"]: Passage(**one) for passages in state["read"].values() for one in passages
    }


def candidates_of(state: ResearchState) -> dict[str, list[Candidate]]:
    """Return the sentences at hand, by sub-question."""
    return {
        name: [Candidate(**{**one, "words": tuple(one["words"])}) for one in cheap["candidates"]]
        for name, cheap in state["cheap"].items()
    }


def candidate_to_json(candidate: Candidate) -> dict[str, Any]:
    """Return a candidate as plain JSON."""
    return {**asdict(candidate), "words": list(candidate.words)}
