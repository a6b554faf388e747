from __future__ import annotations

from dataclasses import replace

import pytest

from tests.evals.promised import certificate, cold_start, kept
from tests.evals.traffic import Row, outcome, stream
from trimtab.errors import InputError
from trimtab.evals.document import DomainReport
from trimtab.evals.report import build_report
from trimtab.evals.summary import headlines


def domain(rows: list[Row], plain: dict[str, object] | None = None) -> DomainReport:
    given = None if plain is None else {"promised": plain}
    [found] = build_report(rows, certificates=given, volume=100_000).domains
    return found


def said(found: DomainReport) -> str:
    return "\n".join(headlines(found))


def test_a_certified_promise_is_a_sentence_with_n_window_and_labels() -> None:
    rows = cold_start(300)
    plain = certificate(rows)
    found = domain([*rows, *kept(200, plain)], plain)
    assert found.promise.state == "certified"
    assert headlines(found)[0] == (
        "At most 5 points below always asking the LLM, with 95 % confidence: certified on 300 "
        "requests drawn uniformly between 2026-01-05 09:00 and 2026-01-05 12:04 UTC (against "
        f"gold, {plain['certificate']['labels']} labels)."
    )


def test_the_bill_is_the_sum_over_the_agents_that_ran_and_audits() -> None:
    rows = cold_start(300)
    plain = certificate(rows)
    found = domain([*rows, *kept(400, plain)], plain).promise
    assert found.bill is not None
    assert found.bill.fraction is not None
    assert found.llm_share is not None
    assert found.audits.share is not None
    asked = found.llm_share.value + (1 - found.llm_share.value) * found.audits.share.value
    # what the LLM costs does not depend on the score here, so its bill follows its share
    assert 1 - found.bill.fraction.value == pytest.approx(asked + 1 / 200, abs=0.02)
    assert found.bill.fraction.low is not None
    assert found.bill.fraction.low < found.bill.fraction.value


def test_a_refusal_says_that_the_llm_is_not_worth_asking() -> None:
    rows = cold_start(100, llm_right=0.1)
    plain = certificate(rows)
    found = domain([*rows, *kept(100, plain, llm_right=0.1, audit_rate=0.5)], plain)
    assert found.promise.state == "refused"
    assert headlines(found)[0].startswith("The LLM is not worth asking here: never asking it is")
    assert found.promise.audits.refused == found.promise.audits.decisions == 100
    assert "they confirm the promise" in said(found)


def test_a_failed_certificate_says_what_the_bet_lacked() -> None:
    rows = cold_start(60)
    plain = certificate(rows, loss=0.001)
    found = domain(rows, plain)
    assert found.promise.state == "failed"
    assert "of the 25 needed; the LLM is always asked" in headlines(found)[0]
    assert "every request asks the LLM, and that costs 0.5 % more" in said(found)
    assert found.monthly is not None
    assert found.monthly.basis == "routed"


def test_agreement_is_not_called_the_truth() -> None:
    rows = cold_start(200, llm_right=0.5, labelled=False)
    plain = certificate(rows, loss=0.9, against="agreement with the LLM")
    found = domain(rows, plain)
    assert "(against agreement with the LLM, not against the truth)" in headlines(found)[0]
    assert found.promise.unlabelled == 0
    assert found.curve is not None
    assert found.curve.never.difference is not None
    assert found.curve.never.difference.value < 0


def test_a_cold_start_without_certificate_asks_for_labels() -> None:
    found = domain(cold_start(40, labelled=False))
    assert found.promise.state == "uncertified"
    assert found.promise.unlabelled > 0
    assert "No certificate yet, so the LLM is always asked: 40 requests" in said(found)
    assert "trimtab label --domain promised" in said(found)


def test_without_a_promise_none_is_claimed() -> None:
    [found] = build_report(stream(50)).domains
    assert found.promise.state == "none"
    assert "No promise asked for." in headlines(found)


def test_a_broken_promise_is_seen_in_the_audits() -> None:
    rows = cold_start(300)
    plain = certificate(rows)
    plain["certificate"]["threshold"] = -1.0  # everything is shown, whatever it is worth
    found = domain([*rows, *kept(400, plain, audit_rate=0.6)], plain)
    assert "the promise is broken; take it back" in said(found)


def test_missing_labels_widen_what_the_audits_say() -> None:
    rows = cold_start(300)
    plain = certificate(rows)
    full = kept(300, plain, audit_rate=0.4)
    bare: list[Row] = [(made, None) for made, _ in full]
    known, open_ = (domain([*rows, *later], plain).promise.audits for later in (full, bare))
    assert known.loss is not None
    assert (open_.loss, open_.answered) == (None, known.answered)
    assert open_.unlabelled > 0
    assert known.loss_low is not None
    assert open_.loss_low is not None
    assert known.loss_high is not None
    assert open_.loss_high is not None
    assert open_.loss_low <= known.loss_low <= known.loss_high <= open_.loss_high
    text = said(domain([*rows, *bare], plain))
    assert f"whatever the {open_.unlabelled} missing labels say" in text


def test_the_month_is_priced_under_the_promise() -> None:
    rows = cold_start(300)
    plain = certificate(rows)
    found = domain([*rows, *kept(100, plain)], plain)
    assert found.monthly is not None
    assert found.promise.bill is not None
    assert found.monthly.basis == "promise"
    assert found.monthly.saved_usd is not None
    assert found.monthly.saved_usd.low is not None
    saved = found.promise.bill.saved_usd_per_1000.value
    assert found.monthly.saved_usd.value == pytest.approx(100 * saved)
    assert "Under the promise, at 100,000 decisions a month routing saves" in said(found)


def test_a_certificate_of_other_weights_says_so() -> None:
    rows = cold_start(200)
    plain = certificate(rows)
    other: list[Row] = [
        (replace(made, bundle_id="c" * 64, decision_id=f"n{made.decision_id}"), given)
        for made, given in cold_start(10)
    ]
    assert "The certificate is of other weights" in said(domain([*rows, *other], plain))


def test_labels_on_differing_answers_alone_do_not_tell_the_quality_of_all() -> None:
    rows = cold_start(200)
    found = domain(rows)
    assert found.labels_selected
    assert {row.quality for row in found.comparison.rows} == {None}
    assert found.comparison.savings is not None
    assert found.comparison.savings.quality_difference is not None
    assert found.comparison.savings.quality_over_random is not None
    assert "not the quality of all traffic" in said(found)


def test_differences_with_and_without_labels_on_equal_answers_are_the_same() -> None:
    rows = cold_start(200)
    plain = certificate(rows)
    later = kept(300, plain, audit_rate=0.9)
    full: list[Row] = []
    for made, given in later:
        equal = made.audit and given is None
        full.append((made, outcome(made, int(made.predictions[0].action)) if equal else given))
    sparse, dense = domain(later).comparison.savings, domain(full).comparison.savings
    assert sparse is not None
    assert sparse.quality_difference is not None
    assert dense is not None
    assert dense.quality_difference is not None
    assert sparse.quality_difference.value == pytest.approx(dense.quality_difference.value)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"schema": "other/1"}, "trimtab certify wrote"),
        ({"domain": "other"}, "each domain its own"),
        ({"certificate": {"loss": 0.1}}, "certify again"),
        ({"window": {}}, "certify again"),
    ],
)
def test_a_file_that_is_no_certificate_is_refused(change: dict[str, object], words: str) -> None:
    rows = cold_start(60)
    with pytest.raises(InputError, match=words):
        domain(rows, certificate(rows) | change)
