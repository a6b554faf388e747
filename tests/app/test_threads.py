"""Durable threads: questions survive a restart, repeats decide once, old threads go."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.desk import TruthfulExpert, desk_serving
from trimtab import Trimtab
from trimtab.app.threads import Question, Threads, open_threads, prune
from trimtab.errors import ConfigError, IllegalAction, InputError, LLMUnavailable
from trimtab.graphs.state import DecideContext
from trimtab.ledger import SqliteLedger
from trimtab.records import Decision
from trimtab.settings import load_settings

SURE = "where is my parcel"
UNSURE = "screen stays black"


class Desk:
    """A desk whose processes come and go over the same two files."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.expert = TruthfulExpert()
        self._stack = ExitStack()

    @property
    def file(self) -> Path:
        return self.folder / "threads" / "threads.sqlite"

    def restart(self) -> Threads:
        """Return the threads as a new process would open them."""
        self._stack.close()
        self.ledger = self._stack.enter_context(SqliteLedger(self.folder / "ledger.sqlite"))
        client = Trimtab(
            servings={"desk": desk_serving(self.expert)},
            ledger=self.ledger,
            settings=load_settings({"TRIMTAB_HOME": str(self.folder)}),
        )
        return self._stack.enter_context(open_threads(client, self.file))

    def rows(self) -> list[Decision]:
        self.ledger.flush()
        return [decision for decision, _ in self.ledger.scan()]

    def close(self) -> None:
        self._stack.close()


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    opened = Desk(tmp_path)
    yield opened
    opened.close()


def asking(decision_id: str, **options: Any) -> DecideContext:
    return DecideContext(domain="desk", decision_id=decision_id, **options)


def test_question_survives_a_restart(desk: Desk) -> None:
    context = asking("q1", expert="human")
    asked = desk.restart().decide(UNSURE, context)
    assert isinstance(asked, Question)
    assert json.loads(json.dumps(asked.payload)) == asked.payload
    threads = desk.restart()
    assert threads.waiting() == [asked]
    assert threads.decide(UNSURE, context) == asked
    decision = desk.restart().reply("q1", "technical")
    assert decision.answer == "technical"
    assert decision.route.reason == "human"
    assert desk.rows() == [decision]


def test_answered_question_waits_no_more(desk: Desk) -> None:
    threads = desk.restart()
    threads.decide(UNSURE, asking("q1", expert="human"))
    decision = threads.reply("q1", 3)
    assert threads.waiting() == []
    assert threads.reply("q1", "refund") == decision


def test_illegal_reply_leaves_the_question_open(desk: Desk) -> None:
    threads = desk.restart()
    asked = threads.decide(UNSURE, asking("q1", expert="human"))
    assert isinstance(asked, Question)
    with pytest.raises(IllegalAction, match="sales"):
        threads.reply("q1", "sales")
    threads = desk.restart()
    [open_still] = threads.waiting()
    assert open_still.payload["options"] == asked.payload["options"]
    assert "'sales'" in open_still.payload["problem"]
    assert threads.reply("q1", "technical").answer == "technical"


def test_reply_to_nobody_lists_who_waits(desk: Desk) -> None:
    threads = desk.restart()
    threads.decide(UNSURE, asking("q1", expert="human"))
    with pytest.raises(InputError, match=r"'q2'.*'q1'"):
        threads.reply("q2", "technical")


def test_repeat_asks_nobody_again(desk: Desk) -> None:
    first = desk.restart().decide(UNSURE, asking("r1"))
    assert desk.restart().decide(UNSURE, asking("r1")) == first
    assert desk.expert.asked == [UNSURE]
    assert desk.rows() == [first]


def test_other_text_under_a_used_id_is_refused(desk: Desk) -> None:
    threads = desk.restart()
    threads.decide(SURE, asking("r1"))
    threads.decide(UNSURE, asking("r2", expert="human"))
    for used in ("r1", "r2"):
        with pytest.raises(InputError, match=used):
            threads.decide("I want my money back", asking(used))


def test_failed_run_goes_on_where_it_stopped(desk: Desk) -> None:
    desk.expert.error = LLMUnavailable("gone")
    context = asking("f1", mode="llm_only")
    with pytest.raises(LLMUnavailable):
        desk.restart().decide(UNSURE, context, durability="sync")
    desk.expert.error = None
    decision = desk.restart().decide(UNSURE, context, durability="sync")
    assert isinstance(decision, Decision)
    assert decision.answer == "technical"
    assert desk.rows() == [decision]


def test_decision_without_an_id_is_refused(desk: Desk) -> None:
    with pytest.raises(ConfigError, match="decision_id"):
        desk.restart().decide(SURE, asking(""))


@pytest.mark.parametrize(
    ("days", "including_waiting", "left"),
    [(1, False, ["q1"]), (1, True, []), (-1, True, ["done", "q1"])],
)
def test_old_threads_are_pruned_and_the_ledger_stays(
    desk: Desk, days: int, including_waiting: bool, left: list[str]
) -> None:
    threads = desk.restart()
    threads.decide(UNSURE, asking("q1", expert="human"))
    threads.decide(SURE, asking("done"))
    desk.close()
    removed = prune(
        desk.file,
        older_than=timedelta(hours=1),
        now=datetime.now(UTC) + timedelta(days=days),
        including_waiting=including_waiting,
    )
    assert removed == 2 - len(left)
    threads = desk.restart()
    assert [q.decision_id for q in threads.waiting()] == [name for name in left if name == "q1"]
    assert [row.decision_id for row in desk.rows()] == ["done"]


def test_pruning_a_missing_file_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"none\.sqlite"):
        prune(tmp_path / "none.sqlite", older_than=timedelta(0), now=datetime.now(UTC))
    assert not (tmp_path / "none.sqlite").exists()
