"""Durable threads: decisions that wait for a person, and that a killed process can take up again.

One decision is one thread, and its id is the decision's. Threads lie in one SQLite file.
"""

from __future__ import annotations

import sqlite3
import uuid
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from langgraph.checkpoint.serde.jsonplus import JsonPlusSerializer
from langgraph.checkpoint.sqlite import SqliteSaver
from langgraph.types import Command

from trimtab.app.client import Trimtab
from trimtab.errors import ConfigError, IllegalAction, InputError, LedgerError
from trimtab.graphs.decide import OUTPUT, build
from trimtab.graphs.state import DecideContext
from trimtab.records import Decision, decision_from_json

if TYPE_CHECKING:
    from trimtab.graphs.decide import Graph

Durability = Literal["exit", "sync"]

BUSY_S = 30.0
"""How long one process waits for another that writes the same file."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """A decision that waits for a person; ``payload`` is what to show, as plain JSON."""

    decision_id: str
    payload: Mapping[str, Any]


class Threads:
    """Runs decisions on durable threads; each is driven by one caller at a time.

    Args:
        client: what decides, and whose ledger is written.
        saver: keeps the threads; :func:`open_threads` opens one on a file.
    """

    def __init__(self, client: Trimtab, saver: SqliteSaver) -> None:
        self._client = client
        self._saver = saver

    def decide(
        self,
        text: str,
        context: DecideContext,
        *,
        durability: Durability | None = None,
    ) -> Decision | Question:
        """Return the decision on a text, or the question that a person must answer first.

        May be repeated with the same arguments, after a crash too: a decision that stands in the
        ledger is returned, a thread that was stopped half-way goes on where it stopped.

        Args:
            text: the request.
            context: as for the graph; ``decision_id`` must be given.
            durability: ``sync`` keeps every step, ``exit`` only the end of a run. If None, ``sync``
                where a person is asked; elsewhere a crash costs one LLM request at most, and
                ``exit`` costs a third.

        Raises:
            ConfigError: the context names no decision.
            InputError: the thread or the ledger holds another text under this id.
        """
        decision_id = context.decision_id
        if not decision_id:
            raise ConfigError("decision_id is empty; give the id under which to take it up again")
        known = self._decided(decision_id)
        if known is not None:
            _check_same(decision_id, known.state, text)
            return known
        graph = self._graph()
        config = _config(decision_id)
        state = graph.get_state(config)
        if state.interrupts:
            _check_same(decision_id, state.values["text"], text)
            return Question(decision_id=decision_id, payload=state.interrupts[0].value)
        # what a crash left before the first step was kept is begun anew
        resumed = bool(state.next) and "request" in state.values
        if resumed:
            _check_same(decision_id, state.values["text"], text)
        kept = durability or ("sync" if context.expert == "human" else "exit")
        final: dict[str, Any] = graph.invoke(
            None if resumed else {"text": text},
            config,
            context=context,
            durability=kept,
            output_keys=OUTPUT,
        )
        return _outcome(decision_id, final)

    def reply(self, decision_id: str, reply: str | int) -> Decision:
        """Return the decision that a person's reply completes.

        Raises:
            IllegalAction: the reply is not one of the options; the question stays open.
            InputError: no such decision waits.
        """
        known = self._decided(decision_id)
        if known is not None:
            return known
        graph, config = self._graph(), _config(decision_id)
        if not graph.get_state(config).interrupts:
            raise InputError(
                f"decision_id={decision_id!r} does not wait for a person; it is one of "
                f"{[question.decision_id for question in self.waiting()]}"
            )
        final: dict[str, Any] = graph.invoke(
            Command(resume=reply), config, durability="sync", output_keys=OUTPUT
        )
        outcome = _outcome(decision_id, final)
        if isinstance(outcome, Question):
            raise IllegalAction(str(outcome.payload["problem"]))
        return outcome

    def waiting(self) -> list[Question]:
        """Return the questions that wait for a person, the oldest first."""
        graph = self._graph()
        with self._saver.lock:
            ids = [row.thread_id for row in _threads(self._saver.conn) if row.waits]
        found = [(name, graph.get_state(_config(name)).interrupts) for name in ids]
        return [
            Question(decision_id=name, payload=interrupts[0].value)
            for name, interrupts in found
            if interrupts
        ]

    def _graph(self) -> Graph:
        # the client replaces its nodes when it routes by a new certificate; compiling takes 1 ms
        return build(self._client.nodes, checkpointer=self._saver)

    def _decided(self, decision_id: str) -> Decision | None:
        self._client.ledger.flush()
        try:
            return self._client.ledger.get(decision_id)
        except LedgerError:
            return None


@contextmanager
def open_threads(client: Trimtab, path: Path) -> Iterator[Threads]:
    """Open the threads of a file, which is made if it is missing."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with closing(connect(path)) as connection:
        yield Threads(client, saver(connection))


