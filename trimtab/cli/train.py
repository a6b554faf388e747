"""``trimtab train``: the text tiers from a table, or a board net by self-play."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal

import typer

from trimtab.cli.output import console

train_app = typer.Typer(
    invoke_without_command=True, help="Train the text tiers, or a board net by self-play."
)
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object as the last line.")]


@train_app.callback()
def texts(
    context: typer.Context,
    out: Annotated[
        Path | None, typer.Option(help="Folder of the bundle to write.", show_default="required")
    ] = None,
    table: Annotated[
        Path | None,
        typer.Option(help="CSV, JSONL or Parquet of labelled texts; the shipped set if none."),
    ] = None,
    domain: Annotated[
        str, typer.Option(help="Name of the domain that the table makes.")
    ] = "assistant",
    text_column: Annotated[str, typer.Option(help="Column of the texts.")] = "text",
    label_column: Annotated[str, typer.Option(help="Column of the labels.")] = "label",
    oos_label: Annotated[
        str | None, typer.Option(help="Label that stands for: none of the others.")
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Seed of every draw.")] = 0,
    as_json: Json = False,
) -> None:
    """Train the text tiers on a table of yours and pack them into a bundle."""
    if context.invoked_subcommand is not None:
        return
    if out is None:
        raise typer.BadParameter("give the folder of the bundle to write", param_hint="--out")
    from trimtab.app.training import train_choices
    from trimtab.cli.tables import show_packed

    packed = train_choices(
        table,
        domain=domain,
        out=out,
        text_column=text_column,
        label_column=label_column,
        oos_label=oos_label,
        seed=seed,
        progress=lambda line: console.print(f"[dim]{line}[/dim]"),
    )
    show_packed(packed, out=out, title="ladder", as_json=as_json)


@train_app.command("connect-four")
def connect_four(
    out: Annotated[Path, typer.Option(help="Folder of the bundle to write.")],
    preset: Annotated[
        Literal["smoke", "short", "long"],
        typer.Option(help="Within 90 CPU seconds, 10 minutes, or 4 CPU hours."),
    ] = "short",
    run: Annotated[
        Path | None,
        typer.Option(help="Folder of curve and snapshots.", show_default="OUT with .run appended"),
    ] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on from the run's last snapshot.")
    ] = False,
    iterations: Annotated[
        int | None,
        typer.Option(min=1, help="Instead of the preset's; ends a resumed run sooner or later."),
    ] = None,
    processes: Annotated[
        int, typer.Option(min=1, help="That play; the net does not depend on it.")
    ] = 1,
    seed: Annotated[int, typer.Option(min=0, help="Seed of every draw.")] = 0,
    as_json: Json = False,
) -> None:
    """Teach a net Connect Four by self-play alone, measure it and pack it into a bundle."""
    from trimtab.app.board_training import BoardRun, train_board_net
    from trimtab.cli.tables import show_packed, training_bar

    asked = BoardRun(
        game="connect_four",
        preset=preset,
        out=out,
        folder=run or out.with_name(f"{out.name}.run"),
        seed=seed,
        iterations=iterations,
        processes=processes,
        resume=resume,
    )
    with training_bar() as progress:
        task = progress.add_task("self-play", total=iterations)

        def watch(point: Mapping[str, float], total: int) -> None:
            rate = point.get("mistake_rate")
            said = "" if rate is None else f", mistakes {rate:.1%}"
            text = f"{point['games']:,.0f} games, policy loss {point['policy_loss']:.3f}{said}"
            progress.update(task, total=total, completed=point["iteration"], description=text)

        packed = train_board_net(asked, watch=watch)
    show_packed(packed, out=out, title=f"{preset} net", as_json=as_json)


@train_app.command("gates")
def gates(
    bundle: Annotated[Path, typer.Option(help="Bundle of a Connect Four net.")],
    out: Annotated[Path, typer.Option(help="Folder of the bundle to write.")],
    positions: Annotated[
        int, typer.Option(min=60, help="Positions to fit on, solved exactly.")
    ] = 1500,
    seed: Annotated[int, typer.Option(min=0, help="Seed of their draw.")] = 0,
    as_json: Json = False,
) -> None:
    """Fit how sure a net and its searches may be, and pack net and gates into a new bundle."""
    from trimtab.app.board_gates import add_gates
    from trimtab.cli.tables import show_packed

    packed = add_gates(bundle, out=out, positions=positions, seed=seed)
    show_packed(packed, out=out, title="net with gates", as_json=as_json)
