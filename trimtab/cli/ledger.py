"""``trimtab ledger``: check it, write it out, delete a person's text from it."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from trimtab.cli.output import console, emit
from trimtab.ledger import SqliteLedger
from trimtab.settings import load_settings

SCHEMA = "trimtab.ledger/1"

ledger_app = typer.Typer(
    help="Check the ledger, write it out, or delete text from it.", no_args_is_help=True
)

Ledger = Annotated[
    Path | None, typer.Option("--path", help="The ledger's file; TRIMTAB_LEDGER if none.")
]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object as the last line.")]


@ledger_app.command()
def verify(path: Ledger = None, as_json: Json = False) -> None:
    """Check that every row follows from the one before it."""
    with _existing(path) as ledger:
        rows, head = ledger.verify(), ledger.head()
        if as_json:
            emit({"path": str(ledger.path), "rows": rows, "head": head}, schema=SCHEMA)
        else:
            console.print(f"{ledger.path}: {rows} rows verify; head {head}", soft_wrap=True)


@ledger_app.command()
def export(
    to: Annotated[
        Path | None, typer.Argument(help="A file that does not exist; standard output if none.")
    ] = None,
    path: Ledger = None,
    as_json: Json = False,
) -> None:
    """Write all rows as JSON lines, in the order of the chain."""
    with _existing(path) as ledger:
        rows = ledger.export(sys.stdout if to is None else to)
        if as_json:
            where = None if to is None else str(to)
            emit({"path": str(ledger.path), "rows": rows, "file": where}, schema=SCHEMA)
        else:
            console.print(f"{rows} rows written to {to or 'standard output'}", soft_wrap=True)


@ledger_app.command()
def redact(
    decision_id: Annotated[str, typer.Argument(help="The decision whose text is deleted.")],
    path: Ledger = None,
    as_json: Json = False,
) -> None:
    """Delete the text of a decision, its outcomes and audit for good; the chain still verifies."""
    with _existing(path) as ledger:
        row = ledger.redact(decision_id)
        if as_json:
            document = {"path": str(ledger.path), "decision_id": decision_id, "row": row}
            emit(document, schema=SCHEMA)
        else:
            console.print(f"text of {decision_id} is deleted; recorded in row {row}")


def _existing(path: Path | None) -> SqliteLedger:
    return SqliteLedger(load_settings().ledger if path is None else path, create=False)
