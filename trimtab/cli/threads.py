"""``trimtab threads``: what waits for a person, and the job that deletes old threads."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from trimtab.cli.output import console, emit

threads_app = typer.Typer(
    help="Durable threads: decisions that may wait for a person.", no_args_is_help=True
)


@threads_app.command()
def prune(
    file: Annotated[Path, typer.Argument(help="File of the threads.")],
    days: Annotated[float, typer.Option(min=0.0, help="Age of the last step.")] = 30.0,
    including_waiting: Annotated[
        bool, typer.Option("--including-waiting", help="Also those that wait for a person.")
    ] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one JSON object as the last line.")
    ] = False,
) -> None:
    """Delete threads whose last step is older; the ledger keeps their decisions."""
    from datetime import UTC, datetime, timedelta

    from trimtab.app.threads import prune as delete

    deleted = delete(
        file,
        older_than=timedelta(days=days),
        now=datetime.now(UTC),
        including_waiting=including_waiting,
    )
    if as_json:
        emit({"deleted": deleted, "file": str(file)}, schema="trimtab.threads/1")
    else:
        console.print(f"{deleted} threads deleted")
