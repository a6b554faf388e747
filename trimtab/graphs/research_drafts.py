"""The later steps of the graph ``research``: ask the LLM, verify, criticise, revise, record."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import asdict, replace
from itertools import islice, zip_longest

from trimtab.agents import refine
from trimtab.agents.answers import (
    NOTHING,
    Claim,
    claim_from_json,
)
from trimtab.agents.citations import CitationChecker
from trimtab.agents.paper_record import record_of, record_sentence
from trimtab.agents.research_llm import CostlyFailure, LLMAnswer
from trimtab.graphs.research_kit import ResearchKit
from trimtab.graphs.research_nodes import (
    CHEAP,
    LLM,
    cheap_claims,
    claims_of,
    claims_to_json,
    item_of,
    probability_of,
    spent,
    unanswered,
)
from trimtab.graphs.research_state import ResearchState, Update, candidates_of, read_by_id
from trimtab.records import (
    Passage,
    Prediction,
    Route,
    prediction_to_json,
    route_to_json,
    usage_to_json,
)

RECORD_FIELDS = ("authors", "published", "categories")
SHOWN_TO_LLM = 10
FALLEN = ("dropped", "uncovered")
"""Faults for which the LLM is asked once more."""


def answer_llm(state: ResearchState, kit: ResearchKit) -> Update:
    """Ask the LLM for claims over what was read; where it is gone, the sentences stay."""
    return _asked(state, kit, critique=())


def verify(state: ResearchState, kit: ResearchKit) -> Update:
    """Check every citation of the draft in hand; what does not verify is dropped."""
    started = time.thread_time()
    checker = CitationChecker(kit.library().embedder, kit.fitted)
    passages = read_by_id(state)
    kept: list[Claim] = []
    dropped = [claim_from_json(one) for one in state["draft"]["dropped"]]
    for plain in state["draft"]["claims"]:
        claim = checked(claim_from_json(plain), passages.get(plain["source_id"]), checker)
        (dropped if claim.why else kept).append(claim)
    draft = {
        **state["draft"],
        "claims": claims_to_json(kept),
        "dropped": claims_to_json(dropped),
    }
    return {"draft": draft, "spent": [spent(started)]}


def checked(claim: Claim, passage: Passage | None, checker: CitationChecker) -> Claim:
    """Return a claim with the stretch that supports it best, or with why none does."""
    if passage is None:
        return replace(claim, why="the cited passage is not among those that were read")
    title = passage.metadata.get("title", "")
    record = record_of(passage)
    if claim.by == "record":
        said = [record_sentence(passage, [field]) for field in RECORD_FIELDS]
        facts = [one for one in said if one and _body(one, title) in claim.text]
        if facts or record_sentence(passage, ["arxiv_id"]) == claim.text:
            return refine.verified(claim, support=1.0, start=0, end=0, quote=claim.text)
        return replace(claim, why="the paper's record does not say so")
    best = checker.best(claim.text, passage.text, title=title, record="")
    supported = refine.verified(
        claim, support=best.value, start=best.start, end=best.end, quote=best.quote
    )
    said_of_record = record_sentence(passage, RECORD_FIELDS)
    if said_of_record and claim.by == LLM:
        value = checker.support(claim.text, said_of_record, title=title, record=record)
        if value > best.value:
            return refine.verified(claim, support=value, start=0, end=0, quote=said_of_record)
    if best.value < checker.threshold:
        return replace(supported, why=best.why or f"support {best.value:.2f} is too small")
    return supported


def critique(state: ResearchState, kit: ResearchKit) -> Update:
    """Judge the draft in hand, keep it if it is the best so far, and say what is wrong with it."""
    started = time.thread_time()
    draft = state["draft"]
    claims = [claim_from_json(one) for one in draft["claims"]]
    dropped = [claim_from_json(one) for one in draft["dropped"]]
    plan, candidates = state["plan"]["items"], candidates_of(state)
    rounds = state["rounds"] + 1
    made = refine.score(claims, dropped, plan, candidates)
    best = state["best"]
    repeated = bool(best) and refine.agree(claims_of(best["claims"]), claims) == 1.0
    if not best or made > best["score"]:
        best = {**draft, "score": made, "round": rounds}
    found = (
        []
        if draft["says_no"]
        else refine.critique(
            claims, dropped, plan, candidates, unanswered=unanswered(state, kit.fitted)
        )
    )
    if state["route"]["agent"] == LLM:
        fallen = any(problem.fault in FALLEN for problem in found)
        mendable = (fallen and rounds == 1) or (bool(found) and not best["claims"])
    else:
        mendable = bool(found) and not repeated
    again = mendable and rounds < refine.MAX_ROUNDS
    return {
        "best": best,
        "problems": [asdict(problem) for problem in found],
        "rounds": rounds,
        "next": "revise" if again else "record",
        "spent": [spent(started)],
    }


def revise(state: ResearchState, kit: ResearchKit) -> Update:
    """Write the next draft: the LLM's answer by the LLM, where claims of it fell; else by rule."""
    problems = [refine.Problem(**one) for one in state["problems"]]
    claims = claims_of(state["draft"]["claims"])
    if state["route"]["agent"] == LLM:
        if state["rounds"] == 1:
            fallen = [one.text for one in problems if one.fault in FALLEN]
            return _asked(state, kit, critique=fallen)
        return _degraded(state, kit, "no claim of the LLM could be verified")
    started = time.thread_time()
    revised = refine.revise(claims, problems, candidates_of(state))
    draft = {"claims": claims_to_json(revised), "dropped": [], "says_no": False}
    return {"draft": draft, "next": "verify", "spent": [spent(started)]}


