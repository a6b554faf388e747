"""``trimtab bench cascade``: the controller by value of computation beside its rivals."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from trimtab.cli.bench import Json, Seed, show


def cascade(
    table: Annotated[Path, typer.Option(help="Recorded answers, one row per question and model.")],
    models: Annotated[
        str, typer.Option(help="Models, comma separated; all if the table has at most 8.")
    ] = "",
    train_size: Annotated[int, typer.Option(help="Questions to learn and choose on.")] = 500,
    splits: Annotated[int, typer.Option(help="Random divisions of the questions.")] = 10,
    strong: Annotated[
        str | None,
        typer.Option(help="The model that the promise is measured against; the best one if none."),
    ] = None,
    promise: Annotated[
        float | None, typer.Option(help="Largest loss against the strong model, such as 0.02.")
    ] = None,
    confidence: Annotated[float, typer.Option(help="Of the promise.")] = 0.95,
    streams: Annotated[int, typer.Option(help="Resampled streams of the promise.")] = 200,
    variants: Annotated[
        bool, typer.Option("--variants", help="Test a GRU and a text variant for promotion.")
    ] = False,
    seed: Seed = 0,
    as_json: Json = False,
) -> None:
    """Measure cascades of recorded models: area, price of a quality, and a promise if asked."""
    from trimtab.bench.cascade import run
    from trimtab.embedding import load_embedder
    from trimtab.settings import load_settings

    embedder = load_embedder("wordllama", models=load_settings().models) if variants else None
    result = run(
        table=table,
        models=[name.strip() for name in models.split(",") if name.strip()],
        train_size=train_size,
        splits=splits,
        strong=strong,
        promise=0.02 if promise is None else promise,
        confidence=confidence,
        streams=0 if promise is None else streams,
        seed=seed,
        variants=embedder,
    )
    show(result, as_json=as_json)
