"""What the first steps of the graph ``research`` do: plan, find, select, answer cheaply, route.

What follows – the LLM, the check of each citation, the rounds – is in ``research_drafts.py``.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from typing import Any

from langgraph.types import Overwrite

from trimtab.agents.answers import Claim
from trimtab.agents.extractive import answer_from
from trimtab.agents.planning import Plan, PlanError, is_about_it, plan_by_rules, plan_to_json
from trimtab.agents.refine import first_draft
from trimtab.agents.research_fit import Fitted
from trimtab.agents.research_llm import CostlyFailure, ResearchLLM
from trimtab.domains.texts import text_problem
from trimtab.errors import ConfigError, InputError
from trimtab.graphs.research_kit import ResearchKit
from trimtab.graphs.research_state import (
    ResearchContext,
    ResearchState,
    Update,
    candidate_to_json,
    candidates_of,
    fresh,
    items_of,
    passage_to_json,
    passages_of,
    wave_of,
)
from trimtab.rag.corpus import paper_filter
from trimtab.records import (
    Prediction,
    Route,
    Usage,
    prediction_to_json,
    route_to_json,
    usage_to_json,
)

CHEAP = "extractive"
LLM = "llm"
PLANNER = "planner"
FOUND = 12
"""Passages that retrieval hands to the selector for one sub-question."""
READ = 5
"""Passages that are read for one sub-question."""


def plan(state: ResearchState, context: ResearchContext, kit: ResearchKit) -> Update:
    """Clear the thread, check the question and split it.

    Raises:
        InputError: the question or a filter cannot be used.
        ConfigError: mode ``llm_only`` without an LLM.
    """
    started = time.thread_time()
    question = state.get("question")
    problem = text_problem(question)
    if problem is not None or question is None:
        raise InputError(f"the question {problem}")
    if context.mode == "llm_only" and kit.llm is None:
        raise ConfigError(
            "mode='llm_only' needs an LLM; set OPENAI_API_KEY or OPENAI_BASE_URL, and "
            "TRIMTAB_LLM_MODEL (the embedded one must not speak for a paper)"
        )
    where = paper_filter(
        category=context.category or None, since=context.since or None, until=context.until or None
    )
    chosen = plan_by_rules(question)
    told: Update = {}
    by = "rules"
    if chosen.kind == "open" and kit.llm is not None and context.mode != "neural_only":
        planned, told = _planned_by_llm(question, kit.llm(), kit)
        chosen, by = (planned, LLM) if planned is not None else (chosen, by)
    titled = kit.library().titled
    items = [replace(item, goal=titled(item.goal)) for item in chosen.items]
    return {
        **fresh(state),
        "request": {
            "decision_id": context.decision_id or kit.new_id(),
            "created_at": kit.now().isoformat(),
            "mode": context.mode,
            "where": where,
        },
        "plan": {"kind": chosen.kind, "planned_by": by, "items": plan_to_json(items)},
        **_added(state, told, spent=[spent(started, llm=int(bool(told)))]),
    }


def retrieve(state: ResearchState, kit: ResearchKit) -> Update:
    """Find passages for the one sub-question of this state; many of these run side by side."""
    started = time.thread_time()
    [item] = items_of(state)
    found = kit.library().find(item.goal, k=FOUND, where=state["request"]["where"])
    return {
        "found": [{"item": item.id, "passages": [passage_to_json(one) for one in found]}],
        "spent": [spent(started, retrieve=1)],
    }


def select(state: ResearchState, kit: ResearchKit) -> Update:
    """Choose what is read for each sub-question of the wave.

    A sub-question that needs another one reads what answers that first, and nothing else where it
    speaks of "it": "who wrote it" is about a paper that only the other one names.
    """
    started = time.thread_time()
    found = {one["item"]: one["passages"] for one in state["found"]}
    read = dict(state["read"])
    for item in wave_of(state, state["wave"]):
        chosen = kit.selector.select(item.goal, passages_of(found[item.id]), k=READ).passages
        ahead = [one for need in item.needs for one in _cited_first(state, need)]
        if ahead and is_about_it(item.goal):
            chosen = ()
        known = {one["source_id"]: one for one in [*ahead, *map(passage_to_json, chosen)]}
        read[item.id] = list(known.values())[:READ]
    return {"read": read, "spent": [spent(started)]}


def answer_extractive(state: ResearchState, kit: ResearchKit) -> Update:
    """Answer each sub-question of the wave by sentences of what was read."""
    started = time.thread_time()
    library = kit.library()
    cheap = dict(state["cheap"])
    marks: list[str] = []
    for item in wave_of(state, state["wave"]):
        passages = passages_of(state["read"][item.id])
        about = " ".join(one.goal for one in items_of(state) if one.id in item.needs)
        answer = answer_from(item, passages, library.embedder, library.rarity, about=about)
        cheap[item.id] = {
            "candidates": [candidate_to_json(one) for one in answer.candidates],
            "features": list(answer.features),
            "answerable": kit.fitted.answerable.probability(answer.features),
            "right": kit.fitted.right.probability(answer.features),
        }
        marks += [
            f"{name} holds text addressed to a model; it was not used" for name in answer.skipped
        ]
    if state["request"]["where"] is not None and not any(state["read"].values()):
        marks.append("no paper passes the filter by category and date")
    deeper = bool(wave_of(state, state["wave"] + 1))
    return {
        "cheap": cheap,
        "wave": state["wave"] + deeper,
        "next": "retrieve" if deeper else "route",
        "marks": [mark for mark in dict.fromkeys(marks) if mark not in state.get("marks", [])],
        "spent": [spent(started, extractive=1)],
    }


def route(state: ResearchState, kit: ResearchKit) -> Update:
    """Decide whose answer is shown: the sentences, the LLM's, or that there is none."""
    started = time.thread_time()
    fitted, mode = kit.fitted, state["request"]["mode"]
    answerable, right = probability_of(state, "answerable"), probability_of(state, "right")
    may_ask = kit.llm is not None and mode != "neural_only"
    silent = answerable < fitted.answerable_threshold
    if mode == "llm_only":
        shown = Route(agent=LLM, reason="forced", confidence=None, threshold=None)
    elif silent:
        asks = may_ask and answerable >= fitted.silence_threshold
        least = fitted.silence_threshold if may_ask else fitted.answerable_threshold
        shown = Route(
            agent=LLM if asks else CHEAP,
            reason="uncertain" if asks else "confident",
            confidence=1.0 - answerable,
            threshold=1.0 - least,
        )
    else:
        sure = right >= fitted.accept_threshold
        asks = may_ask and not sure
        shown = Route(
            agent=LLM if asks else CHEAP,
            reason="confident" if sure else "uncertain" if asks else "forced",
            confidence=right,
            threshold=fitted.accept_threshold,
        )
    claims = [] if silent else cheap_claims(state, kit)
    made = Prediction(
        agent=CHEAP,
        action="\n".join(claim.text for claim in claims),
        confidence=right if claims else 1.0 - answerable,
        tier=kit.selector.name,
        signals={"answerable": answerable, "right": right},
        usage=Usage(),
    )
    return {
        "route": route_to_json(shown),
        "draft": {"claims": claims_to_json(claims), "dropped": [], "says_no": silent},
        "predictions": [prediction_to_json(made)],
        "next": "answer_llm" if shown.agent == LLM else "verify",
        "spent": [spent(started)],
    }


