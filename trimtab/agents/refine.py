"""Drafts of an answer: judged, revised for at most three rounds, the best kept.

A draft is a list of verified claims. What is wrong with it is found by rule, so that each round
answers to a fault and not to a feeling; drafts agree where their canonical claims do, whatever
their wording.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from trimtab.agents.answers import Claim
from trimtab.agents.extractive import Candidate

MAX_ROUNDS = 3
SECOND = 0.6
"""Share of the best sentence's score from which another one of the same sub-question is shown."""
LISTED = 0.75
"""The same for papers of a list."""
MAX_PER_ITEM = 2
MAX_LISTED = 5

Fault = Literal["dropped", "uncovered", "repeated", "words"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """What is wrong with a draft.

    Attributes:
        fault: ``dropped``: a claim did not verify; ``uncovered``: a sub-question has no claim;
            ``repeated``: two claims are the same; ``words``: a sentence at hand holds words of the
            question that the draft lacks.
        item: the sub-question.
        text: in words, for an LLM that revises.
    """

    fault: Fault
    item: str
    text: str


def first_draft(tool: str, item: str, candidates: Sequence[Candidate]) -> list[Claim]:
    """Return the claims of the cheap answer to one sub-question, best first."""
    if not candidates:
        return []
    share, most = (LISTED, MAX_LISTED) if tool == "papers" else (SECOND, MAX_PER_ITEM)
    least = share * candidates[0].score
    chosen = [one for one in candidates[:most] if one.score >= least]
    if tool != "papers":
        # a second sentence explains the first; one of another paper starts a subject of its own
        chosen = [one for one in chosen if one.source_id == candidates[0].source_id]
    return [extracted(item, one) for one in chosen]


def extracted(item: str, candidate: Candidate) -> Claim:
    """Return a sentence as a claim that still has to be verified."""
    recorded = candidate.start == candidate.end
    return Claim(
        text=candidate.text,
        item=item,
        source_id=candidate.source_id,
        quote=candidate.text,
        start=candidate.start,
        end=candidate.end,
        support=0.0,
        by="record" if recorded else "extractive",
        score=candidate.score,
    )


def critique(
    claims: Sequence[Claim],
    dropped: Sequence[Claim],
    plan: Sequence[Mapping[str, Any]],
    candidates: Mapping[str, Sequence[Candidate]],
    *,
    unanswered: Sequence[str] = (),
) -> list[Problem]:
    """Return what is wrong with a draft, in the order of the plan.

    Args:
        claims: verified ones.
        dropped: those that did not verify.
        plan: the sub-questions.
        candidates: the sentences at hand, by sub-question.
        unanswered: sub-questions that the corpus does not answer; that they lack a claim is right.
    """
    found: list[Problem] = []
    for claim in dropped:
        text = f"{claim.text!r} is not supported by {claim.source_id}: {claim.why}"
        found.append(Problem(fault="dropped", item=claim.item, text=text))
    seen: set[object] = set()
    for claim in claims:
        if claim.canonical in seen:
            text = f"{claim.text!r} says again what another claim says"
            found.append(Problem(fault="repeated", item=claim.item, text=text))
        seen.add(claim.canonical)
    for item in plan:
        if item["tool"] == "combine" or item["id"] in unanswered:
            continue
        mine = [claim for claim in claims if claim.item in (item["id"], "")]
        if not mine:
            text = f"nothing answers: {item['goal']}"
            found.append(Problem(fault="uncovered", item=item["id"], text=text))
        elif added := _adding(mine, candidates.get(item["id"], ())):
            text = f"nothing is said of {', '.join(sorted(added[1]))} in: {item['goal']}"
            found.append(Problem(fault="words", item=item["id"], text=text))
    return found


def revise(
    claims: Sequence[Claim],
    problems: Sequence[Problem],
    candidates: Mapping[str, Sequence[Candidate]],
) -> list[Claim]:
    """Return the next draft from sentences at hand: repetitions go, gaps are filled where possible.

    Claims that did not verify are not among ``claims`` any more.
    """
    kept: list[Claim] = []
    seen: set[object] = set()
    for claim in claims:
        if claim.canonical not in seen:
            kept.append(claim)
            seen.add(claim.canonical)
    for problem in problems:
        at_hand = candidates.get(problem.item, ())
        mine = [claim for claim in kept if claim.item == problem.item]
        if problem.fault == "uncovered" and not mine and at_hand:
            fresh = [one for one in at_hand if _place(one) not in {_place(c) for c in kept}]
            kept += [extracted(problem.item, one) for one in fresh[:1]]
        elif problem.fault == "words" and (added := _adding(mine, at_hand)):
            kept.append(extracted(problem.item, added[0]))
    return kept


def score(
    claims: Sequence[Claim],
    dropped: Sequence[Claim],
    plan: Sequence[Mapping[str, Any]],
    candidates: Mapping[str, Sequence[Candidate]],
) -> float:
    """Return how good a draft is; 0 for an empty one.

    The mean support of its claims, times the share of sub-questions with a claim, plus half the
    share of the question's words that its quotes hold, less a tenth of the share of claims that
    did not verify, and less for repetitions.
    """
    if not claims:
        return 0.0
    asked = [item for item in plan if item["tool"] != "combine"]
    covered = sum(any(c.item in (item["id"], "") for c in claims) for item in asked) / len(asked)
    support = sum(claim.support for claim in claims) / len(claims)
    lost = len(dropped) / (len(claims) + len(dropped))
    repeated = 1.0 - len({claim.canonical for claim in claims}) / len(claims)
    return support * covered + 0.5 * _words_held(claims, candidates) - 0.1 * (lost + repeated)


def agree(one: Sequence[Claim], other: Sequence[Claim]) -> float:
    """Return in [0, 1] how much of two drafts is common, by canonical claims."""
    mine, theirs = ({claim.canonical for claim in draft} for draft in (one, other))
    return len(mine & theirs) / max(1, len(mine | theirs))


def verified(claim: Claim, *, support: float, start: int, end: int, quote: str) -> Claim:
    """Return a claim with what supports it."""
    return replace(claim, support=support, start=start, end=end, quote=quote)


def _words_held(claims: Sequence[Claim], candidates: Mapping[str, Sequence[Candidate]]) -> float:
    """Return the share of the question's words within reach that the draft's sentences hold."""
    reach = {word for found in candidates.values() for one in found for word in one.words}
    if not reach:
        return 1.0
    cited = {_place(claim) for claim in claims}
    held = {
        word
        for found in candidates.values()
        for one in found
        if any(_overlap(_place(one), place) for place in cited)
        for word in one.words
    }
    return len(held) / len(reach)


def _adding(
    mine: Sequence[Claim], candidates: Sequence[Candidate]
) -> tuple[Candidate, set[str]] | None:
    """Return the best sentence of a cited passage with words that the claims lack, and these."""
    if not mine or not candidates or len(mine) > MAX_PER_ITEM:
        return None
    places = [_place(claim) for claim in mine]
    held = {
        word
        for one in candidates
        if any(_overlap(_place(one), place) for place in places)
        for word in one.words
    }
    for one in candidates:
        new = set(one.words) - held
        if new and one.score >= SECOND * candidates[0].score and one.source_id == mine[0].source_id:
            return one, new
    return None


def _place(one: Claim | Candidate) -> tuple[str, int, int]:
    return one.source_id, one.start, one.end


def _overlap(one: tuple[str, int, int], other: tuple[str, int, int]) -> bool:
    return one[0] == other[0] and one[1] < max(1, other[2]) and other[1] < max(1, one[2])
