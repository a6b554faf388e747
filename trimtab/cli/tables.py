"""Rich tables of decisions and ladders."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import typer
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

from trimtab.cli.output import console, emit
from trimtab.records import Bundle, Decision

UNCERTIFIED = (
    "No promise is certified here yet, so the LLM's answer is shown; --mode neural_only shows "
    "the small models'."
)


def decision_table(decision: Decision, canonical: Callable[[int | str], str]) -> Table:
    """Return the trail of a decision, one row a prediction, in the domain's canonical words."""
    # Text, not str: a label may hold what rich would read as markup
    table = Table(
        title=Text(
            f"{decision.domain}: {decision.answer} "
            f"({decision.route.agent}, {decision.route.reason})"
        ),
        caption=UNCERTIFIED if decision.route.reason == "uncertified" else None,
    )
    for heading in ("agent", "tier", "answer", "confidence", "ms", "USD"):
        table.add_column(heading, justify="left" if heading in ("agent", "tier") else "right")
    for prediction in decision.predictions:
        confidence = prediction.confidence
        table.add_row(
            prediction.agent,
            Text(prediction.tier),
            Text(canonical(prediction.action)),
            "-" if confidence is None else f"{confidence:.3f}",
            f"{prediction.usage.latency_s * 1e3:.2f}",
            f"{prediction.usage.cost_usd:.2e}",
        )
    return table


def metrics_table(title: str, metrics: Mapping[str, float]) -> Table:
    """Return metrics by name, one row each."""
    table = Table(title=title)
    table.add_column("measure")
    table.add_column("value", justify="right")
    for name, value in metrics.items():
        table.add_row(name, f"{value:.4g}")
    return table


def verdict_sentence(verdict: Mapping[str, Any] | None) -> str:
    """Return what a certificate says, in words.

    Args:
        verdict: a certificate's fields, with ``asked``, the confidence that was asked for, and
            ``unlabelled``; None where there were too few answers for one.
    """
    if verdict is None:
        return "no verdict: the LLM gave too few readable answers"
    points = f"{verdict['loss'] * 100:g} points"
    seen = f"on {verdict['n']} requests drawn uniformly, against {verdict['against']}"
    if verdict["labels"]:
        seen += f", {verdict['labels']} labels needed"
    if verdict["unlabelled"]:
        seen += f", {verdict['unlabelled']} missing labels counted as losses: trimtab label"
    if verdict["refused"]:
        return (
            f"refused: never asking the LLM is at most {points} below always asking it, with "
            f"{verdict['asked']:.0%} confidence ({seen})"
        )
    if verdict["certified"]:
        return (
            f"certified: at most {points} below always asking the LLM, with "
            f"{verdict['asked']:.0%} confidence ({seen}); the LLM is asked on "
            f"{verdict['llm_share']:.0%} of them"
        )
    return (
        f"not certified ({seen}): the bet against a loss of {points} grew to "
        f"{verdict['wealth']:.3g} of the {verdict['needed']:.3g} needed; until then the LLM is "
        "always asked"
    )


def show_packed(packed: Bundle, *, out: Path, title: str, as_json: bool, verdict: str = "") -> None:
    """Print what was trained: one JSON object, or its metrics and the folder it lies in.

    A verdict, where there is one, stands beside them.
    """
    if as_json:
        plain = {"bundle_id": packed.bundle_id, "path": str(out), "metrics": dict(packed.metrics)}
        emit(plain | ({"verdict": verdict} if verdict else {}), schema="trimtab.train/1")
        return
    console.print(metrics_table(title, packed.metrics))
    if verdict:
        console.print(Text(verdict))
    typer.echo(str(out))


def training_bar() -> Progress:
    """Return the progress bar of a training; its description says how far the net is."""
    columns = (TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
    return Progress(*columns, console=console)