def cheap_claims(state: ResearchState, kit: ResearchKit) -> list[Claim]:
    """Return the cheap answer's first draft; sub-questions without an answer give none."""
    silent = unanswered(state, kit.fitted)
    candidates = candidates_of(state)
    return [
        claim
        for item in state["plan"]["items"]
        if item["id"] in candidates and item["id"] not in silent
        for claim in first_draft(item["tool"], item["id"], candidates[item["id"]])
    ]


def unanswered(state: ResearchState, fitted: Fitted) -> list[str]:
    """Return the sub-questions that the corpus does not answer."""
    return [
        name
        for name, cheap in state["cheap"].items()
        if cheap["answerable"] < fitted.answerable_threshold or not cheap["candidates"]
    ]


def probability_of(state: ResearchState, name: str) -> float:
    """Return a probability for the whole question, from those of its sub-questions."""
    return whole([cheap[name] for cheap in state["cheap"].values()])


def whole(parts: Sequence[float]) -> float:
    """Return the probability of a question from its parts: the mean; 0 where there are none.

    On the development half the mean tells answerable questions apart better than the least does.
    """
    return sum(parts) / len(parts) if parts else 0.0


def claims_to_json(claims: Sequence[Claim]) -> list[dict[str, Any]]:
    """Return claims as plain JSON."""
    return [asdict(claim) for claim in claims]


def claims_of(plain: Sequence[Mapping[str, Any]]) -> list[Claim]:
    """Return the claims of :func:`claims_to_json`."""
    return [Claim(**one) for one in plain]


def spent(started: float, **calls: int) -> dict[str, Any]:
    """Return what a step used of this thread's CPU since it started, and its calls."""
    return {"cpu_s": time.thread_time() - started, "calls": calls}


def _planned_by_llm(
    question: str, llm: ResearchLLM, kit: ResearchKit
) -> tuple[Plan | None, Update]:
    try:
        planned, usage = llm.plan(question)
    except CostlyFailure as failure:
        kit.counts.add(error=isinstance(failure.error, PlanError))
        mark = f"degraded: the LLM's plan could not be used ({failure}); the rules planned"
        return None, {"marks": [mark], "lost": [usage_to_json(failure.usage)]}
    kit.counts.add(error=False)
    made = Prediction(
        agent=PLANNER,
        action=json.dumps(plan_to_json(planned.items)),
        confidence=None,
        tier=llm.model_id,
        usage=usage,
    )
    return planned, {"predictions": [prediction_to_json(made)]}


def _added(state: ResearchState, told: Update, **more: list[Any]) -> Update:
    """Return additions to channels that ``plan`` clears in the same step."""
    both = {**told, **more}
    return {name: Overwrite(rows) if state.get(name) else rows for name, rows in both.items()}


def _cited_first(state: ResearchState, item: str) -> list[dict[str, Any]]:
    """Return the passages read for a sub-question, the one that answers it best first."""
    passages = state["read"][item]
    candidates = state["cheap"][item]["candidates"]
    if not candidates:
        return []
    best = candidates[0]["source_id"]
    return [one for one in passages if one["source_id"] == best]


def item_of(state: ResearchState, source_id: str) -> str:
    """Return the first sub-question for which a passage was read, empty where none."""
    for name, passages in state["read"].items():
        if any(one["source_id"] == source_id for one in passages):
            return name
    return ""
