"""The laws of ``protocols.Ledger``, as tests that every ledger runs."""

from __future__ import annotations

import dataclasses
import threading
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from trimtab.errors import LedgerError
from trimtab.protocols import Ledger
from trimtab.records import Decision, Outcome, Prediction, Route, Usage


def make_decision(decision_id: str = "a", **changes: Any) -> Decision:
    """Return a small decision of one prediction."""
    usage = Usage(cpu_s=1e-4, latency_s=2e-4, cost_usd=1e-9)
    prediction = Prediction(
        agent="policy",
        action=1,
        confidence=0.75,
        probs=(0.25, 0.75),
        usage=usage,
        tier="static",
        signals={"margin": 0.5},
    )
    decision = Decision(
        decision_id=decision_id,
        domain="colours",
        state=f"what colour is {decision_id}?",
        action=1,
        answer="blue",
        route=Route(agent="policy", reason="confident", confidence=0.75, threshold=0.7),
        predictions=(prediction,),
        usage=usage,
        bundle_id="0" * 64,
        propensity=0.9,
        created_at=datetime(2026, 1, 2, 3, 4, 5, 678, tzinfo=UTC),
    )
    return dataclasses.replace(decision, **changes)


def make_outcome(decision_id: str = "a", **changes: Any) -> Outcome:
    """Return the outcome of a right decision."""
    outcome = Outcome(decision_id=decision_id, reward=1.0, source="user", reference="blue")
    return dataclasses.replace(outcome, **changes)


def make_audit(**changes: Any) -> Prediction:
    """Return the LLM's answer to an audited decision."""
    prediction = Prediction(
        agent="llm",
        action=0,
        confidence=None,
        probs=(0.1, 0.9),
        usage=Usage(prompt_tokens=40, completion_tokens=2, latency_s=0.5, cost_usd=1e-4),
        tier="a-model-2026-01-01",
        signals={"letters": 1.0},
    )
    return dataclasses.replace(prediction, **changes)


def with_audit(decision: Decision, prediction: Prediction) -> Decision:
    """Return a decision as it is read once its audit is stored."""
    return dataclasses.replace(
        decision,
        predictions=(*decision.predictions, prediction),
        usage=decision.usage + prediction.usage,
    )


