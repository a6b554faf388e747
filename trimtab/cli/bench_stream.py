"""``trimtab bench stream``: the promise while the world moves."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from trimtab.cli.bench import Json, Seed, show


def stream(
    table: Annotated[
        list[Path], typer.Option(help="Recorded answers; give it several times to join tables.")
    ],
    strong: Annotated[str, typer.Option(help="The model that the promise is measured against.")],
    models: Annotated[
        str,
        typer.Option(help="Models, comma separated, the strong one among them; all of up to 8."),
    ] = "",
    n: Annotated[int, typer.Option("--n", help="Requests of a stream.")] = 10_000,
    drift_at: Annotated[int, typer.Option(help="Requests before the drift; n for none.")] = 6000,
    drift_by: Annotated[str, typer.Option(help="What changes: category.")] = "category",
    after: Annotated[
        str,
        typer.Option(help="Categories after the drift, comma separated; the worst third if none."),
    ] = "",
    drift: Annotated[
        str, typer.Option(help="Kinds of drift, comma separated.")
    ] = "covariate,label,llm",
    promise: Annotated[float, typer.Option(help="Largest loss against the strong model.")] = 0.02,
    confidence: Annotated[float, typer.Option(help="Of the promise, over a lifetime.")] = 0.95,
    streams: Annotated[int, typer.Option(help="Streams, each with its own halves.")] = 200,
    audit_rate: Annotated[
        float, typer.Option(help="Share of served requests audited, by every method.")
    ] = 0.02,
    controllers: Annotated[
        int, typer.Option(help="Controllers by value of computation in the pool; slow.")
    ] = 0,
    seed: Seed = 0,
    as_json: Json = False,
) -> None:
    """Measure a promise under drift: kept, delay, false alarms, LLM share, beside rivals."""
    from trimtab.bench.stream import run

    result = run(
        tables=table,
        models=_names(models),
        strong=strong,
        n=n,
        drift_at=drift_at,
        drift_by=drift_by,
        after=_names(after),
        drift=_names(drift),
        promise=promise,
        confidence=confidence,
        streams=streams,
        audit_rate=audit_rate,
        controllers=controllers,
        seed=seed,
    )
    show(result, as_json=as_json)


def _names(text: str) -> list[str]:
    return [name.strip() for name in text.split(",") if name.strip()]
