"""``trimtab bench``: measures, and prints one JSON object of one form."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table

from trimtab.cli.output import console, emit

bench_app = typer.Typer(help="Measure, beside peers and bars, in one form.", no_args_is_help=True)

Json = Annotated[bool, typer.Option("--json", help="Print one JSON object as the last line.")]
Seed = Annotated[int, typer.Option(help="Seed of every draw.")]


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
def ledger(
    rounds: Annotated[int, typer.Option(help="Rounds of kill -9.")] = 30,
    seed: Seed = 0,
    as_json: Json = False,
) -> None:
    """Measure durable appends and prove that kill -9 loses no acknowledged row."""
    from trimtab.bench.ledger import run

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