def _asked(state: ResearchState, kit: ResearchKit, *, critique: Sequence[str]) -> Update:
    started = time.thread_time()
    if kit.llm is None:
        return _degraded(state, kit, "no LLM is configured")
    llm = kit.llm()
    passages = shown_to_llm(state)
    try:
        said, usage = llm.answer(state["question"], passages, critique=critique)
    except CostlyFailure as failure:
        lost = [usage_to_json(failure.usage)]
        return {
            **_without_reply(state, kit, str(failure)),
            "lost": lost,
            "spent": [spent(started, llm=1)],
        }
    claims = llmclaims_of(said, state)
    texts = list(dict.fromkeys(claim.text for claim in claims))
    made = Prediction(
        agent=LLM if not critique else f"{LLM}_revision",
        action="\n".join(texts) or NOTHING,
        confidence=None,
        tier=llm.model_id,
        usage=usage,
    )
    draft = {"claims": claims_to_json(claims), "dropped": [], "says_no": not claims}
    return {
        "draft": draft,
        "predictions": [prediction_to_json(made)],
        "next": "verify",
        "spent": [spent(started, llm=1)],
    }


def shown_to_llm(state: ResearchState) -> list[Passage]:
    """Return the passages for the LLM; if not all fit, each sub-question gives its best first."""
    known = read_by_id(state)
    if len(known) > SHOWN_TO_LLM:
        ranks = zip_longest(*state["read"].values())
        turns = (one["source_id"] for rank in ranks for one in rank if one is not None)
        chosen = set(islice(dict.fromkeys(turns), SHOWN_TO_LLM))
        known = {name: passage for name, passage in known.items() if name in chosen}
    return list(known.values())


def llmclaims_of(said: LLMAnswer, state: ResearchState) -> list[Claim]:
    """Return one claim per citation; a claim that cites nothing cites what does not exist."""
    if not said.answerable:
        return []
    return [
        Claim(
            text=claim.text,
            item=item_of(state, cited),
            source_id=cited,
            quote="",
            start=0,
            end=0,
            support=0.0,
            by=LLM,
        )
        for claim in said.claims
        for cited in claim.passages or ("",)
    ]


def _without_reply(state: ResearchState, kit: ResearchKit, why: str) -> Update:
    """Return the update where the LLM's reply is lost: what it said before, else the sentences."""
    if not state["best"].get("claims"):
        return _degraded(state, kit, why)
    # its verified claims are shown as its own, not under the mark of the sentences
    mark = f"the LLM could not revise its answer ({why}); what verified of it stands"
    return {"draft": state["draft"], "marks": [mark], "next": "verify"}


def _degraded(state: ResearchState, kit: ResearchKit, why: str) -> Update:
    """Return the update that shows the sentences instead of an answer of the LLM."""
    shown = Route(
        agent=CHEAP,
        reason="degraded",
        confidence=probability_of(state, "right"),
        threshold=kit.fitted.accept_threshold,
    )
    silent = probability_of(state, "answerable") < kit.fitted.answerable_threshold
    claims = [] if silent else cheap_claims(state, kit)
    return {
        "route": route_to_json(shown),
        "draft": {"claims": claims_to_json(claims), "dropped": [], "says_no": silent},
        "marks": [f"degraded: {why}; sentences of the papers stand in"],
        "next": "verify",
    }


def _body(sentence: str, title: str) -> str:
    return sentence.removeprefix(f"“{title}” ").removesuffix(".")