class LedgerContract:
    """Subclass with a ``ledger`` fixture that yields an empty, open ledger."""

    @pytest.fixture
    def ledger(self) -> Ledger:
        raise NotImplementedError("yield an empty, open ledger")

    def test_appended_decision_reads_back_equal(self, ledger: Ledger) -> None:
        decision = make_decision()
        ledger.append(decision).result()
        assert ledger.get("a") == decision

    def test_row_numbers_rise(self, ledger: Ledger) -> None:
        rows = [ledger.append(make_decision(i)).result() for i in "abc"]
        assert rows == sorted(set(rows))
        assert rows[0] >= 1

    def test_same_decision_twice_is_stored_once(self, ledger: Ledger) -> None:
        first, second = (ledger.append(make_decision()).result() for _ in range(2))
        assert first == second
        assert len(list(ledger.scan())) == 1

    def test_same_decision_twice_in_flight_is_stored_once(self, ledger: Ledger) -> None:
        futures = [ledger.append(make_decision()) for _ in range(5)]
        assert len({future.result() for future in futures}) == 1

    def test_other_decision_under_a_used_id_is_refused(self, ledger: Ledger) -> None:
        ledger.append(make_decision()).result()
        with pytest.raises(LedgerError, match="'a'"):
            ledger.append(make_decision(action=0, answer="red")).result()
        assert ledger.get("a") == make_decision()

    def test_other_text_under_a_used_id_is_refused(self, ledger: Ledger) -> None:
        ledger.append(make_decision())
        with pytest.raises(LedgerError, match="other content"):
            ledger.append(make_decision(state="something else")).result()

    def test_outcome_follows_its_queued_decision(self, ledger: Ledger) -> None:
        ledger.append(make_decision())
        ledger.resolve(make_outcome()).result()
        assert list(ledger.scan()) == [(make_decision(), make_outcome())]

    def test_outcome_of_an_unknown_decision_is_refused(self, ledger: Ledger) -> None:
        with pytest.raises(LedgerError, match="'nobody'"):
            ledger.resolve(make_outcome("nobody")).result()

    def test_scan_joins_the_latest_outcome(self, ledger: Ledger) -> None:
        ledger.append(make_decision())
        ledger.resolve(make_outcome(reward=1.0))
        ledger.resolve(make_outcome(reward=0.0, source="expert", reference=None))
        ledger.flush()
        ((_, outcome),) = ledger.scan()
        assert outcome == make_outcome(reward=0.0, source="expert", reference=None)

    def test_scan_keeps_the_order_and_starts_after_a_row(self, ledger: Ledger) -> None:
        rows = [ledger.append(make_decision(f"id-{i}")).result() for i in range(7)]
        seen = [decision.decision_id for decision, _ in ledger.scan(after=rows[2])]
        assert seen == ["id-3", "id-4", "id-5", "id-6"]

    def test_scan_keeps_to_a_domain(self, ledger: Ledger) -> None:
        ledger.append(make_decision("a"))
        ledger.append(make_decision("b", domain="shapes"))
        ledger.flush()
        assert [d.decision_id for d, _ in ledger.scan(domain="shapes")] == ["b"]

    def test_scan_of_an_empty_ledger_yields_nothing(self, ledger: Ledger) -> None:
        assert list(ledger.scan()) == []

    def test_audit_is_read_as_the_last_prediction(self, ledger: Ledger) -> None:
        decision = make_decision(audit=True)
        ledger.append(decision)
        ledger.audit("a", make_audit()).result()
        audited = with_audit(decision, make_audit())
        assert ledger.get("a") == audited
        assert list(ledger.scan()) == [(audited, None)]
        assert audited.action == decision.action

    def test_audit_and_outcome_come_in_any_order(self, ledger: Ledger) -> None:
        for name in "ab":
            ledger.append(make_decision(name, audit=True))
        ledger.audit("a", make_audit())
        ledger.resolve(make_outcome("a"))
        ledger.resolve(make_outcome("b"))
        ledger.audit("b", make_audit())
        ledger.flush()
        assert list(ledger.scan()) == [
            (with_audit(make_decision(name, audit=True), make_audit()), make_outcome(name))
            for name in "ab"
        ]

    def test_audits_do_not_change_the_order_of_decisions(self, ledger: Ledger) -> None:
        for name in "abc":
            ledger.append(make_decision(name, audit=True))
        rows = [ledger.audit(name, make_audit()).result() for name in "ca"]
        assert rows == sorted(set(rows))
        seen = [(d.decision_id, len(d.predictions)) for d, _ in ledger.scan()]
        assert seen == [("a", 2), ("b", 1), ("c", 2)]

    def test_same_audit_twice_is_stored_once(self, ledger: Ledger) -> None:
        ledger.append(make_decision(audit=True))
        in_flight = [ledger.audit("a", make_audit()) for _ in range(3)]
        rows = {future.result() for future in in_flight}
        rows.add(ledger.audit("a", make_audit()).result())
        assert len(rows) == 1
        assert len(ledger.get("a").predictions) == 2

    @pytest.mark.parametrize("changes", [{"action": 1}, {"action": "red"}, {"usage": Usage()}])
    def test_other_audit_of_the_same_decision_is_refused(
        self, ledger: Ledger, changes: dict[str, Any]
    ) -> None:
        ledger.append(make_decision(audit=True))
        first = ledger.audit("a", make_audit())
        in_flight = ledger.audit("a", make_audit(**changes))
        assert first.result() >= 1
        for future in (in_flight, ledger.audit("a", make_audit(**changes))):
            with pytest.raises(LedgerError, match=r"'a'.*another answer"):
                future.result()
        assert ledger.get("a").predictions[-1] == make_audit()

    def test_audited_decision_may_be_appended_again(self, ledger: Ledger) -> None:
        row = ledger.append(make_decision(audit=True)).result()
        ledger.audit("a", make_audit()).result()
        assert ledger.append(make_decision(audit=True)).result() == row

    def test_audit_of_an_unknown_decision_is_refused(self, ledger: Ledger) -> None:
        with pytest.raises(LedgerError, match="'nobody'"):
            ledger.audit("nobody", make_audit()).result()

    def test_audit_of_a_decision_that_was_not_drawn_is_refused(self, ledger: Ledger) -> None:
        ledger.append(make_decision())
        queued = ledger.audit("a", make_audit())
        ledger.append(make_decision("b", audit=True))
        for future in (queued, ledger.audit("a", make_audit())):
            with pytest.raises(LedgerError, match=r"'a'.*not drawn"):
                future.result()
        assert ledger.get("a") == make_decision()
        assert ledger.audit("b", make_audit()).result() >= 1

    def test_absent_decision_is_an_error(self, ledger: Ledger) -> None:
        with pytest.raises(LedgerError, match="'nobody'"):
            ledger.get("nobody")

    def test_flush_makes_all_queued_rows_readable(self, ledger: Ledger) -> None:
        futures = [ledger.append(make_decision(str(i))) for i in range(200)]
        ledger.flush()
        assert all(future.done() for future in futures)
        assert len(list(ledger.scan())) == 200

    def test_flush_raises_what_nobody_was_told(self, ledger: Ledger) -> None:
        ledger.resolve(make_outcome("nobody"))
        with pytest.raises(LedgerError, match="'nobody'"):
            ledger.flush()
        ledger.flush()

    def test_flush_is_silent_about_what_a_caller_was_told(self, ledger: Ledger) -> None:
        with pytest.raises(LedgerError):
            ledger.resolve(make_outcome("nobody")).result()
        ledger.flush()

    def test_refused_row_does_not_disturb_its_neighbours(self, ledger: Ledger) -> None:
        bad = ledger.resolve(make_outcome("nobody"))
        good = ledger.append(make_decision())
        assert isinstance(bad.exception(), LedgerError)
        assert good.result() >= 1

    def test_many_threads_may_append(self, ledger: Ledger) -> None:
        def append_some(name: str) -> None:
            for i in range(50):
                ledger.append(make_decision(f"{name}-{i}"))

        threads = [threading.Thread(target=append_some, args=(name,)) for name in "abcd"]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        ledger.flush()
        seen = [decision.decision_id for decision, _ in ledger.scan()]
        assert len(seen) == 200
        for name in "abcd":
            own = [one for one in seen if one.startswith(name)]
            assert own == [f"{name}-{i}" for i in range(50)]

    def test_closing_twice_is_closing_once(self, ledger: Ledger) -> None:
        ledger.append(make_decision())
        ledger.close()
        ledger.close()

    def test_closed_ledger_refuses_every_call(self, ledger: Ledger) -> None:
        ledger.close()
        calls: list[Callable[[], object]] = [
            lambda: ledger.append(make_decision()),
            lambda: ledger.resolve(make_outcome()),
            lambda: ledger.audit("a", make_audit()),
            ledger.flush,
            ledger.scan,
            lambda: ledger.get("a"),
        ]
        for call in calls:
            with pytest.raises(LedgerError, match="closed"):
                call()
