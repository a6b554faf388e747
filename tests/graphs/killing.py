"""A process that kills its children at every step of a decision and lets another one finish it.

Run as a script: ``killing.py FOLDER``. Each line it prints is one decision: where its first process
was killed, what the second one answered, and the ledger's rows.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Sequence
from concurrent.futures import Future
from contextlib import closing
from pathlib import Path
from typing import Any, Literal

from langgraph.checkpoint.sqlite import SqliteSaver

from tests.desk import KeywordAgent, TruthfulExpert, desk_serving
from trimtab import Trimtab
from trimtab.app.threads import Question, Threads, connect, saver
from trimtab.graphs.state import DecideContext
from trimtab.ledger import SqliteLedger
from trimtab.records import Decision, Passage, Prediction, decision_to_json
from trimtab.settings import load_settings

TEXT = "screen stays black"
NEVER = 10**9
STRIDE = 2
"""Every second step, so that the test stays short; 1 takes them all."""
Expert = Literal["llm", "human"]
Durability = Literal["exit", "sync"]
SCENARIOS: tuple[tuple[Expert, Durability], ...] = (
    ("llm", "sync"),
    ("llm", "exit"),
    ("human", "sync"),
)


class Countdown:
    """Kills this process at the n-th step; steps lie before and after everything that lasts."""

    def __init__(self, steps: int) -> None:
        self.left = steps

    def __call__(self) -> None:
        self.left -= 1
        if self.left == 0:
            os.kill(os.getpid(), signal.SIGKILL)


class MortalSaver(SqliteSaver):
    step: Countdown

    def put(self, *args: Any, **kwargs: Any) -> Any:
        self.step()
        kept = super().put(*args, **kwargs)
        self.step()
        return kept

    def put_writes(self, *args: Any, **kwargs: Any) -> None:
        self.step()
        super().put_writes(*args, **kwargs)
        self.step()


class MortalLedger(SqliteLedger):
    step: Countdown

    def append(self, decision: Decision) -> Future[int]:
        self.step()
        future = super().append(decision)
        self.step()
        future.result()
        self.step()
        return future


class MortalExpert(TruthfulExpert):
    def __init__(self, step: Countdown) -> None:
        super().__init__()
        self._step = step

    def predict(
        self, states: Sequence[Any], *, context: Sequence[Sequence[Passage]] = ()
    ) -> list[Prediction]:
        self._step()
        return super().predict(states, context=context)


def decide(folder: Path, expert: Expert, durability: Durability, step: Countdown) -> Decision:
    serving = desk_serving(MortalExpert(step))
    assert isinstance(serving.agents[0], KeywordAgent)
    with (
        MortalLedger(folder / "ledger.sqlite") as ledger,
        closing(connect(folder / "threads.sqlite")) as connection,
    ):
        ledger.step = step
        plain = saver(connection)
        mortal = MortalSaver(connection, serde=plain.serde)
        mortal.setup()
        mortal.step = step
        settings = load_settings({"TRIMTAB_HOME": str(folder)})
        client = Trimtab(servings={"desk": serving}, ledger=ledger, settings=settings)
        threads = Threads(client, mortal)
        context = DecideContext(domain="desk", expert=expert, decision_id="one")
        outcome = threads.decide(TEXT, context, durability=durability)
        if isinstance(outcome, Question):
            outcome = threads.reply("one", "technical")
        ledger.flush()
        return outcome


def in_child(folder: Path, expert: Expert, durability: Durability, steps: int) -> bool:
    """Decide in a child that dies after some steps; return whether it died."""
    child = os.fork()
    if child == 0:
        # a child must end here, whatever happens: what follows is its parent's to do
        code = 1
        try:
            decision = decide(folder, expert, durability, Countdown(steps))
            (folder / "answer.json").write_text(json.dumps(decision_to_json(decision)))
            code = 0
        finally:
            os._exit(code)
    _, status = os.waitpid(child, 0)
    died = os.WIFSIGNALED(status)
    if not died and os.WEXITSTATUS(status) != 0:
        raise SystemExit(f"{expert}/{durability} failed after {steps} steps")
    return died


def rows(folder: Path) -> list[dict[str, Any]]:
    with SqliteLedger(folder / "ledger.sqlite", create=False) as ledger:
        ledger.verify()
        return [decision_to_json(decision) for decision, _ in ledger.scan()]


def main(root: Path) -> None:
    for expert, durability in SCENARIOS:
        steps, died = -1, True
        while died:
            steps += STRIDE
            folder = root / f"{expert}-{durability}-{steps}"
            folder.mkdir()
            died = in_child(folder, expert, durability, steps)
            in_child(folder, expert, durability, NEVER)
            answer = json.loads((folder / "answer.json").read_text())
            line = {
                "scenario": f"{expert}-{durability}",
                "steps": steps,
                "died": died,
                "answer": answer,
                "rows": in_child_rows(folder),
            }
            sys.stdout.write(json.dumps(line) + "\n")


def in_child_rows(folder: Path) -> list[dict[str, Any]]:
    """Return the ledger's rows, read in a child: this process must stay without threads."""
    child = os.fork()
    if child == 0:
        code = 1
        try:
            (folder / "rows.json").write_text(json.dumps(rows(folder)))
            code = 0
        finally:
            os._exit(code)
    os.waitpid(child, 0)
    found: list[dict[str, Any]] = json.loads((folder / "rows.json").read_text())
    return found


if __name__ == "__main__":
    main(Path(sys.argv[1]))
