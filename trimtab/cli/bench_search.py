"""``trimtab bench search``: the searches beside OpenSpiel and mctx."""

from __future__ import annotations

from typing import Annotated

import typer

from trimtab.cli.bench import Json, Seed, show
from trimtab.cli.output import console


def search(
    quick: Annotated[bool, typer.Option("--quick", help="Fewer rounds and positions.")] = False,
    seed: Seed = 0,
    as_json: Json = False,
) -> None:
    """Measure simulations per second, beside the peers of the extra `bench`."""
    from trimtab.bench.search import run

    result = run(quick=quick, seed=seed, progress=lambda line: console.print(f"[dim]{line}[/dim]"))
    show(result, as_json=as_json)
