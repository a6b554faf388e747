"""The ways to a decision that ``trimtab bench graph`` compares, over one client and one ledger."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from langgraph.checkpoint.sqlite import SqliteSaver

from trimtab.agents.promise import Candidate, certify_candidates
from trimtab.agents.routing import PromiseRule
from trimtab.app.client import Trimtab
from trimtab.app.fast_path import FastPath
from trimtab.app.serving import LLM, bundle_servings, shipped_bundle
from trimtab.app.threads import connect, saver
from trimtab.datasets.tables import shipped
from trimtab.graphs.decide import OUTPUT, build
from trimtab.graphs.hollow import build_hollow, record_walk
from trimtab.graphs.nodes import DecideNodes
from trimtab.graphs.serving import Serving
from trimtab.graphs.state import DecideContext
from trimtab.ledger import SqliteLedger
from trimtab.records import Decision
from trimtab.release.bundle import load
from trimtab.settings import Settings, load_settings

DOMAIN = "assistant"
TIER = "static"
WINDOW = 600
LOSS = 0.02

Way = Callable[[str], object]


@dataclass(frozen=True, slots=True, kw_only=True)
class Desk:
    """A client whose rule shows answers from the bundle's threshold on, and texts it shows.

    Attributes:
        client: with a ledger of its own; audits are drawn but not run.
        static: texts that the static tier answers, surely enough to be shown.
        cached: texts that the exact cache answers.
    """

    client: Trimtab
    static: list[str]
    cached: list[str]

    @property
    def nodes(self) -> DecideNodes:
        """Return the nodes that every way runs."""
        return self.client.nodes


@contextmanager
def open_desk(folder: Path) -> Iterator[Desk]:
    """Open the shipped domain over a new ledger in a folder."""
    settings = replace(load_settings(), certificates=folder / "certificates")
    with SqliteLedger(folder / "ledger.sqlite") as ledger:
        serving = certified(settings)
        client = Trimtab(servings={DOMAIN: serving}, ledger=ledger, settings=settings)
        client.fast_path = FastPath(replace(client.nodes, auditor=_drop), None)
        table = shipped(DOMAIN)
        by_tier: dict[str, list[str]] = {}
        for text in [row.text for row in (*table.test, *table.train)]:
            [prediction] = serving.agents[0].predict([serving.domain.from_text(text)])
            if serving.rule.route([prediction]).reason == "confident":
                by_tier.setdefault(prediction.tier, []).append(text)
        yield Desk(client=client, static=by_tier[TIER], cached=by_tier["cache"])


def certified(settings: Settings) -> Serving:
    """Return the shipped domain under a rule certified on a window without any loss.

    The window is made up: what a certificate costs per decision does not depend on it.
    """
    bundle = shipped_bundle(DOMAIN)
    served = bundle_servings({DOMAIN: bundle}, settings=settings, expert=LLM(settings).agent)
    threshold = load(bundle, domain=DOMAIN).bundle.thresholds["accept"]
    rule = Candidate(
        name="threshold of the bundle",
        shown=np.ones(WINDOW, dtype=np.bool_),
        losses=np.zeros(WINDOW),
        differs=np.zeros(WINDOW, dtype=np.bool_),
        threshold=threshold,
    )
    certificate = certify_candidates([rule], loss=LOSS, confidence=0.95)
    promise = PromiseRule(certificate=certificate, audit_rate=settings.audit_rate)
    return replace(served[DOMAIN], rule=promise)


@contextmanager
def open_ways(desk: Desk, folder: Path) -> Iterator[dict[str, Way]]:
    """Open every way to a decision; the empty graphs walk as the first static text does."""
    serving = desk.nodes.serving(DOMAIN)
    policy, from_text = serving.agents[0], serving.domain.from_text
    context = DecideContext(domain=DOMAIN)
    graph = build(desk.nodes)
    walk = record_walk(graph, desk.static[0], context)
    empty = build_hollow(walk, carrying=False)
    carrying = build_hollow(walk, carrying=True)
    numbers = itertools.count()

    def durable(runs: Any, text: str) -> object:  # noqa: ANN401 - any of the compiled graphs
        # a thread has its decision's id, as in trimtab.app.threads
        name = f"decision-{next(numbers)}"
        config = {"configurable": {"thread_id": name}}
        of_run = DecideContext(domain=DOMAIN, decision_id=name)
        return _run(runs, text, of_run, config=config, durability="exit")

    with _savers(folder, 3) as (own, of_empty, of_carrying):
        kept = build(desk.nodes, checkpointer=own)
        kept_empty = build_hollow(walk, carrying=False, checkpointer=of_empty)
        kept_carrying = build_hollow(walk, carrying=True, checkpointer=of_carrying)
        yield {
            "net": lambda text: policy.predict([from_text(text)]),
            "sdk": lambda text: desk.client.decide(DOMAIN, text),
            "graph": lambda text: _run(graph, text, context),
            "empty": lambda text: _run(empty, text, context),
            "carrying": lambda text: _run(carrying, text, context),
            "graph_sqlite": lambda text: durable(kept, text),
            "empty_sqlite": lambda text: durable(kept_empty, text),
            "carrying_sqlite": lambda text: durable(kept_carrying, text),
        }


def _run(graph: Any, text: str, context: DecideContext, **how: object) -> object:  # noqa: ANN401
    """Run any of the compiled graphs as the SDK does, for what it says at the end alone."""
    entering, leaving = ("text", OUTPUT) if "text" in graph.channels else ("next", ["next"])
    return graph.invoke({entering: text}, context=context, output_keys=leaving, **how)


@contextmanager
def _savers(folder: Path, count: int) -> Iterator[list[SqliteSaver]]:
    connections = [connect(folder / f"threads-{number}.sqlite") for number in range(count)]
    try:
        yield [saver(connection) for connection in connections]
    finally:
        for connection in connections:
            connection.close()


def _drop(decision: Decision, serving: Serving) -> None:
    """Leave an audit out: the LLM's time is none of the SDK's."""
