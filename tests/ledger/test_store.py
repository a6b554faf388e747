from __future__ import annotations

import gc
import itertools
import math
import subprocess
import sys
import textwrap
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.contracts.ledger import (
    LedgerContract,
    make_audit,
    make_decision,
    make_outcome,
    with_audit,
)
from trimtab.errors import LedgerError
from trimtab.ledger import SqliteLedger
from trimtab.protocols import Ledger
from trimtab.records import Decision, Outcome, Prediction, Route, Usage

ROOT = Path(__file__).parents[2]
FLOAT32: Any = np.float32(1.0)  # a number, but none that JSON knows


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[SqliteLedger]:
    with SqliteLedger(tmp_path / "ledger.sqlite") as ledger:
        yield ledger


class TestSqliteLedger(LedgerContract):
    @pytest.fixture
    def ledger(self, tmp_path: Path) -> Iterator[Ledger]:
        with SqliteLedger(tmp_path / "ledger.sqlite") as ledger:
            yield ledger


def counted_salt() -> Callable[[], bytes]:
    numbers = itertools.count()
    return lambda: next(numbers).to_bytes(16, "big")


# --- round trip -------------------------------------------------------------------------------

texts = st.text(max_size=40)
names = st.text(st.characters(categories=("L", "N", "P", "S")), min_size=1, max_size=20)
unit = st.floats(0.0, 1.0)
numbers = st.floats(allow_nan=False, allow_infinity=False)
actions = st.integers(0, 200) | texts
usages = st.builds(
    Usage,
    prompt_tokens=st.integers(0, 10**6),
    cached_tokens=st.integers(0, 10**6),
    completion_tokens=st.integers(0, 10**6),
    cpu_s=st.floats(0, 1e3),
    latency_s=st.floats(0, 1e3),
    cost_usd=st.floats(0, 1e3),
)
predictions = st.builds(
    Prediction,
    agent=names,
    action=actions,
    confidence=st.none() | unit,
    probs=st.none() | st.lists(unit, max_size=5).map(tuple),
    value=st.none() | st.floats(-1, 1),
    usage=usages,
    tier=texts,
    signals=st.dictionaries(names, numbers, max_size=3),
)
decisions = st.builds(
    Decision,
    decision_id=names,
    domain=names,
    state=texts,
    action=actions,
    answer=texts,
    route=st.builds(
        Route,
        agent=names,
        reason=st.sampled_from(["confident", "uncertain", "human"]),
        confidence=st.none() | unit,
        threshold=st.none() | unit,
    ),
    predictions=st.lists(predictions, max_size=3).map(tuple),
    usage=usages,
    bundle_id=texts,
    propensity=st.floats(0.0, 1.0, exclude_min=True),
    created_at=st.datetimes(
        timezones=st.sampled_from([UTC, timezone(timedelta(hours=-5, minutes=-30))])
    ),
    audit=st.booleans(),
)
outcomes = st.builds(
    Outcome,
    decision_id=st.just(""),
    reward=unit,
    source=st.sampled_from(["solver", "checker", "expert", "judge", "user"]),
    reference=st.none() | texts,
)


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data())
def test_every_decision_outcome_and_audit_reads_back_equal(
    data: st.DataObject, tmp_path_factory: pytest.TempPathFactory
) -> None:
    drawn = data.draw(st.lists(decisions, max_size=8, unique_by=lambda d: d.decision_id))
    expected, audits = [], 0
    with SqliteLedger(tmp_path_factory.mktemp("trip") / "ledger.sqlite") as ledger:
        for decision in drawn:
            ledger.append(decision)
            audit = data.draw(st.none() | predictions) if decision.audit else None
            if audit is not None:
                ledger.audit(decision.decision_id, audit)
                audits += 1
            outcome = data.draw(st.none() | outcomes)
            if outcome is not None:
                outcome = Outcome(
                    decision_id=decision.decision_id,
                    reward=outcome.reward,
                    source=outcome.source,
                    reference=outcome.reference,
                )
                ledger.resolve(outcome)
            read = decision if audit is None else with_audit(decision, audit)
            expected.append((read, outcome))
        ledger.flush()
        assert list(ledger.scan()) == expected
        assert [ledger.get(d.decision_id) for d in drawn] == [read for read, _ in expected]
        assert ledger.verify() == len(drawn) + audits + sum(o is not None for _, o in expected)


def test_lone_surrogates_survive(ledger: SqliteLedger) -> None:
    decision = make_decision(state="half \ud800 a pair \x00")
    ledger.append(decision).result()
    assert ledger.get("a") == decision


def test_same_decisions_give_the_same_file_content(tmp_path: Path) -> None:
    heads = []
    for name in ("one", "two"):
        with SqliteLedger(tmp_path / name, salt=counted_salt()) as ledger:
            for i in range(40):
                ledger.append(make_decision(str(i), audit=i == 5))
            ledger.resolve(make_outcome("3"))
            ledger.audit("5", make_audit(action="freely"))
            ledger.flush()
            ledger.export(tmp_path / f"{name}.jsonl")
            heads.append(ledger.head())
    assert heads[0] == heads[1]
    assert (tmp_path / "one.jsonl").read_bytes() == (tmp_path / "two.jsonl").read_bytes()


