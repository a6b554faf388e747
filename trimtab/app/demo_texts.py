"""The demo's rows on the shipped texts: train, stream, ask the LLM, show what earning looks like.

Each row returns plain JSON. All decisions of a run go to one ledger, under several domains, so
that the report never mixes what was simulated with what was not.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np

from trimtab.agents.promise import Promise
from trimtab.agents.simulated import SimulatedExpert
from trimtab.app.certify import MIN_PAIRS
from trimtab.app.client import Trimtab
from trimtab.app.demo_figures import by_tier, graph_path, is_right, llm_figures, rate, verbatim
from trimtab.app.demo_folder import Progress, Track, plain_track
from trimtab.app.serving import LLM, bundle_servings, shipped_recording
from trimtab.app.training import train_rows
from trimtab.datasets.tables import LabelledText, ShippedTable, shipped
from trimtab.ledger import SqliteLedger
from trimtab.pricing import load_prices
from trimtab.records import Decision, Outcome, Prediction
from trimtab.release.bundle import load
from trimtab.settings import Settings

SEED = 0
LLM_REQUESTS = 40
COLD_START = 400
"""Requests on which the simulated expert is always asked, before a promise is certified."""
PROMISE = Promise(loss=0.03, confidence=0.95, window=300)
SIMULATED_ACCURACY = 0.95
PRICED_AS = "gpt-4o-2024-08-06"
"""The simulated expert costs what this model's list price says for a prompt of that length."""

STREAM = "assistant"
LIVE = "assistant (live LLM)"
RECORDED = "assistant (recorded LLM)"
EARN = "assistant (simulated expert)"


