from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.evals.traffic import Row, decision, llm, outcome, small, stream
from trimtab.evals.items import read_items
from trimtab.evals.policies import NO_OUTCOMES, NOT_JUDGED, Comparison, PolicyRow, compare
from trimtab.records import Prediction


def run(rows: Sequence[Row], *, always_llm: dict[str, Prediction] | None = None) -> Comparison:
    return compare(read_items(list(rows), always_llm=always_llm), rng=np.random.default_rng(0))


def policies(comparison: Comparison) -> dict[str, PolicyRow]:
    return {row.policy: row for row in comparison.rows}


def escalating(n: int = 30, *, seed: int = 0) -> list[Row]:
    rows = stream(n, seed=seed, threshold=1.1, audit_rate=0.0)
    return [row for row in rows if row[0].route.reason != "degraded"]


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10**6), n=st.integers(2, 40))
def test_deferring_everything_saves_nothing(seed: int, n: int) -> None:
    comparison = run(escalating(n, seed=seed) or escalating(30))
    assert comparison.savings is not None
    assert comparison.savings.usd_per_1000.value <= 0
    assert comparison.savings.fraction is not None
    assert comparison.savings.fraction.value <= 0
    high = comparison.savings.fraction.high
    assert high is not None
    assert high <= 0


def test_random_routing_at_share_1_is_always_asking() -> None:
    found = policies(run(escalating()))
    random, always = found["random"], found["always_llm"]
    assert random.quality == always.quality
    assert random.usd_per_1000.value == pytest.approx(always.usd_per_1000.value, rel=1e-12)


def test_random_routing_at_share_0_is_never_asking() -> None:
    rows = stream(40, threshold=0.0, audit_rate=1.0)
    found = policies(run(rows))
    assert found["routed"].llm_share.value == 0.0
    assert found["random"].quality == found["never_llm"].quality
    assert found["random"].usd_per_1000.value == pytest.approx(
        found["never_llm"].usd_per_1000.value, rel=1e-12
    )


def test_random_routing_mixes_never_and_always_in_expectation() -> None:
    rows = [
        (made := decision(small(0), llm(1, usd=1e-3), shown="llm", number=0), outcome(made, 1)),
        (made := decision(small(0), llm(0), shown="policy", number=1), outcome(made, 0)),
        (made := decision(small(1), llm(1), shown="policy", number=2), outcome(made, 0)),
    ]
    answers = {made.decision_id: llm(made.predictions[1].action) for made, _ in rows[1:]}
    rows[1:] = [
        (replace(made, predictions=made.predictions[:1], usage=made.predictions[0].usage), given)
        for made, given in rows[1:]
    ]
    comparison = run(rows, always_llm=answers)
    found = policies(comparison)
    assert comparison.sample == "all"
    assert found["random"].quality is not None
    # never right on 1 of 3, always on 2 of 3, asked on 1 of 3
    assert found["random"].quality.value == pytest.approx(2 / 3 * 1 / 3 + 1 / 3 * 2 / 3)
    mixed = 2 / 3 * 1e-6 + 1 / 3 * (1e-3 + 2e-4 + 2e-4) / 3
    assert found["random"].usd_per_1000.value == pytest.approx(1000 * mixed)


def test_audits_are_the_sample_where_the_llm_did_not_answer_everything() -> None:
    rows = stream(400)
    comparison = run(rows)
    audited = [d for d, _ in rows if d.audit and any(p.agent == "llm" for p in d.predictions)]
    assert (comparison.sample, comparison.n) == ("uniform", len(audited))


def test_a_uniform_sample_tells_the_truth_about_all_items() -> None:
    # the paired savings of an audited tenth hold what full knowledge gives
    rows = stream(3000, audit_rate=0.1)
    everything = stream(3000, audit_rate=1.0)
    full = run(everything).savings
    sampled = run(rows).savings
    assert full is not None
    assert sampled is not None
    assert sampled.fraction is not None
    truth = 1 - np.mean([i.shown.usd for i in read_items(rows)]) / np.mean(
        [i.llm.usd for i in read_items(everything) if i.llm]
    )
    audits = 0.1 * np.mean([not i.asked_llm for i in read_items(rows)])
    low, high = sampled.fraction.low, sampled.fraction.high
    assert low is not None
    assert high is not None
    assert low <= truth - audits <= high


