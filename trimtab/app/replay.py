"""Replays recorded questions through the graph under a fitted controller, and reports on it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from trimtab.agents.controller_bundle import load_controller
from trimtab.agents.controller_rule import ControllerRule
from trimtab.app.client import Trimtab
from trimtab.app.recorded_serving import certified_serving, recorded_serving
from trimtab.datasets.recorded import RecordedTable, read_recorded
from trimtab.errors import ConfigError
from trimtab.evals.report import build_report
from trimtab.graphs.serving import Serving
from trimtab.ledger import SqliteLedger
from trimtab.records import Budget, Decision, Prediction
from trimtab.settings import load_settings
from trimtab.stats import Estimate, proportion


@dataclass(frozen=True, slots=True, kw_only=True)
class Replayed:
    """What a controller did on n questions, beside always asking the strong model.

    Attributes:
        candidate: what decided.
        certified: whether by a certificate.
        strong: the strong model.
        decisions: one for each question, in the order of the replay.
        quality: share of right answers shown.
        usd_per_1000: price of 1,000 questions.
        llm_share: share of questions on which the strong model was asked.
        always_quality: share of right answers of the strong model alone.
        always_usd_per_1000: its price.
        saved: part of its bill that was saved; None where it costs nothing.
    """

    candidate: str
    certified: bool
    strong: str
    decisions: tuple[Decision, ...]
    quality: Estimate
    usd_per_1000: Estimate
    llm_share: Estimate
    always_quality: Estimate
    always_usd_per_1000: float
    saved: Estimate | None

    def to_json(self) -> dict[str, Any]:
        """Return the figures as plain JSON values."""
        return {
            "candidate": self.candidate,
            "certified": self.certified,
            "strong": self.strong,
            "quality": asdict(self.quality),
            "usd_per_1000": asdict(self.usd_per_1000),
            "llm_share": asdict(self.llm_share),
            "always_quality": asdict(self.always_quality),
            "always_usd_per_1000": self.always_usd_per_1000,
            "saved": None if self.saved is None else asdict(self.saved),
        }


def replay(
    table: Path,
    controller: Path,
    *,
    n: int,
    candidate: int | None = None,
    budget: Budget | None = None,
    seed: int = 0,
) -> Replayed:
    """Return what a controller's bundle does on questions that neither fitted nor certified it.

    Args:
        table: recorded answers of its models.
        controller: the bundle.
        n: questions, drawn without replacement.
        candidate: place in the pool of one to follow without a promise; None for the certified one,
            without which the strong model is always asked.
        budget: hard limits of each decision.
        seed: of the draw.

    Raises:
        BundleError: the bundle cannot be read.
        ConfigError: there are fewer such questions, or no such candidate.
        InputError: the table does not fit the bundle.
    """
    fitted, bundle = load_controller(controller)
    chosen = fitted.certified if candidate is None else fitted.numbered(candidate)
    recorded = read_recorded(table).restricted(fitted.candidates[0].judge.names)
    if budget is not None and budget.seconds is not None and recorded.untimed:
        raise ConfigError(
            f"budget_seconds={budget.seconds:g}: column 'latency_s' of {recorded.name} is missing "
            f"or has gaps for {sorted(recorded.untimed)}, so that it could not be kept; record the "
            f"seconds, or leave --budget-seconds out"
        )
    fresh = [place for place, one in enumerate(recorded.ids) if one not in fitted.used]
    if not 1 <= n <= len(fresh):
        raise ConfigError(f"n={n}: {len(fresh)} questions of {recorded.name} are not used yet")
    drawn = np.random.default_rng(seed).permutation(fresh)[:n].tolist()
    bundle_id = bundle.bundle.bundle_id
    serving = (
        certified_serving(recorded, fitted, bundle_id=bundle_id)
        if candidate is None
        else recorded_serving(
            recorded, fitted.numbered(candidate), bundle_id=bundle_id, rule=ControllerRule()
        )
    )
    return replay_serving(
        recorded,
        serving,
        drawn,
        candidate="none" if chosen is None else chosen.name,
        certified=candidate is None and chosen is not None,
        budget=budget,
    )


def replay_serving(
    table: RecordedTable,
    serving: Serving,
    places: Sequence[int],
    *,
    candidate: str,
    certified: bool,
    budget: Budget | None = None,
) -> Replayed:
    """Return what a serving of a table does on the questions at these places of it.

    Every decision goes the SDK's way – fast path, graph, ledger – and is told whether it was right;
    the figures are those of the ledger's report.

    Args:
        table: what the serving was made from.
        serving: of :func:`trimtab.app.recorded_serving.recorded_serving`.
        places: of the questions.
        candidate: name of what decides.
        certified: whether by a certificate.
        budget: hard limits of each decision.
    """
    domain, strong = serving.domain.name, serving.expert_id
    with TemporaryDirectory() as folder, SqliteLedger(Path(folder) / "ledger.sqlite") as ledger:
        settings = load_settings({"TRIMTAB_HOME": folder})
        with Trimtab(servings={domain: serving}, ledger=ledger, settings=settings) as client:
            decisions = []
            for place in places:
                decision = client.decide(domain, table.texts[place], budget=budget)
                decisions.append(decision)
                right = table.rows[_model(decision, strong)][place][1]
                client.feedback(decision.decision_id, reward=float(right), source="checker")
            client.flush()
            [report] = build_report(
                ledger.scan(domain=domain),
                always_llm=_always(serving, table, places, decisions),
                canonical={domain: serving.domain.canonical},
            ).domains
    alone = [table.rows[strong][place] for place in places]
    savings = report.comparison.savings
    quality = report.quality
    if quality is None:
        raise ConfigError("places is empty; give the questions to replay")
    return Replayed(
        candidate=candidate,
        certified=certified,
        strong=strong,
        decisions=tuple(decisions),
        quality=quality,
        usd_per_1000=report.usd_per_1000,
        llm_share=report.llm_share,
        always_quality=proportion(sum(row[1] for row in alone), len(alone)),
        always_usd_per_1000=1000.0 * sum(row[2] for row in alone) / len(alone),
        saved=None if savings is None else savings.fraction,
    )


def _model(decision: Decision, strong: str) -> str:
    """Return the model whose answer a decision shows."""
    return strong if decision.route.agent == "llm" else decision.route.agent


def _always(
    serving: Serving, table: RecordedTable, places: Sequence[int], decisions: Sequence[Decision]
) -> Mapping[str, Prediction]:
    """Return the strong model's answers by decision id."""
    states = [serving.domain.from_text(table.texts[place]) for place in places]
    answers = serving.expert().predict(states)
    return {one.decision_id: answer for one, answer in zip(decisions, answers, strict=True)}