@dataclass(kw_only=True)
class TextRows:
    """The rows of one run that are about texts.

    Attributes:
        folder: where the bundle, the ledger and the report go.
        settings: models, prices and the LLM.
        recorded: play the shipped answers of the embedded LLM instead of asking one.
        progress: told what is being done.
        track: wraps a loop in a progress bar.
    """

    folder: Path
    settings: Settings
    progress: Progress
    recorded: bool = False
    track: Track = plain_track

    def __post_init__(self) -> None:
        self.table: ShippedTable = shipped("assistant")
        self.settings = replace(self.settings, certificates=self.folder / "certificates")
        self.llm_domain = RECORDED if self.recorded else LIVE
        self.always: dict[str, Prediction] = {}
        self.bundle = self.folder / "bundle"
        self.ledger_file = self.folder / "ledger.sqlite"

    def close(self) -> None:
        """Stop the LLM and close the ledger, where they were opened."""
        opened = vars(self)
        if "llm" in opened:
            self.llm.close()
        if "client" in opened:
            self.client.close()
        if "ledger" in opened:
            self.ledger.close()

    @cached_property
    def ledger(self) -> SqliteLedger:
        """Return the ledger of all rows."""
        return SqliteLedger(self.ledger_file)

    @cached_property
    def llm(self) -> LLM:
        """Return the LLM of the settings, or its recording."""
        return LLM(
            self.settings, recording=shipped_recording("assistant") if self.recorded else None
        )

    def ladder(self) -> dict[str, Any]:
        """Train the text tiers on the shipped set."""
        packed = train_rows(
            list(self.table.train),
            self.table.domain,
            out=self.bundle,
            seed=SEED,
            settings=self.settings,
            progress=self.progress,
        )
        return {
            "texts": len(self.table.train),
            "labels": self.table.domain.num_actions,
            "bundle_id": packed.bundle_id,
            "metrics": dict(packed.metrics),
            "thresholds": dict(packed.thresholds),
        }

    @cached_property
    def client(self) -> Trimtab:
        """Return the SDK over the trained bundle, under the demo's three domains."""
        if not self.bundle.exists():
            self.ladder()
        [live] = bundle_servings(
            {STREAM: self.bundle}, settings=self.settings, expert=self.llm.agent
        ).values()
        # the bundle's domain holds no truth; the shipped table's does
        expert = SimulatedExpert(
            self.table.domain,
            accuracy=SIMULATED_ACCURACY,
            priced_as=PRICED_AS,
            prices=load_prices(self.settings),
            seed=SEED,
        )
        earning = replace(live, expert=lambda: expert, expert_id=expert.tier, retriever=None)
        return Trimtab(
            servings={STREAM: live, self.llm_domain: live, EARN: earning},
            ledger=self.ledger,
            settings=self.settings,
            # audits are drawn by id: numbered ids make every run draw the same
            new_id=map("demo-{:05d}".format, count()).__next__,
        )

    def stream(self) -> dict[str, Any]:
        """Stream the test requests through the SDK; the LLM is not asked."""
        rows = self.table.test
        decisions = [
            self.client.decide(STREAM, row.text, mode="neural_only")
            for row in self.track(rows, "requests", len(rows))
        ]
        self._tell_truth(decisions, rows)
        threshold = load(self.bundle).bundle.thresholds["accept"]
        answers = [decision.predictions[0] for decision in decisions]
        right = [is_right(d, row) for d, row in zip(decisions, rows, strict=True)]
        sure = [i for i, a in enumerate(answers) if (a.confidence or 0.0) >= threshold]
        return {
            "n": len(right),
            "tiers": by_tier(answers, right),
            "all": rate(right),
            "accepted": {"share": len(sure) / len(right), **rate(right[i] for i in sure)},
            "threshold": threshold,
        }

    def ask_llm(self) -> dict[str, Any]:
        """Ask the live LLM on requests drawn uniformly, and let the router judge it."""
        rows = self.table.test
        drawn = np.random.default_rng(SEED).choice(len(rows), size=LLM_REQUESTS, replace=False)
        asked = [rows[place] for place in drawn.tolist()]
        decisions = [
            self.client.decide(self.llm_domain, row.text)
            for row in self.track(asked, "live LLM", LLM_REQUESTS)
        ]
        self._tell_truth(decisions, asked)
        answered = [
            (row, d) for row, d in zip(asked, decisions, strict=True) if d.route.agent == "llm"
        ]
        verdict = None
        if len(answered) >= MIN_PAIRS:
            verdict = self._certify(self.llm_domain, replace(PROMISE, window=LLM_REQUESTS))
        return {
            **llm_figures(asked, decisions, self._says),
            "recorded": self.recorded,
            "verbatim": verbatim(answered),
            "verdict": verdict,
            "calls_avoided": len(rows) if verdict and verdict["refused"] else 0,
        }

    def earn(self) -> dict[str, Any]:
        """Stream the requests with a simulated expert: cold start, certificate, routing."""
        rows = np.random.default_rng(SEED).permutation(np.array(self.table.test, dtype=object))
        cold, routed = list(rows[:COLD_START]), list(rows[COLD_START:])
        first = self._decide_all(EARN, cold, "cold start")
        verdict = self._certify(EARN, PROMISE)
        second = self._decide_all(EARN, routed, "under the promise")
        domain = self.table.domain
        expert = self.client.nodes.serving(EARN).expert()
        always = expert.predict([domain.from_text(row.text) for row in routed])
        self.always |= dict(zip((d.decision_id for d in second), always, strict=True))
        asked = [d for d in second if d.route.agent == "llm"]
        self.client.flush()
        usd = sum(self.client.ledger.get(d.decision_id).usage.cost_usd for d in second)
        usd_always = sum(prediction.usage.cost_usd for prediction in always)
        return {
            "expert": always[0].tier,
            "priced_as": PRICED_AS,
            "cold_start": len(first),
            "verdict": verdict,
            "n": len(second),
            "audited": sum(d.audit for d in second),
            "llm_share": len(asked) / len(second),
            "routed": rate(is_right(d, row) for d, row in zip(second, routed, strict=True)),
            "always": rate(self._says(p, row) for p, row in zip(always, routed, strict=True)),
            "never": rate(
                self._says(d.predictions[0], row) for d, row in zip(second, routed, strict=True)
            ),
            "usd_per_1000": 1000 * usd / len(second),
            "usd_per_1000_always": 1000 * usd_always / len(second),
            "saved": 1.0 - usd / usd_always,
            "path": graph_path(self.client.nodes, EARN, (asked or second)[0].state),
        }

    def _decide_all(self, domain: str, rows: list[LabelledText], title: str) -> list[Decision]:
        decisions = [
            self.client.decide(domain, row.text) for row in self.track(rows, title, len(rows))
        ]
        self._tell_truth(decisions, rows)
        return decisions

    def _certify(self, domain: str, promise: Promise) -> dict[str, Any]:
        """Return the router's verdict on the LLM of a domain, and route by it from now on."""
        return self.client.certify(domain, promise).verdict()

    def _says(self, prediction: Prediction, row: LabelledText) -> bool:
        return self.table.domain.canonical(prediction.action) == row.label

    def _tell_truth(self, decisions: Iterable[Decision], rows: Iterable[LabelledText]) -> None:
        for decision, row in zip(decisions, rows, strict=True):
            self.ledger.resolve(
                Outcome(
                    decision_id=decision.decision_id,
                    reward=float(is_right(decision, row)),
                    source="checker",
                    reference=row.label,
                )
            )
        self.client.flush()
