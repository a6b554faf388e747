"""What ``trimtab demo`` does, row by row, on the shipped domain and without a key.

Each row returns plain JSON; ``trimtab.cli.demo`` shows it. All decisions of a run go to one
ledger, under three domains, so that the report never mixes what was simulated with what was not.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from trimtab.agents.simulated import SimulatedExpert
from trimtab.app.client import Trimtab
from trimtab.app.serving import LLM, bundle_servings
from trimtab.app.training import train_rows
from trimtab.datasets.tables import LabelledText, ShippedTable, shipped
from trimtab.errors import LLMError
from trimtab.evals.document import Report, report_to_json
from trimtab.evals.page import render_page
from trimtab.evals.report import build_report
from trimtab.ledger import SqliteLedger
from trimtab.pricing import load_prices
from trimtab.records import Decision, Outcome, Prediction, Usage
from trimtab.release.bundle import load
from trimtab.settings import Settings
from trimtab.stats import proportion

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
        self.bundle = self.folder / "bundle"
        self.ledger_file = self.folder / "ledger.sqlite"
        self._always_llm: dict[str, Prediction] = {}
        self._streamed: list[Decision] = []

    def start(self) -> None:
        """Remove what an earlier run of the demo left in the folder."""
        shutil.rmtree(self.bundle, ignore_errors=True)
        for file in self.folder.glob("ledger.sqlite*"):
            file.unlink()
        self.folder.mkdir(parents=True, exist_ok=True)

    def run(self, row: str) -> dict[str, Any]:
        """Return what a row shows."""
        rows = (self.ladder, self.stream, self.llm, self.earn, self.report)
        return dict(zip(ROWS, rows, strict=True))[row]()

    def close(self) -> None:
        """Stop the LLM and close the ledger, where they were opened."""
        if "client" in vars(self):
            self._llm.close()
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
        self._llm = LLM(self.settings)
        [live] = bundle_servings(
            {STREAM: self.bundle}, settings=self.settings, expert=self._llm.agent
        ).values()
        # the bundle's domain holds no truth; the shipped table's does
        expert = SimulatedExpert(
            self.table.domain,
            accuracy=SIMULATED_ACCURACY,
            priced_as=PRICED_AS,
            prices=load_prices(self.settings),
            seed=SEED,
        )
        earning = replace(live, expert=lambda: expert, retriever=None)
        return Trimtab(
            servings={STREAM: live, LIVE: live, EARN: earning},
            ledger=SqliteLedger(self.ledger_file),
            settings=self.settings,
        )

    def stream(self) -> dict[str, Any]:
        """Stream the test requests through the SDK; the LLM is not asked."""
        self._streamed = [
            self.client.decide(STREAM, row.text, mode="neural_only")
            for row in self.track(self.table.test, "requests", len(self.table.test))
        ]
        self._tell_truth(self._streamed, self.table.test)
        threshold = load(self.bundle).bundle.thresholds["accept"]
        answers = [decision.predictions[0] for decision in self._streamed]
        right = [_is_right(d, row) for d, row in zip(self._streamed, self.table.test, strict=True)]
        by_tier: dict[str, list[int]] = {}
        for place, answer in enumerate(answers):
            by_tier.setdefault(answer.tier, []).append(place)
        sure = [i for i, a in enumerate(answers) if (a.confidence or 0.0) >= threshold]
        return {
            "n": len(right),
            "tiers": {
                tier: {
                    "n": len(places),
                    "share": len(places) / len(right),
                    "cpu_ms": 1e3 * float(np.mean([answers[i].usage.cpu_s for i in places])),
                    **_rate(right[i] for i in places),
                }
                for tier, places in sorted(by_tier.items(), key=lambda item: -len(item[1]))
            },
            "all": _rate(right),
            "accepted": {"share": len(sure) / len(right), **_rate(right[i] for i in sure)},
            "threshold": threshold,
        }

    def llm(self) -> dict[str, Any]:
        """Ask the live LLM on requests drawn uniformly from the stream."""
        if not self._streamed:
            self.stream()
        n = min(LLM_REQUESTS, len(self._streamed))
        drawn = np.random.default_rng(SEED).choice(len(self._streamed), size=n, replace=False)
        asked: list[tuple[LabelledText, Decision | None]] = []
        for place in self.track(drawn.tolist(), "live LLM", n):
            row, decision = self.table.test[place], None
            try:
                decision = self.client.decide(LIVE, row.text, mode="llm_only")
            except LLMError as error:
                self.progress(f"no answer: {error}")
            else:
                self._always_llm[self._streamed[place].decision_id] = decision.predictions[-1]
            asked.append((row, decision))
        answered = [(row, decision) for row, decision in asked if decision is not None]
        self._tell_truth([d for _, d in answered], [row for row, _ in answered])
        usage = sum((decision.usage for _, decision in answered), Usage())
        count = max(1, len(answered))
        return {
            "model": answered[0][1].predictions[-1].tier if answered else None,
            "n": n,
            "unreadable": n - len(answered),
            "llm": _rate(d is not None and _is_right(d, row) for row, d in asked),
            "small_models": _rate(
                _is_right(self._streamed[i], self.table.test[i]) for i in drawn.tolist()
            ),
            "usd_per_1000": 1000 * usage.cost_usd / count,
            "latency_s": usage.latency_s / count,
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
        domain = self.table.domain
        expert = self.client.nodes.serving(EARN).expert()
        always = expert.predict([domain.from_text(text) for text in texts])
        self._always_llm |= dict(zip((d.decision_id for d in decisions), always, strict=True))
        escalated = [d.state for d in decisions if d.route.agent == "llm"]
        rows = self.table.test
        usd = sum(d.usage.cost_usd for d in decisions)
        usd_always = sum(p.usage.cost_usd for p in always)
        return {
            "n": len(decisions),
            "expert": always[0].tier,
            "priced_as": PRICED_AS,
            "llm_share": len(escalated) / len(decisions),
            "routed": _rate(_is_right(d, row) for d, row in zip(decisions, rows, strict=True)),
            "always": _rate(
                domain.canonical(p.action) == row.label for p, row in zip(always, rows, strict=True)
            ),
            "usd_per_1000": 1000 * usd / len(decisions),
            "usd_per_1000_always": 1000 * usd_always / len(decisions),
            "saved": 1.0 - usd / usd_always,
            "path": self._path((escalated or texts)[0]),
        }

    def report(self) -> dict[str, Any]:
        """Write the report on the demo's ledger."""
        self.client.flush()
        built = self.build_report()
        page, document = self.folder / "report.html", self.folder / "report.json"
        page.write_text(render_page(built), encoding="utf-8")
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

    def _tell_truth(self, decisions: Iterable[Decision], rows: Iterable[LabelledText]) -> None:
        for decision, row in zip(decisions, rows, strict=True):
            self.client.ledger.resolve(
                Outcome(
                    decision_id=decision.decision_id,
                    reward=float(_is_right(decision, row)),
                    source="checker",
                    reference=row.label,
                )
            )
        self.client.flush()


def _is_right(decision: Decision, row: LabelledText) -> bool:
    return decision.answer == row.label


def _rate(right: Iterable[bool]) -> dict[str, Any]:
    """Return the share of right answers with its 95 % interval, None where there is none."""
    flags = list(right)
    if not flags:
        return {"accuracy": None, "low": None, "high": None}
    share = proportion(sum(flags), len(flags))
    return {"accuracy": share.value, "low": share.low, "high": share.high}


def _verbatim(answered: list[tuple[LabelledText, Decision]]) -> list[Mapping[str, Any]]:
    """Return a few requests with the LLM's answer, one that it got wrong among them if any."""
    wrong = [pair for pair in answered if pair[1].answer != pair[0].label][:1]
    others = [pair for pair in answered if pair not in wrong][: VERBATIM - len(wrong)]
    return [
        {"text": row.text, "answer": decision.answer, "truth": row.label}
        for row, decision in (*others, *wrong)
    ]
