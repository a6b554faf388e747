"""``trimtab train evidence``: the selector of evidence."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal

import typer

from trimtab.cli.bench import Json, Seed


def train_evidence(
    out: Annotated[Path, typer.Option(help="Folder of the bundle to write.")],
    papers: Annotated[
        Path | None, typer.Option(help="JSON lines of papers; those of trimtab if none.")
    ] = None,
    embedder: Annotated[
        Literal["minilm", "wordllama"], typer.Option(help="Whose vectors it will read.")
    ] = "minilm",
    steps: Annotated[
        int | None, typer.Option(min=1, help="Optimiser steps instead of the recipe's.")
    ] = None,
    seed: Seed = 0,
    as_json: Json = False,
) -> None:
    """Train the recursive net that selects evidence, on titles and sentences of papers."""
    from trimtab.app import evidence_training
    from trimtab.cli.tables import show_packed, training_bar
    from trimtab.embedding import CachedEmbedder, load_embedder
    from trimtab.settings import load_settings

    settings = load_settings()
    chosen = CachedEmbedder(
        load_embedder(embedder, models=settings.models), settings.home / "embeddings.sqlite"
    )
    asked = evidence_training.EvidenceTraining(out=out, papers=papers, seed=seed, steps=steps)
    with training_bar() as progress:
        task = progress.add_task("asking", total=None)

        def watch(point: Mapping[str, float], total: int) -> None:
            text = f"loss {point['loss']:.3f}, right in training {point['exact']:.1%}"
            progress.update(task, total=total, completed=point["step"], description=text)

        packed = evidence_training.train_evidence(
            asked,
            chosen,
            progress=lambda line: progress.update(task, description=line),
            watch=watch,
        )
    show_packed(packed, out=out, title="selector of evidence", as_json=as_json)
