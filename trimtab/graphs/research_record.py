"""The last step of the graph ``research``: the best draft in words, and its ledger row."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import Any

from trimtab.agents.answers import (
    DOMAIN,
    NOTHING,
    Answer,
    Mark,
    answer_to_json,
    compose,
    sources_of,
)
from trimtab.agents.refine import agree
from trimtab.graphs.research_kit import ResearchKit
from trimtab.graphs.research_nodes import (
    CHEAP,
    LLM,
    cheap_claims,
    claims_of,
    probability_of,
    unanswered,
)
from trimtab.graphs.research_state import ResearchState, Update, read_by_id
from trimtab.records import (
    Decision,
    Prediction,
    Route,
    Usage,
    prediction_from_json,
    usage_from_json,
)


def record(state: ResearchState, kit: ResearchKit) -> Update:
    """Put the best draft into words and write the ledger row."""
    answer = conclude(state, kit)
    predictions = _trail(state, kit, answer)
    decision = Decision(
        decision_id=answer.decision_id,
        domain=DOMAIN,
        state=answer.question,
        action=answer.text,
        answer=answer.text,
        route=answer.route,
        predictions=predictions,
        usage=answer.usage,
        bundle_id=kit.version,
        propensity=1.0,
        created_at=datetime.fromisoformat(state["request"]["created_at"]),
    )
    kit.ledger.append(decision)
    kit.told(decision)
    return {"answer": answer_to_json(answer), "next": ""}


def conclude(state: ResearchState, kit: ResearchKit) -> Answer:
    """Return the answer that a finished state stands for."""
    best, passages = state["best"], read_by_id(state)
    claims = claims_of(best["claims"])
    dropped = claims_of(best["dropped"])
    plan, kind = state["plan"]["items"], state["plan"]["kind"]
    sources = sources_of([passages[claim.source_id] for claim in claims])
    silent = unanswered(state, kit.fitted) if claims else []
    held = {claim.item for claim in claims}
    text = compose(claims, sources, plan, kind, unanswered=[n for n in silent if n not in held])
    route = Route(**state["route"])
    answerable = probability_of(state, "answerable")
    usage = _usage(state, kit)
    confidence = probability_of(state, "right") if claims else 1.0 - answerable
    if claims and route.agent == LLM:
        confidence = sum(claim.support for claim in claims) / len(claims)
    return Answer(
        question=state["question"],
        decision_id=state["request"]["decision_id"],
        answerable=bool(claims),
        answerable_probability=answerable,
        confidence=confidence,
        mark=_mark(bool(claims), route, kit),
        text=text if claims else NOTHING,
        claims=tuple(claims),
        dropped=tuple(dropped),
        sources=sources,
        nearest=() if claims else sources_of(list(passages.values())[:3]),
        plan=tuple(plan),
        kind=kind,
        planned_by=state["plan"]["planned_by"],
        marks=tuple(state.get("marks", ())),
        rounds=state["rounds"],
        route=route,
        calls=_calls(state),
        usage=usage,
    )


def _trail(state: ResearchState, kit: ResearchKit, answer: Answer) -> tuple[Prediction, ...]:
    """Return the predictions for the ledger; what runs here is billed to the cheap one."""
    cpu_s = sum(one["cpu_s"] for one in state["spent"])
    rows = []
    for plain in state["predictions"]:
        one = prediction_from_json(plain)
        if one.agent == CHEAP:
            local = Usage(cpu_s=cpu_s, latency_s=cpu_s, cost_usd=cpu_s * kit.usd_per_cpu_s)
            one = replace(one, usage=local, trace=_trace(answer))
        elif one.agent == LLM:
            shared = agree(cheap_claims(state, kit), answer.claims)
            one = replace(one, signals={**one.signals, "agreement": shared})
        rows.append(one)
    return tuple(rows)


def _trace(answer: Answer) -> dict[str, Any]:
    return {
        "plan": [dict(item) for item in answer.plan],
        "cited": [claim.source_id for claim in answer.claims],
        "dropped": [claim.why for claim in answer.dropped],
        "marks": list(answer.marks),
        "rounds": answer.rounds,
    }


def _usage(state: ResearchState, kit: ResearchKit) -> Usage:
    cpu_s = sum(one["cpu_s"] for one in state["spent"])
    local = Usage(cpu_s=cpu_s, latency_s=cpu_s, cost_usd=cpu_s * kit.usd_per_cpu_s)
    asked = [prediction_from_json(one).usage for one in state["predictions"]]
    lost = [usage_from_json(one) for one in state.get("lost", ())]
    return sum([*asked, *lost], local)


def _calls(state: ResearchState) -> dict[str, int]:
    calls = {"llm": 0, "retrieve": 0, "extractive": 0}
    for one in state["spent"]:
        for name, count in one["calls"].items():
            calls[name] = calls.get(name, 0) + count
    return calls


def _mark(answered: bool, route: Route, kit: ResearchKit) -> Mark:
    if not answered:
        return "not in the corpus"
    if route.agent == LLM:
        return "LLM, verified"
    return "extractive" if kit.llm is not None else "extractive, no LLM"
