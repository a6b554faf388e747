"""The metrics of one client, in the form that Prometheus reads.

A decision costs microseconds, so it only adds to plain numbers; the samples are made when they are
asked for. Nothing else in trimtab counts what happens.
"""

from __future__ import annotations

import threading
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import get_args

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)
from prometheus_client.registry import Collector

from trimtab.agents.issued import TAKERS, Taker
from trimtab.agents.llm import LLMAgent
from trimtab.agents.promise_windows import Phase
from trimtab.agents.resilience import BreakerState
from trimtab.app.experts import OncePerDomain
from trimtab.errors import LLMError
from trimtab.graphs.serving import Serving
from trimtab.ledger import SqliteLedger
from trimtab.protocols import Ledger
from trimtab.records import Decision

BUCKETS_S = (1e-4, 3e-4, 1e-3, 3e-3, 1e-2, 3e-2, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0, 100.0)
LLM = "llm"
LLM_COUNTS = {
    "calls": "Requests sent to the LLM, repetitions included.",
    "retries": "Requests that repeat one that failed.",
    "parse_errors": "LLM replies that named no legal action.",
    "unavailable": "Predictions given up: retries used up, or breaker open.",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class PromiseState:
    """How the promise of a domain stands.

    Attributes:
        domain: its name.
        phase: of its life; outside ``certified`` the LLM is always asked.
        window: number of the window that is open, or that ended last.
        rows: requests that the open window holds; 0 where none is open.
        audit_rate: share of requests audited now; 0 where none is.
        alarms: how often each alarm, or a person, took a certificate back.
        certified: windows that ended with a certificate.
        given_up: windows that ended without one.
    """

    domain: str
    phase: Phase
    window: int
    rows: int
    audit_rate: float
    alarms: Mapping[Taker, int]
    certified: int
    given_up: int


class Metrics(Collector):
    """Counts what a client decides; an ``Observer`` of its nodes. Thread-safe.

    Args:
        servings: what is served, by domain; its LLM is looked at only if it is open already.
        ledger: where decisions go.
    """

    def __init__(self, servings: Mapping[str, Serving], ledger: Ledger) -> None:
        self._servings = servings
        self._ledger = ledger
        self._lock = threading.Lock()
        self._decisions: dict[tuple[str, str, str], int] = defaultdict(int)
        self._durations: dict[tuple[str, str], list[int]] = {}
        self._seconds: dict[tuple[str, str], float] = defaultdict(float)
        self._llm_usd: dict[str, float] = defaultdict(float)
        self._failures: dict[tuple[str, str], int] = defaultdict(int)
        self.promises: Callable[[], Sequence[PromiseState]] = tuple
        self.registry = CollectorRegistry(auto_describe=False)
        self.registry.register(self)

    def text(self) -> str:
        """Return all samples in the text format of Prometheus."""
        return generate_latest(self.registry).decode()

    def decided(self, decision: Decision) -> None:
        """Count a decision."""
        domain, route, usage = decision.domain, decision.route, decision.usage
        key = (domain, route.agent)
        place = bisect_left(BUCKETS_S, usage.latency_s)
        usd = _llm_usd(decision)
        with self._lock:
            self._decisions[domain, route.agent, route.reason] += 1
            buckets = self._durations.get(key)
            if buckets is None:
                buckets = self._durations[key] = [0] * (len(BUCKETS_S) + 1)
            buckets[place] += 1
            self._seconds[key] += usage.latency_s
            if usd:
                self._llm_usd[domain] += usd

    def failed(self, domain: str, error: LLMError) -> None:
        """Count that the LLM gave no usable answer."""
        with self._lock:
            self._failures[domain, type(error).__name__] += 1

    def describe(self) -> Iterable[Metric]:
        """Return nothing: the samples' names are known only once something was counted."""
        return []

    def collect(self) -> Iterable[Metric]:
        """Yield the samples as they are now."""
        with self._lock:
            decisions, usd = dict(self._decisions), dict(self._llm_usd)
            failures, seconds = dict(self._failures), dict(self._seconds)
            durations = {key: list(counts) for key, counts in self._durations.items()}
        yield from _decision_samples(decisions)
        yield _duration_samples(durations, seconds)
        cost = CounterMetricFamily(
            "trimtab_llm_cost_usd", "US dollars spent on the LLM.", labels=["domain"]
        )
        for domain in self._servings:
            cost.add_metric([domain], usd.get(domain, 0.0))
        yield cost
        failed = CounterMetricFamily(
            "trimtab_llm_failures",
            "Decisions on which the LLM gave no usable answer.",
            labels=["domain", "error"],
        )
        for key, count in sorted(failures.items()):
            failed.add_metric(key, count)
        yield failed
        yield from self._llm_samples()
        yield from _promise_samples(self.promises())
        if isinstance(self._ledger, SqliteLedger):
            yield GaugeMetricFamily(
                "trimtab_ledger_queue", "Ledger rows not written yet.", self._ledger.queued
            )

    def _llm_samples(self) -> Iterable[Metric]:
        agents = {
            domain: expert.opened
            for domain, served in self._servings.items()
            if isinstance(expert := served.expert, OncePerDomain)
        }
        llms = {domain: agent for domain, agent in agents.items() if isinstance(agent, LLMAgent)}
        for name, meaning in LLM_COUNTS.items():
            family = CounterMetricFamily(f"trimtab_llm_{name}", meaning, labels=["domain"])
            for domain, agent in llms.items():
                family.add_metric([domain], agent.counts[name])
            yield family
        breaker = GaugeMetricFamily(
            "trimtab_llm_breaker",
            "1 for the state that the LLM's circuit breaker is in.",
            labels=["domain", "state"],
        )
        opened = CounterMetricFamily(
            "trimtab_llm_breaker_opened", "Times the breaker opened.", labels=["domain"]
        )
        for domain, agent in llms.items():
            now = agent.breaker.state
            for state in get_args(BreakerState):
                breaker.add_metric([domain, state], float(state == now))
            opened.add_metric([domain], agent.breaker.opened_total)
        yield from (breaker, opened)


def _decision_samples(decisions: Mapping[tuple[str, str, str], int]) -> Iterable[Metric]:
    counted = CounterMetricFamily(
        "trimtab_decisions",
        "Decisions, by whose answer was shown and why.",
        labels=["domain", "route", "reason"],
    )
    degraded: dict[str, int] = {}
    for (domain, route, reason), count in sorted(decisions.items()):
        counted.add_metric([domain, route, reason], count)
        degraded[domain] = degraded.get(domain, 0) + count * (reason == "degraded")
    yield counted
    marked = CounterMetricFamily(
        "trimtab_degraded",
        "Decisions that show a small model's answer because the LLM was gone.",
        labels=["domain"],
    )
    for domain, count in degraded.items():
        marked.add_metric([domain], count)
    yield marked


def _promise_samples(promises: Sequence[PromiseState]) -> Iterable[Metric]:
    sounded = CounterMetricFamily(
        "trimtab_drift_alarms",
        "Alarms that took a certificate back, or people who did.",
        labels=["domain", "alarm"],
    )
    ended = CounterMetricFamily(
        "trimtab_promise_windows",
        "Windows of the promise that ended, by whether they certified anything.",
        labels=["domain", "result"],
    )
    in_force, window, rows, rate = (
        GaugeMetricFamily(name, meaning, labels=["domain"])
        for name, meaning in (
            ("trimtab_promise_in_force", "1 under a certificate, 0 where the LLM is always asked."),
            ("trimtab_promise_window", "Number of the promise's window."),
            ("trimtab_promise_rows", "Requests that the open window holds."),
            ("trimtab_audit_rate", "Share of requests that is audited now."),
        )
    )
    phases = GaugeMetricFamily(
        "trimtab_promise_phase",
        "1 for the phase that the promise is in.",
        labels=["domain", "phase"],
    )
    for state in promises:
        for alarm in TAKERS:
            sounded.add_metric([state.domain, alarm], state.alarms.get(alarm, 0))
        for phase in get_args(Phase):
            phases.add_metric([state.domain, phase], float(state.phase == phase))
        ended.add_metric([state.domain, "certified"], state.certified)
        ended.add_metric([state.domain, "nothing"], state.given_up)
        in_force.add_metric([state.domain], float(state.phase == "certified"))
        window.add_metric([state.domain], state.window)
        rows.add_metric([state.domain], state.rows)
        rate.add_metric([state.domain], state.audit_rate)
    yield from (sounded, ended, phases, in_force, window, rows, rate)


def _duration_samples(
    durations: Mapping[tuple[str, str], list[int]], seconds: Mapping[tuple[str, str], float]
) -> Metric:
    family = HistogramMetricFamily(
        "trimtab_decision_duration_seconds",
        "Seconds that the agents of a decision took.",
        labels=["domain", "route"],
    )
    for key, counts in sorted(durations.items()):
        edges = [*(repr(edge) for edge in BUCKETS_S), "+Inf"]
        cumulative = [float(sum(counts[: place + 1])) for place in range(len(counts))]
        family.add_metric(key, list(zip(edges, cumulative, strict=True)), seconds[key])
    return family


def _llm_usd(decision: Decision) -> float:
    """Return what the LLM cost, unreadable replies included: all that no other agent cost."""
    if decision.route.reason != "degraded" and all(p.agent != LLM for p in decision.predictions):
        return 0.0
    others = sum(p.usage.cost_usd for p in decision.predictions if p.agent != LLM)
    return max(0.0, decision.usage.cost_usd - others)
