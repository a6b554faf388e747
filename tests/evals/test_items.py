from __future__ import annotations

from dataclasses import replace

import pytest

from tests.evals.traffic import LABELS, decision, llm, outcome, small
from trimtab.domains.choices import Choices
from trimtab.errors import InputError
from trimtab.evals.items import read_items, route_label
from trimtab.records import Outcome, Usage


def test_cost_is_the_sum_over_the_agents_that_ran() -> None:
    made = decision(small(0, usd=1e-6), llm(1, usd=2e-4), shown="llm", reason="uncertain")
    [item] = read_items([(made, None)])
    assert item.usd == item.shown.usd == pytest.approx(2.01e-4)
    assert item.asked_llm


def test_an_audit_is_paid_for_but_the_caller_does_not_wait_for_it() -> None:
    made = decision(small(0), llm(1), shown="policy", audit=True)
    [item] = read_items([(made, None)])
    assert item.usd == pytest.approx(2.01e-4)
    assert (item.shown.usd, item.shown.latency_s) == (pytest.approx(1e-6), pytest.approx(0.0004))
    assert item.uniform
    assert not item.asked_llm


def test_an_escalation_is_not_a_uniform_draw() -> None:
    made = decision(small(0), llm(1), shown="llm", reason="uncertain")
    [item] = read_items([(made, None)])
    assert not item.uniform


def test_an_answer_asked_apart_is_a_uniform_draw() -> None:
    made, other = decision(small(0), shown="policy"), decision(small(1), shown="policy", number=1)
    rows = [(made, outcome(made, 1)), (other, None)]
    item = read_items(rows, always_llm={made.decision_id: llm(1)})[0]
    assert item.uniform
    assert item.llm is not None
    assert item.llm.right == 1.0
    assert item.shown.right == 0.0


def test_the_answer_without_the_llm_is_the_most_confident_small_one() -> None:
    first, second = small(0, confidence=0.6), replace(small(2, confidence=0.8), agent="trm")
    made = decision(first, second, llm(1), shown="llm", reason="uncertain")
    [item] = read_items([(made, outcome(made, 2))])
    assert item.without_llm is not None
    assert item.without_llm.right is None  # no row shows what action 2 is called
    assert item.without_llm.usd == pytest.approx(2e-6)


def test_words_of_other_rows_judge_an_action_that_was_not_shown() -> None:
    made = decision(small(0), llm(1), shown="llm", reason="uncertain")
    other = decision(small(0), shown="policy", number=1)
    items = read_items([(made, outcome(made, 0)), (other, None)])
    assert items[0].without_llm is not None
    assert items[0].without_llm.right == 1.0


def test_an_unknown_action_is_wrong_where_the_reference_is_another_known_one() -> None:
    made = decision(small(3), llm(1), shown="llm", reason="uncertain")
    [item] = read_items([(made, outcome(made, 1))])
    assert item.without_llm is not None
    assert item.without_llm.right == 0.0


def test_the_domain_itself_judges_every_action() -> None:
    made = decision(small(2), llm(1), shown="llm", reason="uncertain")
    names = ("search", "summarise", "compare")
    [item] = read_items([(made, outcome(made, 2))], canonical=lambda a: names[int(a)])
    assert item.without_llm is not None
    assert item.without_llm.right == 1.0


def test_an_answer_in_words_equals_the_index_it_names() -> None:
    made = decision(small(0), llm("search"), shown="policy", audit=True)
    rewarded = Outcome(decision_id=made.decision_id, reward=1.0, source="user")
    [item] = read_items([(made, rewarded)])
    assert item.llm is not None
    assert item.llm.right == 1.0


def test_a_reward_alone_judges_only_the_shown_answer() -> None:
    made = decision(small(0), llm(1), shown="policy", audit=True)
    rewarded = Outcome(decision_id=made.decision_id, reward=0.0, source="user")
    [item] = read_items([(made, rewarded)])
    assert item.shown.right == 0.0
    assert item.llm is not None
    assert item.llm.right is None


def test_redacted_answers_are_not_taken_to_agree() -> None:
    made = decision(small(""), llm(""), shown="policy", audit=True)
    forgotten = Outcome(decision_id=made.decision_id, reward=1.0, source="user", reference="")
    [item] = read_items([(made, forgotten)])
    assert item.shown.right == 1.0
    assert item.llm is not None
    assert item.llm.right is None


@pytest.mark.parametrize("usd", [1e-7, float("nan")])
def test_a_cost_below_that_of_its_agents_is_refused(usd: float) -> None:
    made = replace(decision(small(0), llm(1), shown="llm"), usage=Usage(cost_usd=usd))
    with pytest.raises(InputError, match="assistant-00000"):
        read_items([(made, None)])


def test_a_failed_call_may_cost_more_than_its_predictions() -> None:
    made = replace(decision(small(0), shown="policy", reason="degraded"), usage=Usage(cost_usd=1.0))
    [item] = read_items([(made, None)])
    assert item.usd == 1.0


def test_a_route_names_tier_and_degradation() -> None:
    made = decision(small(0, tier="minilm"), shown="policy", reason="degraded")
    assert route_label(made) == "policy · minilm (degraded)"


def test_simulation_is_seen_in_the_tier() -> None:
    made = decision(small(0), llm(1, tier="simulated:0.95"), shown="llm")
    [item] = read_items([(made, None)])
    assert item.simulated


def test_an_action_that_the_domain_does_not_know_is_not_judged() -> None:
    domain = Choices(name="assistant", labels=LABELS[:2])
    made = decision(small(3), llm(1), shown="llm", reason="uncertified")
    [item] = read_items([(made, outcome(made, 1))], canonical=domain.canonical)
    assert item.without_llm is not None
    assert item.without_llm.right is None
    assert item.differs
