"""``trimtab bench solver``, ``connect-four``, ``rave`` and ``game24``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from trimtab.cli.bench import Json, Seed, show
from trimtab.cli.output import console
from trimtab.errors import ConfigError

Positions = Annotated[
    list[Path],
    typer.Option(help="JSON lines of moves, score, move_scores; or text. Repeatable."),
]
Limit = Annotated[int | None, typer.Option(help="Positions read of each file.")]


def solver(
    positions: Positions,
    limit: Limit = None,
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
        progress=tell,
    )
    show(result, as_json=as_json)


def connect_four(
    positions: Positions,
    agent: Annotated[str, typer.Option(help="random, uct:N, net, net:N (simulations), or llm.")],
    bundle: Annotated[
        Path | None, typer.Option(help="Of the net; the shipped one if none.")
    ] = None,
    seeds: Annotated[int, typer.Option(help="How often an agent that draws plays each.")] = 3,
    limit: Limit = None,
    seed: Seed = 0,
    as_json: Json = False,
) -> None:
    """Measure how often an agent's move makes the exact result worse."""
    from trimtab.bench.connect_four import run

    result = run(
        positions=positions,
        agent=agent,
        bundle=bundle,
        seeds=seeds,
        limit=limit,
        seed=seed,
        progress=tell,
    )
    show(result, as_json=as_json)


def rave(
    sizes: Annotated[str, typer.Option(help="Of Hex boards, comma separated.")] = "5,7",
    simulations: Annotated[
        str, typer.Option(help="Of RAVE, a move; comma separated.")
    ] = "50,100,200,400",
    games: Annotated[int, typer.Option(help="Of each setting, an even number.")] = 200,
    seed: Seed = 0,
    as_json: Json = False,
) -> None:
    """Measure how many fewer simulations RAVE needs than UCT for an equal score."""
    from trimtab.bench.rave import run

    result = run(
        sizes=_numbers("--sizes", sizes),
        simulations=_numbers("--simulations", simulations),
        games=games,
        seed=seed,
        progress=tell,
    )
    show(result, as_json=as_json)


def game24(
    file: Annotated[Path, typer.Option(help="Table with a column `puzzle`, such as 4 4 8 10.")],
    simulations: Annotated[int, typer.Option(help="At most, of each puzzle.")] = 5000,
    priors: Annotated[str, typer.Option(help="even, or llm: what it proposes as first step.")] = (
        "even"
    ),
    limit: Annotated[int | None, typer.Option(help="Puzzles read.")] = None,
    seed: Seed = 0,
    as_json: Json = False,
) -> None:
    """Measure how many puzzles of the Game of 24 the search solves."""
    from trimtab.bench.game24 import run

    result = run(
        file=file,
        simulations=simulations,
        priors=priors,
        limit=limit,
        seed=seed,
        progress=tell,
    )
    show(result, as_json=as_json)


def tell(line: str) -> None:
    """Print a line of progress beside the result."""
    console.print(f"[dim]{line}[/dim]")


def _numbers(option: str, text: str) -> list[int]:
    words = [word.strip() for word in text.split(",")]
    if not all(word.isascii() and word.isdigit() for word in words):
        raise ConfigError(f"{option} {text!r} must be whole numbers with commas, such as 5,7")
    return [int(word) for word in words]
