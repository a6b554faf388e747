"""Rules of a pool: whose answer, and who was paid for it."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trimtab.bench.routing_pool import Pool, Rule, chosen, confirmed, open_pool, rules, two_agree
from trimtab.datasets.recorded import Recorded


def recorded(name: str, answers: list[str | None], *, usd: float, truth: str = "a") -> Recorded:
    return Recorded(
        model=name,
        answers=tuple(answers),
        correct=np.array([answer == truth for answer in answers]),
        cost_usd=usd * (1.0 + np.arange(len(answers)) / 100.0),
        out_tokens=np.ones(len(answers)),
    )


answers_of = st.lists(
    st.tuples(*[st.sampled_from(["a", "b", "c", None])] * 3), min_size=1, max_size=20
)


def pool_of(rows: list[tuple[str | None, ...]]) -> Pool:
    prices = (1.0, 2.0, 4.0)
    return open_pool(
        [
            recorded(f"m{place}", [row[place] for row in rows], usd=usd)
            for place, usd in enumerate(prices)
        ]
    )


def agree(first: str | None, second: str | None) -> bool:
    return first is not None and first == second


def replayed(name: str, row: tuple[str | None, ...]) -> tuple[bool, str | None, list[int]]:
    """Return whether a rule shows an answer, which, and who ran: one question, step by step."""
    small, middle, dear = row
    if name == "m2 confirmed by 2 of 2":
        if not agree(small, middle):
            return False, None, [0, 1]
        return agree(small, dear), dear, [0, 1, 2]
    if name == "m2 confirmed by 1 of 1":
        return agree(small, dear), dear, [0, 2]
    if name == "m2 confirmed by 1 of 2":
        if agree(small, dear):
            return True, dear, [2, 0]
        return agree(middle, dear), dear, [2, 0, 1]
    if name == "two agree":
        if agree(small, middle):
            return True, small, [0, 1]
        return agree(small, dear) or agree(middle, dear), dear, [0, 1, 2]
    assert name == "m2 alone"
    return True, dear, [2]


@given(answers_of)
def test_rules_show_and_cost_what_the_agents_that_ran_give(
    rows: list[tuple[str | None, ...]],
) -> None:
    pool = pool_of(rows)
    usd = pool.usd
    for rule in rules(pool):
        for i, row in enumerate(rows):
            shown, answer, ran = replayed(rule.name, row)
            assert bool(rule.shown[i]) == shown
            assert rule.usd[i] == pytest.approx(sum(usd[place, i] for place in ran))
            assert rule.ran[i] == len(ran)
            if shown:
                assert pool.agents[int(rule.agent[i])].answers[i] == answer


def test_rules_go_from_dear_to_cheap_and_end_without_the_strong_model() -> None:
    found = rules(pool_of([("a", "a", "a")]))
    assert [rule.name for rule in found] == [
        "m2 confirmed by 2 of 2",
        "m2 confirmed by 1 of 1",
        "m2 confirmed by 1 of 2",
        "two agree",
        "m2 alone",
    ]


@given(answers_of)
def test_each_rule_shows_whatever_the_one_before_shows(
    rows: list[tuple[str | None, ...]],
) -> None:
    found = rules(pool_of(rows))
    for stricter, laxer in itertools.pairwise(found):
        assert (laxer.shown | ~stricter.shown).all()


def test_agents_are_ordered_by_price_whatever_the_order_given() -> None:
    dear, cheap = recorded("x", ["a"], usd=9.0), recorded("y", ["a"], usd=1.0)
    assert [agent.model for agent in open_pool([dear, cheap]).agents] == ["y", "x"]


def test_missing_answers_agree_with_nothing() -> None:
    pool = pool_of([(None, None, None)])
    assert not any(rule.shown.any() for rule in rules(pool)[:-1])
    assert pool.differs_from(recorded("strong", [None], usd=9.0)).all()


def test_of_two_agents_the_dearer_is_confirmed_or_stands_alone() -> None:
    pool = open_pool([recorded("y", ["a", "b"], usd=1.0), recorded("x", ["a", "a"], usd=2.0)])
    found = rules(pool)
    assert [rule.name for rule in found] == ["x confirmed by 1 of 1", "x alone"]
    assert found[0].shown.tolist() == [True, False]
    assert chosen(found[0], pool.correct).tolist() == [True, True]


def test_one_agent_has_one_rule() -> None:
    pool = open_pool([recorded("y", ["a", "b"], usd=1.0)])
    assert [rule.name for rule in rules(pool)] == ["y alone"]
    assert two_agree(pool).ran.tolist() == [1, 1]


def test_asking_stops_when_agreement_is_out_of_reach() -> None:
    rows: list[tuple[str | None, ...]] = [("b", "c", "a", "a")]
    pool = open_pool([recorded(f"m{k}", [rows[0][k]], usd=float(2**k)) for k in range(4)])
    rule: Rule = confirmed(pool, needed=2, asked=3)
    assert rule.ran.tolist() == [3]  # the dearest, then two that differ: one left cannot mend it
    assert rule.usd.tolist() == [8.0 + 1.0 + 2.0]
