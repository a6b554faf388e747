"""What ``trimtab demo`` does, row by row, on the shipped domain and without a key.

Each row returns plain JSON; ``trimtab.cli.demo`` shows it. All decisions of a run go to one
ledger, under three domains, so that the report never mixes what was simulated with what was not.
"""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from trimtab.agents.simulated import SimulatedExpert
from trimtab.app.client import Trimtab
from trimtab.app.serving import bundle_servings
from trimtab.app.training import train_rows
from trimtab.datasets.tables import LabelledText, ShippedTable, shipped
from trimtab.errors import LLMError
from trimtab.evals.document import Report, report_to_json
from trimtab.evals.page import render_page
from trimtab.evals.report import build_report
from trimtab.graphs.serving import Serving
from trimtab.ledger import SqliteLedger
from trimtab.pricing import load_prices
from trimtab.protocols import AnyDomain
from trimtab.records import Decision, Outcome, Prediction
from trimtab.release.bundle import load
from trimtab.settings import Settings
from trimtab.stats import wilson

ROWS = ("ladder", "stream", "llm", "earn", "report")
SEED = 0
LLM_REQUESTS = 40
VERBATIM = 3
SIMULATED_ACCURACY = 0.95
PRICED_AS = "gpt-4o-2024-08-06"
"""The simulated expert costs what this model's list price says for a prompt of that length."""

STREAM = "assistant"
LIVE = "assistant, always the live LLM"
EARN = "assistant, simulated expert"

Progress = Callable[[str], None]
Track = Callable[[Iterable[Any], str, int], Iterable[Any]]


def plain_track(items: Iterable[Any], title: str, total: int) -> Iterable[Any]:
    """Return the items as they are, without a progress bar."""
    return items


