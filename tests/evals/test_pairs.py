from __future__ import annotations

from dataclasses import replace

import pytest

from tests.evals.traffic import LABELS, decision, llm, outcome, small
from trimtab.evals.items import NEITHER, read_items
from trimtab.evals.pairs import Pair, uniform_pairs
from trimtab.records import Decision, Outcome, Reason


def cold(cheap: int, expert: int | str, *, number: int = 0) -> Decision:
    made = small(cheap), llm(expert)
    return decision(*made, shown="llm", reason="uncertified", number=number)


def pair(made: Decision, given: Outcome | None = None) -> Pair:
    [found] = uniform_pairs([(made, given)], canonical=lambda a: LABELS[int(a)])
    return found


@pytest.mark.parametrize(("cheap", "expert", "right", "gain"), [(0, 1, 1, 1), (0, 1, 0, -1)])
def test_the_gain_is_what_the_llm_has_right_more(
    cheap: int, expert: int, right: int, gain: int
) -> None:
    made = cold(cheap, expert)
    found = pair(made, outcome(made, right))
    assert (found.differs, found.gain, found.source) == (True, gain, "checker")


def test_equal_answers_gain_nothing_and_need_no_label() -> None:
    found = pair(cold(2, 2))
    assert (found.differs, found.gain, found.needs_label) == (False, 0.0, False)


def test_differing_answers_need_a_label() -> None:
    assert pair(cold(0, 1)).needs_label


def test_neither_right_is_a_gain_of_0_and_judges_both() -> None:
    made = cold(0, 1)
    given = Outcome(decision_id=made.decision_id, reward=0.0, source="user", reference=NEITHER)
    found = pair(made, given)
    assert (found.gain, found.llm_right, found.needs_label) == (0.0, 0.0, False)
    [item] = read_items([(made, given)])
    assert item.without_llm is not None
    assert (item.shown.right, item.without_llm.right) == (0.0, 0.0)


def test_neither_says_nothing_of_a_third_answer() -> None:
    sure, unsure = small(0, confidence=0.9), replace(small(2, confidence=0.1), agent="trm")
    made = decision(unsure, sure, llm(1), shown="llm", reason="uncertified")
    given = Outcome(decision_id=made.decision_id, reward=0.0, source="user", reference=NEITHER)
    weaker = decision(unsure, llm(1), shown="llm", reason="uncertified", number=1)
    [found, other] = uniform_pairs([(made, given), (weaker, None)])
    assert found.cheap.action == 0
    assert found.gain == 0.0
    assert other.needs_label


@pytest.mark.parametrize(
    ("reason", "audit", "uniform"),
    [
        ("uncertified", False, True),
        ("confident", True, True),
        ("uncertain", True, True),
        ("uncertain", False, False),
        ("forced", False, False),
        ("disagreement", False, False),
    ],
)
def test_pairs_and_items_agree_on_what_is_uniform(
    reason: Reason, audit: bool, uniform: bool
) -> None:
    made = decision(small(0), llm(1), shown="llm", reason=reason, audit=audit)
    rows = [(made, None)]
    [item] = read_items(rows)
    assert item.uniform == uniform
    assert bool(uniform_pairs(rows)) == uniform


def test_answers_asked_apart_make_pairs() -> None:
    made = decision(small(0), shown="policy")
    [found] = uniform_pairs([(made, None)], always_llm={made.decision_id: llm(0, usd=3e-4)})
    assert (found.differs, found.cheap_usd, found.llm_usd) == (False, 1e-6, 3e-4)


def test_an_answer_in_words_equals_the_index_it_names() -> None:
    other = decision(small(1), shown="policy", number=9)
    [found] = uniform_pairs([(cold(1, "summarise"), None), (other, None)])
    assert not found.differs


def test_redacted_requests_keep_their_place_and_other_bundles_are_left_out() -> None:
    forgotten = replace(cold(0, 1), state="")
    foreign = replace(cold(0, 1, number=1), bundle_id="c" * 64)
    rows = [(forgotten, None), (foreign, None), (cold(0, 1, number=2), None)]
    found = uniform_pairs(rows, bundle_id="b" * 64)
    # redacting must not choose among the requests of a window
    assert [p.decision.decision_id for p in found] == ["assistant-00000", "assistant-00002"]


def test_a_lost_audit_is_no_pair() -> None:
    assert uniform_pairs([(decision(small(0), shown="policy", audit=True), None)]) == []
