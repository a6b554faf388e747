"""What a decision costs in processor time: bare net, SDK, compiled graph, and with SQLite threads.

Every way decides the same texts of the shipped domain, which the static tier answers with enough
confidence to be shown; the ledger is on, and its writer's time counts. Ways take turns in rounds,
so that what else the machine does falls on all of them; a figure is the median over the rounds.

Each graph stands beside an empty one that walks through as many nodes and edges. Two are measured:
the *empty* graph has one channel, and its steps write nothing but the next node's name; the
*carrying* graph has the channels of ``decide`` and writes to them what a real run wrote. The bars
are on the empty one.
"""

from __future__ import annotations

import http.client
import json
import socket
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import uvicorn

from trimtab.app.api import create_app
from trimtab.app.client import Trimtab
from trimtab.bench.graph_ways import DOMAIN, TIER, Way, open_desk, open_ways
from trimtab.bench.result import Bar, Measure, bench_result
from trimtab.stats import quantile

BARS = (
    Bar(key="sdk_decisions_per_cpu_s", at_least=3000),
    Bar(key="graph_vs_empty", at_least=0.8),
    Bar(key="graph_sqlite_vs_empty", at_least=0.8),
)
START_S = 10.0


def run(
    *, seed: int = 0, rounds: int = 15, texts: int = 200, requests: int = 200
) -> dict[str, Any]:
    """Return the rates of every way to a decision, and the graphs beside the empty ones.

    Args:
        seed: of the texts' draw.
        rounds: turns of each way.
        texts: decisions in a turn.
        requests: calls of the mounted route.
    """
    rng = np.random.default_rng(seed)
    with (
        tempfile.TemporaryDirectory(prefix="trimtab-bench-") as name,
        open_desk(Path(name)) as desk,
    ):
        drawn: list[str] = rng.permutation(desk.static)[:texts].tolist()
        cached: list[str] = rng.permutation(desk.cached)[:texts].tolist()
        with open_ways(desk, Path(name)) as ways:
            turns: dict[str, tuple[Way, list[str]]] = {
                **{key: (way, drawn) for key, way in ways.items()},
                "sdk_cached": (ways["sdk"], cached),
            }
            seconds = take_turns(turns, rounds=rounds, settle=desk.client.ledger.flush)
        route_s = route_seconds(desk.client, drawn, requests=requests)
    return bench_result(
        "graph",
        data=f"{DOMAIN}, texts shown from the {TIER} tier",
        n=len(drawn) * rounds,
        seed=seed,
        measures=measures_of(seconds, route_s),
        bars=BARS,
        packages=("langgraph", "langgraph-checkpoint-sqlite", "numpy", "fastapi", "uvicorn"),
    )


def take_turns(
    turns: Mapping[str, tuple[Way, Sequence[str]]], *, rounds: int, settle: Callable[[], None]
) -> dict[str, list[float]]:
    """Return processor seconds per decision of all threads, one for each round, by way."""
    for way, texts in turns.values():
        way(texts[0])
    seconds: dict[str, list[float]] = {key: [] for key in turns}
    for _ in range(rounds):
        for key, (way, texts) in turns.items():
            settle()
            started = time.process_time()
            for text in texts:
                way(text)
            settle()
            seconds[key].append((time.process_time() - started) / len(texts))
    return seconds


def measures_of(
    seconds: Mapping[str, Sequence[float]], route_s: Sequence[float]
) -> dict[str, Measure]:
    """Return the figures: rates, ratios of rates within a round, and times."""
    rates = {key: 1.0 / np.array(values) for key, values in seconds.items()}
    names = {
        "sdk_decisions_per_cpu_s": "sdk",
        "sdk_cached_decisions_per_cpu_s": "sdk_cached",
        "net_decisions_per_cpu_s": "net",
        "graph_decisions_per_cpu_s": "graph",
        "graph_sqlite_decisions_per_cpu_s": "graph_sqlite",
    }
    ratios = {
        "sdk_vs_net": ("sdk", "net"),
        "graph_vs_empty": ("graph", "empty"),
        "graph_vs_carrying": ("graph", "carrying"),
        "graph_sqlite_vs_empty": ("graph_sqlite", "empty_sqlite"),
        "graph_sqlite_vs_carrying": ("graph_sqlite", "carrying_sqlite"),
    }
    return {
        **{key: _median(rates[way], "1/CPU-s") for key, way in names.items()},
        **{key: _median(rates[own] / rates[other], "") for key, (own, other) in ratios.items()},
        **{
            f"{way}_cpu_us": _median(1e6 * np.array(values), "µs")
            for way, values in seconds.items()
        },
        "route_p50_ms": _median(1e3 * np.array(route_s), "ms"),
    }


def route_seconds(client: Trimtab, texts: Sequence[str], *, requests: int) -> list[float]:
    """Return how long each call of the mounted ``/v1/decide`` took, over one kept connection.

    Server and caller share this process, and each answer waits until its row is durable.
    """
    taken = []
    with _served(client) as port:
        connection = http.client.HTTPConnection("127.0.0.1", port)
        for number in range(requests):
            body = json.dumps({"domain": DOMAIN, "text": texts[number % len(texts)]})
            started = time.perf_counter()
            connection.request(
                "POST", "/v1/decide", body, headers={"content-type": "application/json"}
            )
            answer = connection.getresponse()
            answer.read()
            taken.append(time.perf_counter() - started)
            if answer.status != 200:
                raise RuntimeError(f"the route answered with HTTP {answer.status}")
        connection.close()
    return taken


@contextmanager
def _served(client: Trimtab) -> Iterator[int]:
    app = create_app(lambda: client, key=lambda: None)
    server = uvicorn.Server(uvicorn.Config(app, log_level="error"))
    with socket.create_server(("127.0.0.1", 0)) as listening:
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
        thread.start()
        try:
            deadline = time.monotonic() + START_S
            while not server.started:
                if time.monotonic() > deadline:
                    raise RuntimeError(f"the service did not start within {START_S:g} s")
                time.sleep(0.01)
            yield int(listening.getsockname()[1])
        finally:
            server.should_exit = True
            thread.join()


def _median(values: Any, unit: str) -> Measure:  # noqa: ANN401 - an array of floats
    middle = quantile(values, 0.5)
    return Measure(value=middle.value, low=middle.low, high=middle.high, unit=unit)
