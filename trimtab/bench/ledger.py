"""How fast the ledger makes rows durable, and what rounds of kill -9 cost it.

SIGKILL proves that a crash of the process loses no acknowledged row: what was written lies in the
operating system. That a power cut loses none either rests on ``synchronous=FULL``, which syncs the
log at every commit, and on a disk that keeps its word; no kill can show it.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import threading
import time
from collections import deque
from concurrent.futures import Future
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

import trimtab
from trimtab.bench.result import Bar, Measure, bench_result
from trimtab.ledger import SqliteLedger
from trimtab.records import Decision, Prediction, Route, Usage
from trimtab.stats import bootstrap

ROWS_PER_GROUP = 3_000
PRODUCERS = 4
IN_FLIGHT = 16  # rows that one producer queues before it waits for the oldest
ACKNOWLEDGED_PER_ROUND = (700, 1_400)

BARS = (
    Bar(key="appends_per_s", at_least=300),
    Bar(key="grouped_rows_per_s", at_least=10_000),
    Bar(key="acknowledged", at_least=20_000),
    Bar(key="lost", at_most=0),
)

_CHILD = """
import sys
sys.path.insert(0, sys.argv[1])
from pathlib import Path
from trimtab.bench.ledger import produce
produce(Path(sys.argv[2]), prefix=sys.argv[3])
"""


def run(
    *,
    seed: int = 0,
    rounds: int = 30,
    path: Path | None = None,
    appends: int = 1_000,
    groups: int = 10,
) -> dict[str, Any]:
    """Return the rates of durable appends, and acknowledged and lost rows of rounds of kill -9.

    Args:
        seed: of the moments at which a round is killed, and of the intervals.
        rounds: how often a child that writes is killed; all write one file.
        path: a ledger that does not exist yet, to be kept; a temporary file if None.
        appends: rows appended one at a time, each awaited.
        groups: groups of ``ROWS_PER_GROUP`` rows that are awaited together.
    """
    rng = np.random.default_rng(seed)
    with tempfile.TemporaryDirectory(prefix="trimtab-bench-") as folder:
        file = Path(folder) / "ledger.sqlite" if path is None else path
        with SqliteLedger(file) as ledger:
            measures = {
                "appends_per_s": _single_rate(ledger, appends, rng),
                **_group_rates(ledger, groups, rng),
            }
        acknowledged = [name for number in range(rounds) for name in _kill_round(file, number, rng)]
        with SqliteLedger(file, create=False) as ledger:
            verified = ledger.verify()
            stored = {decision.decision_id: decision for decision, _ in ledger.scan()}
    lost = sum(stored.get(name) != bench_decision(name) for name in acknowledged)
    measures |= {
        "acknowledged": Measure(value=float(len(acknowledged)), unit="rows"),
        "lost": Measure(value=float(lost), unit="rows"),
        "verified": Measure(value=float(verified), unit="rows"),
        "rounds": Measure(value=float(rounds), unit="kill -9"),
    }
    return bench_result(
        "ledger",
        data="generated decisions",
        n=verified,
        seed=seed,
        measures=measures,
        bars=BARS,
        packages=("numpy",),
    )


def bench_decision(name: str) -> Decision:
    """Return the decision of an id: two predictions over 14 labels, as the shipped ladder makes."""
    usage = Usage(cpu_s=1.7e-4, latency_s=2.1e-4, cost_usd=2.4e-9)
    predictions = tuple(
        Prediction(
            agent="policy",
            action=3,
            confidence=0.9375,
            probs=tuple((k + 1) / 105 for k in range(14)),
            usage=usage,
            tier=tier,
            signals={"margin": 0.8125, "agreement": 1.0, "known_cosine": 0.71875},
        )
        for tier in ("static", "minilm")
    )
    return Decision(
        decision_id=name,
        domain="assistant",
        state=f"find papers that cite number {name}",
        action=3,
        answer="find_citations",
        route=Route(agent="policy", reason="confident", confidence=0.9375, threshold=0.9),
        predictions=predictions,
        usage=usage + usage,
        bundle_id="0" * 64,
        propensity=0.95,
        created_at=datetime(2026, 1, 1, tzinfo=UTC),
    )


def produce(path: Path, *, prefix: str) -> None:
    """Append without end from several threads, and print each id once its row is durable."""
    ledger = SqliteLedger(path, create=False)

    def append(thread: int) -> None:
        waiting: deque[tuple[str, Future[int]]] = deque()
        number = 0
        while True:
            name = f"{prefix}-{thread}-{number}"
            waiting.append((name, ledger.append(bench_decision(name))))
            number += 1
            if len(waiting) == IN_FLIGHT:
                oldest, future = waiting.popleft()
                future.result()
                os.write(1, f"{oldest}\n".encode())  # one write: lines of threads do not mix

    threads = [threading.Thread(target=append, args=(k,)) for k in range(PRODUCERS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def _single_rate(ledger: SqliteLedger, appends: int, rng: np.random.Generator) -> Measure:
    decisions = [bench_decision(f"single-{k}") for k in range(appends)]
    seconds = []
    for decision in decisions:
        start = time.perf_counter()
        ledger.append(decision).result()
        seconds.append(time.perf_counter() - start)
    return _rate(seconds, rows=1, rng=rng)


def _group_rates(ledger: SqliteLedger, groups: int, rng: np.random.Generator) -> dict[str, Measure]:
    """Return the rate of rows appended before anybody waits, and the CPU that each takes."""
    seconds, queueing, cpu = [], [], []
    for group in range(groups):
        decisions = [bench_decision(f"group-{group}-{k}") for k in range(ROWS_PER_GROUP)]
        start, cpu_start = time.perf_counter(), time.process_time()
        own_start = time.thread_time()
        for decision in decisions:
            ledger.append(decision)
        queueing.append((time.thread_time() - own_start) / ROWS_PER_GROUP * 1e6)
        ledger.flush()
        cpu.append((time.process_time() - cpu_start) / ROWS_PER_GROUP * 1e6)
        seconds.append(time.perf_counter() - start)
    return {
        "grouped_rows_per_s": _rate(seconds, rows=ROWS_PER_GROUP, rng=rng),
        "append_cpu_us": _mean(queueing, unit="CPU-µs of the caller", rng=rng),
        "row_cpu_us": _mean(cpu, unit="CPU-µs of all threads", rng=rng),
    }


def _rate(seconds: list[float], *, rows: int, rng: np.random.Generator) -> Measure:
    found = bootstrap(seconds, lambda s: float(rows * s.size / s.sum()), rng=rng)
    return Measure(value=found.value, low=found.low, high=found.high, unit="rows/s")


def _mean(values: list[float], *, unit: str, rng: np.random.Generator) -> Measure:
    found = bootstrap(values, lambda v: float(v.mean()), rng=rng)
    return Measure(value=found.value, low=found.low, high=found.high, unit=unit)


def _kill_round(path: Path, number: int, rng: np.random.Generator) -> list[str]:
    """Return the ids that a child acknowledged until it was killed."""
    target = int(rng.integers(*ACKNOWLEDGED_PER_ROUND))
    package_root = str(Path(trimtab.__file__).parents[1])
    names: list[str] = []
    with subprocess.Popen(  # noqa: S603 - this interpreter, our own code
        [sys.executable, "-c", _CHILD, package_root, str(path), f"round-{number}"],
        stdout=subprocess.PIPE,
    ) as child:
        assert child.stdout is not None  # noqa: S101 - for the type checker: a pipe was asked for
        try:
            for line in child.stdout:
                names.append(line.decode().rstrip("\n"))
                if len(names) == target:
                    child.kill()  # what the pipe still holds was acknowledged and is read too
        finally:
            child.kill()
    if len(names) < target:
        raise RuntimeError(f"round {number}: the child ended early; its error stands above")
    return names