def test_audits_are_charged_to_routing() -> None:
    cheap = policies(run(stream(500, audit_rate=1.0)))["routed"].usd_per_1000.value
    always = policies(run(stream(500, audit_rate=1.0)))["always_llm"].usd_per_1000.value
    assert cheap > always


def test_escalated_items_alone_give_no_baseline() -> None:
    comparison = run(stream(200, audit_rate=0.0))
    assert (comparison.sample, comparison.rows, comparison.savings) == ("none", (), None)
    assert "picked because they needed it" in comparison.missing


def test_an_llm_that_was_never_asked_gives_no_baseline() -> None:
    comparison = run(stream(50, threshold=0.0, audit_rate=0.0))
    assert comparison.savings is None
    assert "never asked" in comparison.missing
    assert "always_llm" in comparison.missing


def test_answers_asked_apart_give_the_baseline() -> None:
    rows = stream(50, threshold=0.0, audit_rate=0.0)
    drawn = {rows[i][0].decision_id: llm(0) for i in range(0, 50, 5)}
    comparison = run(rows, always_llm=drawn)
    assert (comparison.sample, comparison.n) == ("uniform", 10)
    assert comparison.savings is not None
    assert comparison.savings.usd_per_1000.value > 0


def test_degraded_items_do_not_make_the_rest_a_sample() -> None:
    rows = stream(300, threshold=1.1, audit_rate=0.0)
    assert any(made.route.reason == "degraded" for made, _ in rows)
    comparison = run(rows)
    assert comparison.sample == "all"
    assert comparison.n < len(rows)


def test_without_outcomes_quality_is_not_guessed() -> None:
    comparison = run([(made, None) for made, _ in escalating()])
    assert comparison.missing == NO_OUTCOMES
    assert {row.quality for row in comparison.rows} == {None}
    assert comparison.savings is not None
    assert comparison.savings.quality_difference is None


def test_rewards_without_references_do_not_judge_the_llm() -> None:
    rows = [
        (made, None if given is None else replace(given, reference=None))
        for made, given in stream(30, threshold=0.0, audit_rate=1.0, llm_right=0.0)
        if given is not None and given.reward == 1.0
    ]
    comparison = run(rows)
    assert comparison.missing == NOT_JUDGED
    assert comparison.n_quality == 0


def test_llm_only_items_have_no_policy_without_the_llm() -> None:
    rows = [
        (made := decision(llm(1), shown="llm", number=n, reason="forced"), outcome(made, 1))
        for n in range(5)
    ]
    comparison = run(rows)
    assert set(policies(comparison)) == {"routed", "always_llm"}
    assert "mode llm_only" in comparison.missing
    assert comparison.savings is not None
    assert comparison.savings.usd_per_1000.value == 0.0


def test_an_llm_that_costs_nothing_has_no_percentage() -> None:
    rows = [(decision(small(0), llm(0, usd=0.0), shown="llm", number=n), None) for n in range(4)]
    savings = run(rows).savings
    assert savings is not None
    assert savings.fraction is None


def test_simulated_experts_are_marked_in_every_row_they_touch() -> None:
    rows = stream(40, threshold=1.1, audit_rate=0.0, tier="simulated:0.95")
    marked = {row.policy: row.simulated for row in run(rows).rows}
    assert marked == {"routed": True, "always_llm": True, "never_llm": False, "random": True}


def test_a_cold_start_is_not_mixed_with_the_audits_after_it() -> None:
    start = [
        (replace(made, route=replace(made.route, reason="uncertified")), given)
        for made, given in escalating(40)
    ]
    later = stream(400, domain="later", audit_rate=0.1)
    alone, mixed = run(later), run([*start, *later])
    assert (mixed.sample, mixed.n) == ("uniform", alone.n)
    assert [r.usd_per_1000.value for r in mixed.rows] == [r.usd_per_1000.value for r in alone.rows]
    assert run(start).sample == "all"
    unaudited = [row for row in later if not row[0].audit]
    assert (run([*start, *unaudited]).n, len(start)) == (len(start), len(start))
