"""``trimtab bench``: measures, and prints one JSON object of one form."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table

from trimtab.cli.output import console, emit

bench_app = typer.Typer(help="Measure, beside peers and bars, in one form.", no_args_is_help=True)

Json = Annotated[bool, typer.Option("--json", help="Print one JSON object as the last line.")]
Seed = Annotated[int, typer.Option(min=0, help="Seed of every draw.")]


@bench_app.command()
def choices(
    train: Annotated[
        Path | None, typer.Option(help="Training table; the shipped set if none.")
    ] = None,
    test: Annotated[Path | None, typer.Option(help="Test table; the shipped set if none.")] = None,
    text_column: Annotated[str, typer.Option(help="Column of the texts.")] = "text",
    label_column: Annotated[str, typer.Option(help="Column of the labels.")] = "label",
    split_column: Annotated[str | None, typer.Option(help="Column of the splits.")] = None,
    oos_label: Annotated[str | None, typer.Option(help="Label of texts out of scope.")] = None,
    per_label: Annotated[int | None, typer.Option(help="Training texts per label.")] = None,
    seed: Seed = 0,
    as_json: Json = False,
) -> None:
    """Measure the text tiers on a table of labelled texts."""
    from trimtab.bench.choices import run

    show(
        run(
            train=train,
            test=test,
            text_column=text_column,
            label_column=label_column,
            split_column=split_column,
            oos_label=oos_label,
            per_label=per_label,
            seed=seed,
        ),
        as_json=as_json,
    )


@bench_app.command()
def routing(
    table: Annotated[Path, typer.Option(help="Recorded answers, one row per question and model.")],
    cheap: Annotated[str, typer.Option(help="The cheap model.")],
    strong: Annotated[str, typer.Option(help="The model that is always asked otherwise.")],
    agree: Annotated[
        str, typer.Option(help="Further cheap models, comma separated, that may agree.")
    ] = "",
    promise: Annotated[float, typer.Option(help="Largest loss against the strong model.")] = 0.02,
    confidence: Annotated[float, typer.Option(help="Of the promise.")] = 0.95,
    splits: Annotated[int, typer.Option(help="Random halves of the questions.")] = 20,
    seed: Seed = 0,
    as_json: Json = False,
) -> None:
    """Measure routing and its promise on a table of recorded answers."""
    from trimtab.bench.routing import run

    others = [name.strip() for name in agree.split(",") if name.strip()]
    result = run(
        table=table,
        cheap=cheap,
        strong=strong,
        agree=others,
        promise=promise,
        confidence=confidence,
        splits=splits,
        seed=seed,
    )
    show(result, as_json=as_json)


@bench_app.command()
def refusal(
    table: Annotated[
        Path | None,
        typer.Option(help="Table with a split column; data/clinc150.jsonl.gz or the shipped set."),
    ] = None,
    text_column: Annotated[str, typer.Option(help="Column of the texts.")] = "text",
    label_column: Annotated[str, typer.Option(help="Column of the labels.")] = "label",
    split_column: Annotated[str | None, typer.Option(help="Column of the splits.")] = None,
    oos_label: Annotated[str | None, typer.Option(help="Label of texts out of scope.")] = None,
    per_label: Annotated[int | None, typer.Option(help="Training texts per label.")] = 20,
    policy: Annotated[str, typer.Option(help="trained, or untrained.")] = "trained",
    expert: Annotated[str, typer.Option(help="live, or simulated:0.95.")] = "live",
    cold_start: Annotated[int, typer.Option(help="Requests at most before the certificate.")] = 800,
    n: Annotated[int, typer.Option(help="Requests after the certificate.")] = 1000,
    seed: Seed = 0,
    as_json: Json = False,
) -> None:
    """Measure whether the router refuses an LLM that does not help."""
    from trimtab.bench.refusal import run

    result = run(
        table=table,
        text_column=text_column,
        label_column=label_column,
        split_column=split_column,
        oos_label=oos_label,
        per_label=per_label,
        policy=policy,
        expert=expert,
        cold_start=cold_start,
        n=n,
        seed=seed,
        progress=lambda line: console.print(f"[dim]{line}[/dim]"),
    )
    show(result, as_json=as_json)


@bench_app.command()
def ledger(
    rounds: Annotated[int, typer.Option(min=0, help="Rounds of kill -9.")] = 30,
    seed: Seed = 0,
    as_json: Json = False,
) -> None:
    """Measure durable appends and prove that kill -9 loses no acknowledged row."""
    from trimtab.bench.ledger import run

    show(run(rounds=rounds, seed=seed), as_json=as_json)


@bench_app.command()
def graph(
    rounds: Annotated[int, typer.Option(help="Turns of each way to a decision.")] = 15,
    seed: Seed = 0,
    as_json: Json = False,
) -> None:
    """Measure decisions per CPU-second: SDK, graph, SQLite threads, beside empty graphs."""
    from trimtab.bench.graph import run

    show(run(rounds=rounds, seed=seed), as_json=as_json)


@bench_app.command(name="import")
def imports(as_json: Json = False) -> None:
    """Measure what ``import trimtab`` costs."""
    from trimtab.bench.imports import run

    show(run(), as_json=as_json)


def show(result: dict[str, Any], *, as_json: bool) -> None:
    """Print a benchmark; exit 3 where a peer is not installed."""
    schema = result.pop("schema")
    if as_json:
        emit(result, schema=schema)
    else:
        console.print(bench_table(result))
    if any(peer is None for peer in result["peers"].values()):
        raise typer.Exit(3)


def bench_table(result: dict[str, Any]) -> Table:
    """Return the measures beside their bars."""
    table = Table(title=f"{result['name']} on {result['data']}, n = {result['n']}")
    for heading in ("measure", "value", "95 % interval", "unit", "bar"):
        table.add_column(heading, justify="left" if heading == "measure" else "right")
    for key, measure in result["measures"].items():
        bar = result["bars"].get(key)
        interval = ""
        if measure["low"] is not None and measure["high"] is not None:
            interval = f"{measure['low']:.4g} … {measure['high']:.4g}"
        table.add_row(
            key,
            "-" if measure["value"] is None else f"{measure['value']:.4g}",
            interval,
            measure["unit"],
            "" if bar is None else f"{bar['need']} {'ok' if bar['ok'] else 'MISSED'}",
        )
    return table