def test_scan_yields_more_than_a_page_and_only_what_was_durable(ledger: SqliteLedger) -> None:
    for i in range(1203):
        ledger.append(make_decision(str(i)))
    ledger.flush()
    rows = ledger.scan()
    ledger.append(make_decision("late")).result()
    assert [decision.decision_id for decision, _ in rows] == [str(i) for i in range(1203)]


def test_audit_of_a_reopened_ledger_is_compared_with_the_stored_one(tmp_path: Path) -> None:
    answer = make_audit(action="freely said")
    with SqliteLedger(tmp_path / "ledger.sqlite") as ledger:
        ledger.append(make_decision("drawn", audit=True))
        ledger.append(make_decision("other"))
        ledger.audit("drawn", answer)
    with SqliteLedger(tmp_path / "ledger.sqlite") as ledger:
        assert ledger.audit("drawn", answer).result() == 3
        with pytest.raises(LedgerError, match="row 3 with another answer"):
            ledger.audit("drawn", make_audit(action="said otherwise")).result()
        with pytest.raises(LedgerError, match="audit=False"):
            ledger.audit("other", answer).result()
        assert ledger.get("drawn").predictions[-1] == answer
        assert ledger.verify() == 3


def test_reopened_ledger_continues_its_chain(tmp_path: Path) -> None:
    for name in "abc":
        with SqliteLedger(tmp_path / "ledger.sqlite") as ledger:
            ledger.append(make_decision(name))
    with SqliteLedger(tmp_path / "ledger.sqlite") as ledger:
        assert [decision.decision_id for decision, _ in ledger.scan()] == ["a", "b", "c"]
        assert ledger.verify() == 3


# --- refused fields ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"decision_id": ""}, "decision_id"),
        ({"decision_id": "a\nb"}, "decision_id"),
        ({"domain": ""}, "domain"),
        ({"propensity": 0.0}, "propensity"),
        ({"propensity": math.nan}, "propensity"),
        ({"created_at": datetime(2026, 1, 1)}, "created_at"),  # noqa: DTZ001
        ({"usage": Usage(cost_usd=math.nan)}, "JSON"),
        ({"usage": Usage(cpu_s=FLOAT32)}, "float32"),
        (
            {"predictions": (Prediction(agent="p", action=0, confidence=1, probs=(math.inf,)),)},
            "pro",
        ),
        ({"predictions": ("not a prediction",)}, "JSON"),
        ({"state": None, "action": object()}, "JSON"),
    ],
)
def test_unfit_decision_is_refused_by_field(
    ledger: SqliteLedger, changes: dict[str, Any], field: str
) -> None:
    future = ledger.append(make_decision(**changes))
    with pytest.raises(LedgerError, match=field):
        future.result()
    assert ledger.append(make_decision("next")).result() == 1


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"probs": (math.nan,)}, "probs"),
        ({"usage": Usage(cost_usd=math.inf)}, "JSON"),
        ({"confidence": FLOAT32}, "float32"),
        ({"usage": None}, "JSON"),
    ],
)
def test_unfit_audit_is_refused_by_field(
    ledger: SqliteLedger, changes: dict[str, Any], field: str
) -> None:
    ledger.append(make_decision(audit=True))
    with pytest.raises(LedgerError, match=f"audit of decision 'a'.*{field}"):
        ledger.audit("a", make_audit(**changes)).result()
    assert ledger.audit("a", make_audit()).result() == 2


def test_audit_under_an_unfit_id_is_refused(ledger: SqliteLedger) -> None:
    with pytest.raises(LedgerError, match="decision_id=''"):
        ledger.audit("", make_audit()).result()


@pytest.mark.parametrize("reward", [-0.1, 1.1, math.nan])
def test_reward_outside_the_unit_interval_is_refused(ledger: SqliteLedger, reward: float) -> None:
    ledger.append(make_decision())
    with pytest.raises(LedgerError, match="reward"):
        ledger.resolve(make_outcome(reward=reward)).result()


def test_other_objects_are_refused_at_once(ledger: SqliteLedger) -> None:
    with pytest.raises(LedgerError, match="Decision, not dict"):
        ledger.append({})  # type: ignore[arg-type]
    with pytest.raises(LedgerError, match="Outcome, not Decision"):
        ledger.resolve(make_decision())  # type: ignore[arg-type]
    with pytest.raises(LedgerError, match="Prediction, not Outcome"):
        ledger.audit("a", make_outcome())  # type: ignore[arg-type]


# --- threads, ends ----------------------------------------------------------------------------