@dataclass(kw_only=True)
class Demo:
    """One run of the demo.

    Attributes:
        folder: where the bundle, the ledger and the report go.
        settings: models, prices and the LLM.
        progress: told what is being done.
        track: wraps a loop in a progress bar.
    """

    folder: Path
    settings: Settings
    progress: Progress
    track: Track = plain_track

    def __post_init__(self) -> None:
        self.table: ShippedTable = shipped("assistant")
        self._always_llm: dict[str, Prediction] = {}
        self._streamed: list[Decision] = []

    @property
    def bundle(self) -> Path:
        """Return the folder of the bundle that the first row trains."""
        return self.folder / "bundle"

    @property
    def ledger_file(self) -> Path:
        """Return the demo's own ledger."""
        return self.folder / "ledger.sqlite"

    def start(self) -> None:
        """Remove what an earlier run of the demo left in the folder."""
        for name in ("bundle", "bundle.training"):
            shutil.rmtree(self.folder / name, ignore_errors=True)
        for file in self.folder.glob("ledger.sqlite*"):
            file.unlink()
        self.folder.mkdir(parents=True, exist_ok=True)

    def run(self, row: str) -> dict[str, Any]:
        """Return what a row shows."""
        rows: dict[str, Callable[[], dict[str, Any]]] = {
            "ladder": self.ladder,
            "stream": self.stream,
            "llm": self.llm,
            "earn": self.earn,
            "report": self.report,
        }
        return rows[row]()

    def close(self) -> None:
        """Stop the LLM and close the ledger, where they were opened."""
        if "client" in vars(self):
            self.client.close()
            self.client.ledger.close()

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
        served = self._servings(self.settings)
        return Trimtab(
            servings=served, ledger=SqliteLedger(self.ledger_file), settings=self.settings
        )

    def _servings(self, settings: Settings) -> dict[str, Serving]:
        from trimtab.app.serving import LLM

        prices = load_prices(settings)
        self._llm = LLM(settings)

        def simulated(domain: AnyDomain) -> SimulatedExpert[Any]:
            # the bundle's domain holds no truth; the shipped table's does
            return SimulatedExpert(
                self.table.domain,
                accuracy=SIMULATED_ACCURACY,
                priced_as=PRICED_AS,
                prices=prices,
                seed=SEED,
            )

        [live] = bundle_servings(
            {STREAM: self.bundle}, settings=settings, expert=self._llm.agent
        ).values()
        [earning] = bundle_servings(
            {STREAM: self.bundle}, settings=settings, expert=simulated
        ).values()
        return {STREAM: live, LIVE: live, EARN: replace(earning, retriever=None)}

    def stream(self) -> dict[str, Any]:
        """Stream the test requests through the SDK; the LLM is not asked."""
        self._streamed = [
            self.client.decide(STREAM, row.text, mode="neural_only")
            for row in self.track(self.table.test, "requests", len(self.table.test))
        ]
        self._tell_truth(self._streamed, self.table.test)
        threshold = load(self.bundle).bundle.thresholds["accept"]
        right = [self._right(d, row) for d, row in self._pairs()]
        sure = [(d.predictions[0].confidence or 0.0) >= threshold for d in self._streamed]
        tiers = Counter(decision.predictions[0].tier for decision in self._streamed)
        accepted = [r for r, s in zip(right, sure, strict=True) if s]
        return {
            "n": len(right),
            "tiers": {
                tier: {
                    "n": n,
                    "share": n / len(right),
                    "cpu_ms": 1e3
                    * sum(
                        d.usage.cpu_s for d in self._streamed if d.predictions[0].tier == tier
                    )
                    / n,
                    **_rate(
                        [
                            r
                            for r, d in zip(right, self._streamed, strict=True)
                            if d.predictions[0].tier == tier
                        ]
                    ),
                }
                for tier, n in tiers.most_common()
            },
            "all": _rate(right),
            "accepted": {"share": len(accepted) / len(right), **_rate(accepted)},
            "threshold": threshold,
        }

    def llm(self) -> dict[str, Any]:
        """Ask the live LLM on requests drawn uniformly from the stream."""
        if not self._streamed:
            self.stream()
        rng = np.random.default_rng(SEED)
        drawn = rng.choice(len(self._streamed), size=min(LLM_REQUESTS, len(self._streamed)), replace=False)
        asked: list[tuple[LabelledText, Decision | None]] = []
        unreadable = 0
        for place in self.track(drawn.tolist(), "live LLM", len(drawn)):
            row = self.table.test[place]
            try:
                decision = self.client.decide(LIVE, row.text, mode="llm_only")
            except LLMError as error:
                self.progress(f"no answer: {error}")
                unreadable += 1
                asked.append((row, None))
                continue
            self._always_llm[self._streamed[place].decision_id] = decision.predictions[-1]
            asked.append((row, decision))
        answered = [(row, decision) for row, decision in asked if decision is not None]
        self._tell_truth([d for _, d in answered], [row for row, _ in answered])
        right = [decision is not None and self._right(decision, row) for row, decision in asked]
        small = [
            self._right(self._streamed[place], self.table.test[place]) for place in drawn.tolist()
        ]
        usd = sum(d.usage.cost_usd for _, d in answered)
        return {
            "model": answered[0][1].predictions[-1].tier if answered else None,
            "n": len(asked),
            "unreadable": unreadable,
            "llm": _rate(right),
            "small_models": _rate(small),
            "usd_per_1000": 1000 * usd / max(1, len(answered)),
            "cpu_s_per_request": sum(d.usage.cpu_s for _, d in answered) / max(1, len(answered)),
            "latency_s": sum(d.usage.latency_s for _, d in answered) / max(1, len(answered)),
            "verbatim": _verbatim(answered),
        }

    def earn(self) -> dict[str, Any]:
        """Stream the same requests with an expert simulated to be right in 95 %."""
        texts = [row.text for row in self.table.test]
        decisions = [
            self.client.decide(EARN, text)
            for text in self.track(texts, "simulated expert", len(texts))
        ]
        self._tell_truth(decisions, self.table.test)
        expert = self.client.nodes.serving(EARN).expert()
        states = [self.table.domain.from_text(text) for text in texts]
        always = expert.predict(states)
        for decision, prediction in zip(decisions, always, strict=True):
            self._always_llm[decision.decision_id] = prediction
        asked = [d for d in decisions if d.route.agent == "llm"]
        routed = [self._right(d, r) for d, r in zip(decisions, self.table.test, strict=True)]
        usd = sum(d.usage.cost_usd for d in decisions)
        usd_always = sum(p.usage.cost_usd for p in always)
        path = self._path(asked[0].state if asked else texts[0])
        return {
            "n": len(decisions),
            "expert": always[0].tier,
            "priced_as": PRICED_AS,
            "llm_share": len(asked) / len(decisions),
            "routed": _rate(routed),
            "always": _rate(
                [
                    self.table.domain.canonical(p.action) == row.label
                    for p, row in zip(always, self.table.test, strict=True)
                ]
            ),
            "usd_per_1000": 1000 * usd / len(decisions),
            "usd_per_1000_always": 1000 * usd_always / len(decisions),
            "saved": 1.0 - usd / usd_always,
            "path": path,
        }

    def report(self) -> dict[str, Any]:
        """Write the report on the demo's ledger."""
        self.client.flush()
        built = self.build_report()
        page, document = self.folder / "report.html", self.folder / "report.json"
        page.write_text(render_page(built), encoding="utf-8")
        import json

        document.write_text(json.dumps(report_to_json(built), indent=1) + "\n", encoding="utf-8")
        return {
            "decisions": sum(domain.n for domain in built.domains),
            "ledger": str(self.ledger_file),
            "html": str(page),
            "json": str(document),
        }

    def build_report(self) -> Report:
        """Return the report on the demo's ledger."""
        canonical = {name: self.table.domain.canonical for name in (STREAM, LIVE, EARN)}
        return build_report(
            self.client.ledger.scan(), always_llm=self._always_llm, canonical=canonical
        )

    def _path(self, text: str) -> list[str]:
        """Return the nodes of the compiled graph that one request runs through."""
        from trimtab.graphs.decide import build
        from trimtab.graphs.state import DecideContext

        graph = build(self.client.nodes)
        path: list[str] = []
        context = DecideContext(domain=EARN)
        for update in graph.stream({"text": text}, context=context, stream_mode="updates"):
            path += update
        return path

    def _pairs(self) -> Iterable[tuple[Decision, LabelledText]]:
        return zip(self._streamed, self.table.test, strict=True)

    def _right(self, decision: Decision, row: LabelledText) -> bool:
        return decision.answer == row.label

    def _tell_truth(self, decisions: Iterable[Decision], rows: Iterable[LabelledText]) -> None:
        for decision, row in zip(decisions, rows, strict=True):
            self.client.ledger.resolve(
                Outcome(
                    decision_id=decision.decision_id,
                    reward=float(self._right(decision, row)),
                    source="checker",
                    reference=row.label,
                )
            )
        self.client.flush()


def _rate(right: Iterable[bool]) -> dict[str, float | None]:
    """Return the share of right answers with its 95 % interval, None where there is none."""
    flags = list(right)
    if not flags:
        return {"accuracy": None, "low": None, "high": None}
    low, high = wilson(sum(flags), len(flags))
    return {"accuracy": sum(flags) / len(flags), "low": low, "high": high}


def _verbatim(answered: list[tuple[LabelledText, Decision]]) -> list[Mapping[str, Any]]:
    """Return a few requests with the LLM's answer, one that it got wrong among them if any."""
    wrong = [pair for pair in answered if pair[1].answer != pair[0].label][:1]
    others = [pair for pair in answered if pair not in wrong][: VERBATIM - len(wrong)]
    return [
        {"text": row.text, "answer": decision.answer, "truth": row.label}
        for row, decision in (*others, *wrong)
    ]
