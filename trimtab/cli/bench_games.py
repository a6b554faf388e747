"""``trimtab bench solver``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from trimtab.cli.bench import Json, Seed, show
from trimtab.cli.output import console


def solver(
    positions: Annotated[
        list[Path],
        typer.Option(help="JSON lines of moves, score, move_scores; or text. Repeatable."),
    ],
    limit: Annotated[int | None, typer.Option(help="Positions read of each file.")] = None,
    moves_limit: Annotated[
        list[int] | None,
        typer.Option(help="Positions whose moves are all solved; once, or once for each file."),
    ] = None,
    seed: Seed = 0,
    as_json: Json = False,
) -> None:
    """Measure the exact Connect Four solver on scored positions."""
    from trimtab.bench.solver import run

    result = run(
        positions=positions,
        limit=limit,
        moves_limits=moves_limit or (),
        seed=seed,
        progress=lambda line: console.print(f"[dim]{line}[/dim]"),
    )
    show(result, as_json=as_json)
