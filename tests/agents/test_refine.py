from __future__ import annotations

from dataclasses import replace

from trimtab.agents.answers import Claim
from trimtab.agents.extractive import Candidate
from trimtab.agents.refine import agree, critique, first_draft, revise, score

PLAN = [{"id": "q1", "goal": "how fast is it", "needs": [], "tool": "search"}]


def _candidate(start: int, *, score: float, words: str, source: str = "p#0") -> Candidate:
    return Candidate(
        source_id=source,
        start=start,
        end=start + 10,
        text=f"at {start}",
        score=score,
        words=tuple(words.split()),
    )


def _claim(start: int, text: str = "said", *, support: float = 1.0, item: str = "q1") -> Claim:
    return Claim(
        text=text,
        item=item,
        source_id="p#0",
        quote="x",
        start=start,
        end=start + 10,
        support=support,
        by="llm",
    )


AT_HAND = {
    "q1": [
        _candidate(0, score=1.0, words="fast"),
        _candidate(20, score=0.9, words="cheap"),
        _candidate(40, score=0.8, words="fast", source="o#0"),
    ]
}


def test_the_first_draft_explains_its_best_sentence_from_the_same_paper() -> None:
    drafted = first_draft("search", "q1", AT_HAND["q1"])
    assert [(claim.source_id, claim.start) for claim in drafted] == [("p#0", 0), ("p#0", 20)]


def test_a_list_takes_every_paper_that_is_nearly_as_near() -> None:
    drafted = first_draft("papers", "q1", [AT_HAND["q1"][0], AT_HAND["q1"][2]])
    assert [claim.source_id for claim in drafted] == ["p#0", "o#0"]


def test_claims_agree_by_evidence_and_numbers_whatever_their_wording() -> None:
    assert agree([_claim(0, "twice as fast")], [_claim(0, "speed goes up")]) == 1.0
    assert agree([_claim(0, "2 times")], [_claim(0, "3 times")]) == 0.0
    assert agree([_claim(0)], [_claim(20)]) == 0.0


def test_every_fault_of_a_draft_is_named() -> None:
    fallen = replace(_claim(60), why="no number 7")
    found = critique([_claim(0), _claim(0, "again")], [fallen], PLAN, AT_HAND)
    assert [problem.fault for problem in found] == ["dropped", "repeated", "words"]
    assert "no number 7" in found[0].text
    assert [problem.fault for problem in critique([], [], PLAN, AT_HAND)] == ["uncovered"]
    assert critique([], [], PLAN, AT_HAND, unanswered=["q1"]) == []


def test_a_revision_drops_repetitions_and_fills_gaps() -> None:
    draft = [_claim(0), _claim(0, "again")]
    revised = revise(draft, critique(draft, [], PLAN, AT_HAND), AT_HAND)
    assert [claim.start for claim in revised] == [0, 20]
    assert critique(revised, [], PLAN, AT_HAND) == []
    empty = revise([], critique([], [], PLAN, AT_HAND), AT_HAND)
    assert [claim.text for claim in empty] == ["at 0"]


def test_a_better_supported_and_fuller_draft_scores_higher() -> None:
    def scored(claims: list[Claim], dropped: int = 0) -> float:
        return score(claims, [_claim(60)] * dropped, PLAN, AT_HAND)

    assert scored([]) == 0.0
    assert scored([_claim(0), _claim(20)]) > scored([_claim(0)]) > scored([_claim(0)], dropped=1)
    assert scored([_claim(0, support=0.9)]) > scored([_claim(0, support=0.5)])
    assert scored([_claim(0)]) > scored([_claim(0), _claim(0)])
