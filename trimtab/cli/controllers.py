"""``trimtab train controller`` and ``trimtab replay``: controllers over recorded answers."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from trimtab.cli.output import console, emit

Json = Annotated[bool, typer.Option("--json", help="Print one JSON object as the last line.")]
TableOption = Annotated[
    Path, typer.Option(help="Recorded answers, one row per question and model.")
]


def train_controller(
    table: TableOption,
    out: Annotated[Path, typer.Option(help="Folder of the bundle to write.")],
    models: Annotated[
        str, typer.Option(help="Models, comma separated; all if the table has at most 8.")
    ] = "",
    strong: Annotated[
        str | None, typer.Option(help="The model to promise against; the best one if none.")
    ] = None,
    train_size: Annotated[int, typer.Option(help="Questions to fit on.")] = 500,
    window: Annotated[int, typer.Option(help="Further questions to certify on.")] = 600,
    loss: Annotated[float, typer.Option(help="Promised loss against the strong model.")] = 0.02,
    confidence: Annotated[float, typer.Option(help="Of the promise.")] = 0.95,
    seed: Annotated[int, typer.Option(min=0, help="Seed of every draw.")] = 0,
    as_json: Json = False,
) -> None:
    """Fit a controller on recorded answers, certify it on others and pack it into a bundle."""
    from trimtab.agents.controller_bundle import load_controller
    from trimtab.agents.promise import Promise
    from trimtab.app.controller_training import train_controller as train
    from trimtab.cli.tables import show_packed

    packed = train(
        table,
        models=[name.strip() for name in models.split(",") if name.strip()],
        strong=strong,
        out=out,
        train_size=train_size,
        asked=Promise(loss=loss, confidence=confidence, window=window),
        seed=seed,
    )
    verdict = load_controller(out)[0].verdict
    show_packed(packed, out=out, title="controller", as_json=as_json, verdict=verdict)


def train_live_controller(
    domain: Annotated[str, typer.Option(help="Served domain whose ledger teaches.")],
    out: Annotated[Path, typer.Option(help="Folder of the bundle to write.")],
    bundle: Annotated[
        Path | None, typer.Option(help="Bundle that answers the domain; the shipped one if none.")
    ] = None,
    against: Annotated[
        Literal["gold", "agreement"],
        typer.Option(help="Compare with labels, or take the LLM to be right."),
    ] = "gold",
    train_size: Annotated[int, typer.Option(help="Requests to fit on.")] = 500,
    window: Annotated[int, typer.Option(help="Further requests to certify on.")] = 600,
    loss: Annotated[float, typer.Option(help="Promised loss against the LLM.")] = 0.02,
    confidence: Annotated[float, typer.Option(help="Of the promise.")] = 0.95,
    seed: Annotated[int, typer.Option(min=0, help="Seed of every draw.")] = 0,
    as_json: Json = False,
) -> None:
    """Fit a controller for a live domain on its ledger's uniform requests, and pack it."""
    from trimtab.agents.controller_bundle import load_controller
    from trimtab.agents.promise import Promise
    from trimtab.app.client import Trimtab
    from trimtab.app.ledger_controllers import train_live_controller as train
    from trimtab.cli.tables import show_packed

    bundles = {} if bundle is None else {domain: bundle}
    with Trimtab(bundles=bundles, shipped=() if bundles else (domain,)) as client:
        packed = train(
            client.ledger.scan(domain=domain),
            client.nodes.serving(domain),
            out=out,
            asked=Promise(loss=loss, confidence=confidence, window=window),
            train_size=train_size,
            against=against,
            seed=seed,
        )
    verdict = load_controller(out)[0].verdict
    show_packed(packed, out=out, title="controller", as_json=as_json, verdict=verdict)


def replay(
    table: TableOption,
    controller: Annotated[Path, typer.Option(help="Bundle that train controller wrote.")],
    n: Annotated[int, typer.Option("--n", min=1, help="Questions that were not used yet.")] = 200,
    candidate: Annotated[
        int | None,
        typer.Option(min=0, help="Follow this one of the pool (0: dearest) without a promise."),
    ] = None,
    budget_usd: Annotated[
        float | None, typer.Option(min=0.0, help="Most US dollars for a question.")
    ] = None,
    budget_calls: Annotated[
        int | None, typer.Option(min=1, help="Most models to ask for a question.")
    ] = None,
    budget_seconds: Annotated[
        float | None, typer.Option(min=0.0, help="Most seconds for a question, as recorded.")
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the draw.")] = 0,
    as_json: Json = False,
) -> None:
    """Decide recorded questions through the graph by a controller; print quality and cost."""
    from rich.table import Table
    from rich.text import Text

    from trimtab.app.replay import replay as run
    from trimtab.records import Budget

    done = run(
        table,
        controller,
        n=n,
        candidate=candidate,
        budget=Budget(usd=budget_usd, seconds=budget_seconds, calls=budget_calls),
        seed=seed,
    )
    if as_json:
        emit(done.to_json(), schema="trimtab.replay/1")
        return
    by = f"{done.candidate} ({'certified' if done.certified else 'without a promise'})"
    if candidate is None and not done.certified:
        by = f"no saving: nothing is certified, {done.strong} always answers"
    shown = Table(title=Text(f"{n} questions; {by}"))
    for heading in ("", "right", "USD per 1,000", f"asks {done.strong}"):
        shown.add_column(heading)
    shown.add_row(
        "controller",
        f"{done.quality.value:.1%}",
        f"{done.usd_per_1000.value:.3f}",
        f"{done.llm_share.value:.1%}",
    )
    shown.add_row(
        "always", f"{done.always_quality.value:.1%}", f"{done.always_usd_per_1000:.3f}", "100.0%"
    )
    console.print(shown)