def test_readers_read_beside_a_writer(ledger: SqliteLedger) -> None:
    wrong: list[int] = []

    def read() -> None:
        for _ in range(10):
            ids = [decision.decision_id for decision, _ in ledger.scan()]
            if ids != [str(i) for i in range(len(ids))]:
                wrong.append(len(ids))

    readers = [threading.Thread(target=read) for _ in range(3)]
    for reader in readers:
        reader.start()
    for i in range(300):
        ledger.append(make_decision(str(i)))
    for reader in readers:
        reader.join()
    assert wrong == []


def test_queued_row_cannot_be_cancelled(ledger: SqliteLedger) -> None:
    future = ledger.append(make_decision())
    assert not future.cancel()
    assert future.result() == 1


def test_callback_that_waits_for_its_own_ledger_is_told_so(tmp_path: Path) -> None:
    told: list[str] = []
    attached = threading.Event()

    def salt() -> bytes:  # called by the writer: holds the row back until the callback is there
        attached.wait()
        return b"salt"

    with SqliteLedger(tmp_path / "ledger.sqlite", salt=salt) as ledger:

        def wait(_: object) -> None:
            for call in (ledger.flush, ledger.close):
                try:
                    call()
                except LedgerError as error:
                    told.append(str(error))

        ledger.append(make_decision()).add_done_callback(wait)
        attached.set()
    assert len(told) == 2


def test_close_raises_what_nobody_was_told_and_releases_the_file(tmp_path: Path) -> None:
    ledger = SqliteLedger(tmp_path / "ledger.sqlite")
    ledger.resolve(make_outcome("nobody"))
    with pytest.raises(LedgerError, match="nobody"):
        ledger.close()
    ledger.close()
    assert not (tmp_path / "ledger.sqlite-wal").exists()


def test_leaving_a_block_by_an_error_shows_that_error(tmp_path: Path) -> None:
    def fail_within(ledger: SqliteLedger) -> None:
        with ledger:
            ledger.resolve(make_outcome("nobody"))
            raise KeyError("mine")

    with pytest.raises(KeyError, match="mine"):
        fail_within(SqliteLedger(tmp_path / "ledger.sqlite"))


def test_dropped_ledger_still_writes_what_was_queued(tmp_path: Path) -> None:
    ledger = SqliteLedger(tmp_path / "ledger.sqlite")
    future = ledger.append(make_decision())
    del ledger
    gc.collect()
    assert future.result() == 1


def run_python(code: str, *args: str) -> subprocess.CompletedProcess[str]:
    script = textwrap.dedent(code)
    return subprocess.run(
        [sys.executable, "-W", "error", "-X", "dev", "-c", script, *args],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_interpreter_exit_writes_what_an_unclosed_ledger_queued(tmp_path: Path) -> None:
    done = run_python(
        """
        import sys
        from pathlib import Path
        from tests.contracts.ledger import make_decision
        from trimtab.ledger import SqliteLedger

        ledger = SqliteLedger(Path(sys.argv[1]))
        for i in range(500):
            ledger.append(make_decision(str(i)))
        """,
        str(tmp_path / "ledger.sqlite"),
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    with SqliteLedger(tmp_path / "ledger.sqlite") as ledger:
        assert len(list(ledger.scan())) == 500


def test_forked_child_is_told_to_open_the_ledger_itself(tmp_path: Path) -> None:
    done = run_python(
        """
        import os, sys
        from pathlib import Path
        from tests.contracts.ledger import make_decision
        from trimtab.errors import LedgerError
        from trimtab.ledger import SqliteLedger

        with SqliteLedger(Path(sys.argv[1])) as ledger:
            pid = os.fork()
            if pid == 0:
                try:
                    ledger.append(make_decision())
                except LedgerError as error:
                    os._exit(7 if "fork" in str(error) else 8)
            sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
        """,
        str(tmp_path / "ledger.sqlite"),
    )
    assert done.returncode == 7, done.stderr


def test_two_processes_keep_one_chain(tmp_path: Path) -> None:
    code = textwrap.dedent(
        """
        import sys
        from pathlib import Path
        from tests.contracts.ledger import make_decision, make_outcome
        from trimtab.ledger import SqliteLedger

        with SqliteLedger(Path(sys.argv[1])) as ledger:
            for i in range(150):
                future = ledger.append(make_decision(f"{sys.argv[2]}-{i}"))
                ledger.resolve(make_outcome(f"{sys.argv[2]}-{i}"))
                if i % 10 == 0:
                    future.result()
        """
    )
    path = tmp_path / "ledger.sqlite"
    children = [
        subprocess.Popen([sys.executable, "-c", code, str(path), name], cwd=ROOT)
        for name in ("left", "right", "third")
    ]
    assert [child.wait(timeout=60) for child in children] == [0, 0, 0]
    with SqliteLedger(path) as ledger:
        assert ledger.verify() == 900
        rows = list(ledger.scan())
    assert len(rows) == 450
    assert all(outcome is not None for _, outcome in rows)
