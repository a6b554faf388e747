"""``trimtab data``: public tables and the data sets that come with the package."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from trimtab.cli.output import console, emit
from trimtab.datasets.download import TABLES, get
from trimtab.datasets.tables import conflicts, shipped, shipped_names
from trimtab.errors import InputError

data_app = typer.Typer(
    help="Fetch public tables, and show what comes with trimtab.", no_args_is_help=True
)

Json = Annotated[bool, typer.Option("--json", help="Print one JSON object as the last line.")]


@data_app.command("get")
def get_table(
    name: Annotated[str, typer.Argument(help=f"One of: {', '.join(sorted(TABLES))}.")],
    source: Annotated[
        Path | None,
        typer.Option(
            "--from",
            help="A local copy: the original file, or a table with columns split, text, intent.",
        ),
    ] = None,
    out: Annotated[Path, typer.Option(help="Folder to write to.")] = Path("data"),
    as_json: Json = False,
) -> None:
    """Write a public table as JSON lines with the columns split, text and intent."""
    fetched = get(name, out=out, source=source)
    console.print(f"{fetched.name}: {fetched.licence} – attribution: {fetched.attribution}")
    if as_json:
        emit(
            {
                "name": fetched.name,
                "path": str(fetched.path),
                "rows": fetched.rows,
                "sha256": fetched.sha256,
                "licence": fetched.licence,
                "attribution": fetched.attribution,
            },
            schema="trimtab.data/1",
        )
    else:
        typer.echo(str(fetched.path))


@data_app.command("show")
def show(
    name: Annotated[str, typer.Argument(help="A public table or a shipped data set.")],
    as_json: Json = False,
) -> None:
    """Show where a table comes from and what it holds."""
    if name in TABLES:
        public = TABLES[name]
        facts: dict[str, object] = {
            "name": name,
            "url": public.url,
            "sha256": public.sha256,
            "licence": public.licence,
            "attribution": public.attribution,
            "splits": sorted(public.splits),
        }
        if not as_json:
            for field, value in facts.items():
                console.print(f"{field}: {value}", soft_wrap=True)
    elif name in shipped_names():
        facts = _shipped_facts(name)
        if not as_json:
            console.print(_label_table(facts))
    else:
        raise InputError(
            f"name={name!r} is not known; use one of {sorted((*TABLES, *shipped_names()))}"
        )
    if as_json:
        emit(facts, schema="trimtab.data/1")


def _shipped_facts(name: str) -> dict[str, object]:
    table = shipped(name)
    train = Counter(row.label for row in table.train)
    test = Counter(row.label for row in table.test)
    return {
        "name": name,
        "title": table.title,
        "licence": table.licence,
        "rows": {"train": len(table.train), "test": len(table.test)},
        "conflicts": len(conflicts((*table.train, *table.test))),
        "labels": [
            {
                "label": label,
                "description": table.domain.descriptions.get(label, ""),
                "train": train[label],
                "test": test[label],
            }
            for label in table.domain.labels
        ],
    }


def _label_table(facts: dict[str, object]) -> Table:
    table = Table("label", "train", "test", "description", title=f"{facts['title']}")
    labels = facts["labels"]
    for entry in labels if isinstance(labels, list) else []:
        table.add_row(entry["label"], str(entry["train"]), str(entry["test"]), entry["description"])
    return table
