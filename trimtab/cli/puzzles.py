"""``trimtab train trm | hrm | plain`` and ``trimtab bench puzzles | recursion``."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated, Literal

import typer

from trimtab.cli.bench import Json, Seed, show
from trimtab.cli.output import console
from trimtab.errors import ConfigError

Net = Literal["trm", "hrm", "plain"]
Puzzle = Literal["sudoku4", "sudoku6", "sudoku9", "maze11", "maze15"]


def trainer(net: Net) -> Callable[..., None]:
    """Return the command that trains one configuration of the recursive core."""

    def train(
        puzzle: Annotated[Puzzle, typer.Option(help="Kind of the puzzles.")],
        out: Annotated[Path, typer.Option(help="Folder of the bundle to write.")],
        preset: Annotated[
            Literal["smoke", "short", "long"],
            typer.Option(help="About a CPU minute, up to 15 CPU minutes, or CPU hours."),
        ] = "short",
        run: Annotated[
            Path | None,
            typer.Option(help="Folder of curve and snapshots.", show_default="OUT.run"),
        ] = None,
        resume: Annotated[
            bool, typer.Option("--resume", help="Go on from the run's last snapshot.")
        ] = False,
        steps: Annotated[
            int | None, typer.Option(min=1, help="Optimiser steps instead of the preset's.")
        ] = None,
        stop_at: Annotated[
            int | None, typer.Option(min=1, help="End after so many of the preset's steps.")
        ] = None,
        seed: Seed = 0,
        as_json: Json = False,
    ) -> None:
        from trimtab.app.puzzle_training import PuzzleTraining, train_puzzle_net
        from trimtab.cli.tables import show_packed, training_bar

        asked = PuzzleTraining(
            net=net,
            puzzle=puzzle,
            preset=preset,
            out=out,
            folder=run or out.with_name(f"{out.name}.run"),
            seed=seed,
            steps=steps,
            stop_at=stop_at,
            resume=resume,
        )
        with training_bar() as progress:
            task = progress.add_task("generating puzzles", total=None)

            def watch(point: Mapping[str, float], total: int) -> None:
                text = f"loss {point['answer_loss']:.3f}, exact in training {point['exact']:.1%}"
                progress.update(task, total=total, completed=point["step"], description=text)

            packed = train_puzzle_net(asked, watch=watch)
        show_packed(packed, out=out, title=f"{net} on {puzzle}", as_json=as_json)

    train.__doc__ = {
        "trm": "Train a tiny recursive net (TRM) on generated puzzles and pack it.",
        "hrm": "Train a hierarchical reasoning net (HRM) on generated puzzles and pack it.",
        "plain": "Train a feed-forward net of the same size, to compare with.",
    }[net]
    return train


def puzzles(
    file: Annotated[
        list[Path], typer.Option(help="CSV with columns question and answer. Repeatable.")
    ],
    agent: Annotated[str, typer.Option(help="trm, hrm or plain.")] = "trm",
    bundle: Annotated[
        list[Path] | None, typer.Option(help="Nets in the place of the shipped ones. Repeatable.")
    ] = None,
    limit: Annotated[
        str,
        typer.Option(help="First rows read: one number, or one for each file, comma separated."),
    ] = "",
    seed: Seed = 0,
    as_json: Json = False,
) -> None:
    """Measure how often a recursive net solves puzzles, and whether it knows when."""
    from trimtab.bench.puzzles import run

    result = run(
        files=file,
        agent=agent,
        bundles=bundle or (),
        limits=_numbers(limit),
        seed=seed,
        progress=lambda line: console.print(f"[dim]{line}[/dim]"),
    )
    show(result, as_json=as_json)


def _numbers(text: str) -> list[int]:
    parts = [part.strip() for part in text.split(",") if part.strip()]
    if not all(part.isdecimal() for part in parts):
        raise ConfigError(f"limit={text!r} holds no whole numbers; write it like 200,200,100,100")
    return [int(part) for part in parts]


def recursion(
    cpu_minutes: Annotated[float, typer.Option(help="CPU minutes of training for each net.")] = 2.0,
    nets: Annotated[
        str, typer.Option(help="Nets, comma separated; all of them if none.", show_default="all")
    ] = "",
    puzzles: Annotated[int, typer.Option(min=1, help="Puzzles to learn from.")] = 1000,
    unseen: Annotated[int, typer.Option(min=1, help="Puzzles to measure on.")] = 500,
    page: Annotated[
        Path | None, typer.Option(help="Page whose tables and drawings are written anew.")
    ] = None,
    seed: Seed = 0,
    as_json: Json = False,
) -> None:
    """Compare TRM, HRM and feed-forward nets: same 6×6 Sudokus, same processor time."""
    from trimtab.bench.recursion import NETS, run
    from trimtab.bench.recursion_page import check_page, update_page

    if page is not None:
        check_page(page)
    asked = [name.strip() for name in nets.split(",") if name.strip()] or NETS
    result = run(
        cpu_minutes=cpu_minutes,
        nets=asked,
        puzzles=puzzles,
        unseen=unseen,
        seed=seed,
        progress=lambda line: console.print(f"[dim]{line}[/dim]"),
    )
    if page is not None:
        update_page(page, result)
    show(result, as_json=as_json)