def connect(path: Path) -> sqlite3.Connection:
    """Return a connection for :func:`saver`, which locks it itself."""
    return sqlite3.connect(path, check_same_thread=False, timeout=BUSY_S)


def saver(connection: sqlite3.Connection) -> SqliteSaver:
    """Return a checkpointer that reads plain values only: channels hold nothing else."""
    opened = SqliteSaver(connection, serde=JsonPlusSerializer(allowed_msgpack_modules=None))
    opened.setup()
    return opened


def prune(
    path: Path, *, older_than: timedelta, now: datetime, including_waiting: bool = False
) -> int:
    """Delete threads whose last step is older, and return how many; the ledger keeps its rows.

    Args:
        path: the file of the threads.
        older_than: age of the last step.
        now: the time, aware.
        including_waiting: also those that wait for a person.

    Raises:
        ConfigError: there is no such file.
    """
    if not path.exists():
        raise ConfigError(f"threads {path} does not exist; name the file that holds threads")
    with closing(connect(path)) as connection:
        kept = saver(connection)
        old = [
            row.thread_id
            for row in _threads(connection)
            if row.last_step < now - older_than and (including_waiting or not row.waits)
        ]
        for thread_id in old:
            kept.delete_thread(thread_id)
        connection.execute("VACUUM")
    return len(old)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Row:
    thread_id: str
    last_step: datetime
    waits: bool


_LAST_STEPS = """
    SELECT last.thread_id, last.checkpoint_id, EXISTS (
        SELECT 1 FROM writes WHERE writes.thread_id = last.thread_id
        AND writes.checkpoint_id = last.checkpoint_id AND writes.channel = '__interrupt__'
    )
    FROM (
        SELECT thread_id, max(checkpoint_id) AS checkpoint_id FROM checkpoints
        GROUP BY thread_id
    ) AS last ORDER BY last.checkpoint_id
"""


def _threads(connection: sqlite3.Connection) -> list[_Row]:
    return [
        _Row(thread_id=thread_id, last_step=_stamp(checkpoint_id), waits=bool(waits))
        for thread_id, checkpoint_id, waits in connection.execute(_LAST_STEPS)
    ]


def _stamp(checkpoint_id: str) -> datetime:
    """Return the time within a checkpoint's id, a UUID of version 6 (RFC 9562, section 5.6)."""
    number = uuid.UUID(checkpoint_id).int
    ticks = (number >> 80) << 12 | (number >> 64) & 0xFFF  # of 100 ns, since 1582-10-15
    return datetime(1582, 10, 15, tzinfo=UTC) + timedelta(microseconds=ticks // 10)


def _config(decision_id: str) -> Any:  # noqa: ANN401 - RunnableConfig, of a package not seen here
    return {"configurable": {"thread_id": decision_id}}


def _check_same(decision_id: str, kept: str, text: str) -> None:
    if kept != text:
        raise InputError(
            f"decision_id={decision_id!r} stands for another text already; give a new id"
        )


def _outcome(decision_id: str, final: Mapping[str, Any]) -> Decision | Question:
    if "__interrupt__" in final:
        return Question(decision_id=decision_id, payload=final["__interrupt__"][0].value)
    return decision_from_json(final["decision"])
