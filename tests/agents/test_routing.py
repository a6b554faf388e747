"""Routing rules: what a certificate lets be shown, what a spending rate pays for."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.desk import certificate
from trimtab.agents.gain import fit_gain
from trimtab.agents.routing import PromiseRule, SpendingRule, most_confident
from trimtab.errors import ConfigError, InputError
from trimtab.records import Prediction


def answer(confidence: float | None, agent: str = "policy") -> Prediction:
    return Prediction(agent=agent, action=0, confidence=confidence)


def test_nothing_certified_always_asks_the_llm() -> None:
    for rule in (PromiseRule(), PromiseRule(certificate=certificate(None))):
        route = rule.route([answer(1.0)])
        assert (route.agent, route.reason) == ("llm", "uncertified")


def test_certificate_shows_sure_answers_only() -> None:
    rule = PromiseRule(certificate=certificate(0.8))
    assert rule.route([answer(0.8)]).reason == "confident"
    route = rule.route([answer(0.79)])
    assert (route.agent, route.reason) == ("llm", "uncertain")


def test_refusal_never_asks_the_llm() -> None:
    rule = PromiseRule(certificate=certificate(None, refused=True))
    route = rule.route([answer(0.01)])
    assert (route.agent, route.reason) == ("policy", "refused")


def test_answer_without_the_gain_models_features_is_never_sure() -> None:
    gain = fit_gain(np.eye(4)[:, :1], np.array([1.0, 0.0, -1.0, 0.0]), names=["margin"])
    rule = PromiseRule(certificate=certificate(-1.0), gain=gain)
    assert rule.route([answer(0.99)]).reason == "uncertain"


def test_ties_go_to_the_agent_that_answered_first() -> None:
    first, second = answer(0.9, "cheap"), answer(0.9, "dear")
    assert most_confident([first, second]) is first


def test_audits_are_drawn_at_their_rate_and_carry_their_propensity() -> None:
    rule = PromiseRule(certificate=certificate(0.8), audit_rate=0.1)
    drawn = [rule.admit(f"d{number}") for number in range(5000)]
    audited = [admission for admission in drawn if admission.audit]
    # a binomial of 5,000 at 0.1 lies in here with probability 0.9999
    assert 420 <= len(audited) <= 583
    assert {admission.propensity for admission in audited} == {0.1}
    assert {a.propensity for a in drawn if not a.audit} == {0.9}


def test_admission_depends_on_id_and_seed_alone() -> None:
    first = PromiseRule(certificate=certificate(0.8), audit_rate=0.5)
    again = PromiseRule(certificate=certificate(0.5), audit_rate=0.5)
    other = PromiseRule(certificate=certificate(0.8), audit_rate=0.5, seed=1)
    ids = [f"d{number}" for number in range(100)]
    assert [first.admit(i) for i in ids] == [again.admit(i) for i in ids]
    assert [first.admit(i) for i in ids] != [other.admit(i) for i in ids]


def test_uncertified_rule_audits_nothing() -> None:
    assert not any(PromiseRule(audit_rate=0.9).admit(f"d{n}").audit for n in range(100))


@pytest.mark.parametrize("rate", [-0.1, 1.0, float("nan")])
def test_bad_audit_rate_is_an_error(rate: float) -> None:
    with pytest.raises(ConfigError, match="audit_rate"):
        PromiseRule(audit_rate=rate)


@given(
    st.lists(st.floats(0.0, 1.0), min_size=1, max_size=300),
    st.floats(0.0, 20.0),
    st.floats(0.001, 0.02),
)
def test_spending_never_exceeds_its_rate(
    confidences: list[float], usd_per_1000: float, price_usd: float
) -> None:
    rule = SpendingRule()
    spent = 0.0
    for confidence in confidences:
        route = rule.route([answer(confidence)], usd_per_1000=usd_per_1000, price_usd=price_usd)
        spent += price_usd * (route.agent == "llm")
    assert spent <= usd_per_1000 / 1000.0 * len(confidences) + 1e-9


def test_spending_goes_to_the_least_sure_requests() -> None:
    rule = SpendingRule()
    rng = np.random.default_rng(0)
    asked: list[float] = []
    for confidence in rng.random(3000):
        route = rule.route([answer(float(confidence))], usd_per_1000=2.0, price_usd=0.01)
        if route.agent == "llm":
            asked.append(float(confidence))
    assert len(asked) == pytest.approx(600, rel=0.1)
    assert np.mean(asked) < 0.2


def test_settled_money_is_spent_again() -> None:
    rule = SpendingRule()
    asked = 0
    for _ in range(1000):
        route = rule.route([answer(0.5)], usd_per_1000=10.0, price_usd=0.01)
        if route.agent == "llm":
            asked += 1
            rule.settle(estimate_usd=0.01, cost_usd=0.005)
    assert asked == 1000


def test_spending_without_an_answer_is_an_error() -> None:
    with pytest.raises(InputError, match="adaptive"):
        SpendingRule().route([], usd_per_1000=1.0, price_usd=0.01)
