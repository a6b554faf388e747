from __future__ import annotations

import json
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.evals.goldens import assert_golden
from tests.evals.promised import promises
from tests.evals.traffic import Row, decision, llm, outcome, small, stream
from trimtab.errors import InputError
from trimtab.evals.document import SCHEMA, report_from_json, report_to_json
from trimtab.evals.page import render_page
from trimtab.evals.report import build_report, ledger_report
from trimtab.evals.summary import headlines


def mixed() -> list[Row]:
    """Return five domains: earning, losing, without outcomes, promising, refusing the LLM."""
    return [
        *promises()[0],
        *stream(400),
        *stream(
            60, domain="losing", threshold=1.1, audit_rate=0, llm_usd=5e-6, tier="simulated:0.95"
        ),
        *stream(20, domain="quiet", outcomes=False, audit_rate=0),
    ]


def rounded(value: object) -> object:
    """Return JSON with six digits a number: sums may differ in the last one between machines."""
    if isinstance(value, float):
        return float(f"{value:.6g}")
    if isinstance(value, dict):
        return {key: rounded(inner) for key, inner in value.items()}
    return [rounded(inner) for inner in value] if isinstance(value, list) else value


def test_the_json_of_a_report_reads_as_reviewed() -> None:
    plain = rounded(ledger_report(mixed(), volume=100_000, certificates=promises()[1]))
    assert_golden("report.json", json.dumps(plain, indent=1, ensure_ascii=False) + "\n")


@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 10**6), n=st.integers(0, 25))
def test_json_round_trip(seed: int, n: int) -> None:
    report = build_report(stream(n, seed=seed, audit_rate=0.5), volume=7)
    text = json.dumps(report_to_json(report), allow_nan=False)
    assert report_from_json(json.loads(text)) == report


@pytest.mark.parametrize("plain", [{}, {"schema": "other/1"}, {"schema": SCHEMA, "domains": 3}])
def test_another_document_is_refused(plain: dict[str, object]) -> None:
    with pytest.raises(InputError, match=r"trimtab\.report/1"):
        report_from_json(plain)


@pytest.mark.parametrize("n", [0, 1, 10_000])
def test_a_report_on_any_number_of_rows_is_complete(n: int) -> None:
    report = build_report(stream(n), volume=1000)
    assert sum(domain.n for domain in report.domains) == n
    assert "</html>" in render_page(report)


def test_the_same_ledger_gives_the_same_report() -> None:
    assert ledger_report(mixed()) == ledger_report(mixed())


def test_domains_are_reported_apart() -> None:
    report = build_report(mixed())
    assert [(d.domain, d.n) for d in report.domains] == [
        ("assistant", 400),
        ("losing", 60),
        ("promised", 600),
        ("quiet", 20),
        ("refusing", 400),
    ]


def test_degraded_routes_and_reasons_are_counted() -> None:
    rows = mixed()
    rows = [row for row in rows if row[0].domain == "assistant"]
    [domain] = build_report(rows).domains
    degraded = sum(made.route.reason == "degraded" for made, _ in rows)
    assert degraded > 0
    assert domain.reasons["degraded"] == degraded
    assert sum(domain.reasons.values()) == 400
    assert any("(degraded)" in route.route for route in domain.routes)


def test_unreadable_replies_are_counted() -> None:
    reread = replace(llm(1), signals={"parse_errors": 1.0})
    rows = [
        (decision(small(0), reread, shown="llm"), None),
        (decision(small(0), llm(1), shown="llm", number=1), None),
    ]
    [domain] = build_report(rows).domains
    assert domain.parse_errors == 1


def test_routes_add_up_to_the_traffic() -> None:
    [domain] = build_report(stream(300)).domains
    assert sum(route.n for route in domain.routes) == 300
    assert sum(sum(period.routes.values()) for period in domain.periods) == 300


def test_a_simulated_expert_takes_no_time() -> None:
    rows = stream(40, threshold=1.1, audit_rate=0.0, tier="simulated:0.95")
    found = ledger_report(rows)["domains"][0]["routes"]
    simulated = [route for route in found if "simulated" in route["route"]]
    assert simulated
    assert all(r["p50_s"] is None and r["p95_s"] is None for r in simulated)


def test_quality_is_the_mean_reward_of_shown_answers() -> None:
    rows = stream(300)
    [domain] = build_report(rows).domains
    assert domain.quality is not None
    rewards = [given.reward for _, given in rows if given is not None]
    assert domain.quality.value == pytest.approx(sum(rewards) / 300)


def test_the_monthly_bill_scales_the_cost() -> None:
    [domain] = build_report(stream(100), volume=50_000).domains
    assert domain.monthly is not None
    assert domain.monthly.usd.value == pytest.approx(50 * domain.usd_per_1000.value)
    assert domain.comparison.savings is not None
    assert domain.monthly.saved_usd is not None
    saved = domain.comparison.savings.usd_per_1000.value
    assert domain.monthly.saved_usd.value == pytest.approx(50 * saved)


@pytest.mark.parametrize("volume", [0, -5])
def test_a_volume_that_is_not_positive_is_refused(volume: int) -> None:
    with pytest.raises(InputError, match="volume"):
        build_report([], volume=volume)


def test_negative_savings_are_said_in_words() -> None:
    rows = [(decision(small(0, usd=2e-5), llm(1), shown="llm", number=n), None) for n in range(20)]
    [domain] = build_report(rows, volume=1000).domains
    lines = headlines(domain)
    assert "Routing costs 10 % more than always asking the LLM (95 %: 10 % more)." in lines
    assert any("routing costs $0.02 more than always asking the LLM" in line for line in lines)


def test_a_simulated_expert_is_named_in_the_bill() -> None:
    rows = stream(40, threshold=1.1, audit_rate=0.0, tier="simulated:0.95")
    [domain] = build_report(rows).domains
    assert "than always asking the simulated LLM expert" in headlines(domain)[0]


def test_missing_outcomes_come_with_the_remedy() -> None:
    [domain] = build_report(stream(20, outcomes=False)).domains
    assert domain.quality is None
    assert domain.calibration is None
    assert any("client.feedback" in line for line in headlines(domain))


def test_calibration_reads_the_shown_confidence() -> None:
    rows = [
        (made := decision(small(n % 2, confidence=0.8), shown="policy", number=n), outcome(made, 0))
        for n in range(10)
    ]
    [domain] = build_report(rows).domains
    assert domain.calibration is not None
    assert domain.calibration.ece == pytest.approx(0.3)
    assert [b.n for b in domain.calibration.bins] == [10]
