"""``trimtab bench retrieval`` and ``trimtab bench index``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from trimtab.cli.bench import Json, Seed, show
from trimtab.cli.output import console


def retrieval(
    docs: Annotated[
        Path, typer.Option(help="JSON lines of doc_id, title, text; or papers with --known-item.")
    ],
    queries: Annotated[
        Path | None, typer.Option(help="JSON lines of query_id, query, relevant.")
    ] = None,
    known_item: Annotated[
        str | None, typer.Option(help="title: hide the titles of papers and ask for them.")
    ] = None,
    embedder: Annotated[str, typer.Option(help="minilm or wordllama.")] = "minilm",
    weights: Annotated[
        bool, typer.Option("--weights", help="Choose the cosine's weight on these queries.")
    ] = False,
    selector: Annotated[
        Path | None, typer.Option(help="Bundle of `trimtab train evidence`, to measure beside.")
    ] = None,
    seed: Seed = 0,
    as_json: Json = False,
) -> None:
    """Measure BM25, dense and hybrid retrieval on documents with queries."""
    from trimtab.bench.retrieval import run

    result = run(
        docs=docs,
        queries=queries,
        known_item=known_item,
        embedder=embedder,
        weights=weights,
        selector=selector,
        seed=seed,
        progress=lambda line: console.print(f"[dim]{line}[/dim]"),
    )
    show(result, as_json=as_json)


def index(
    n: Annotated[int, typer.Option(help="Passages to generate.")] = 100_000,
    queries: Annotated[int, typer.Option(help="Queries of each kind.")] = 200,
    index: Annotated[
        Literal["embedded", "faiss"], typer.Option(help="Which searches by vectors.")
    ] = "embedded",
    seed: Seed = 0,
    as_json: Json = False,
) -> None:
    """Measure how the embedded index builds, starts and answers at a size."""
    from trimtab.bench.index import run

    result = run(
        n=n,
        queries=queries,
        index=index,
        seed=seed,
        progress=lambda line: console.print(f"[dim]{line}[/dim]"),
    )
    show(result, as_json=as_json)


def research(
    split: Annotated[
        Literal["test", "dev"], typer.Option(help="dev is what thresholds were fitted on.")
    ] = "test",
    expert: Annotated[
        str, typer.Option(help="live: the LLM of the settings; or simulated:0.9.")
    ] = "live",
    seed: Seed = 0,
    as_json: Json = False,
) -> None:
    """Measure answers over the shipped papers: support, citations, refusals and cost."""
    from trimtab.bench.research import run

    result = run(
        split=split,
        expert=expert,
        seed=seed,
        progress=lambda line: console.print(f"[dim]{line}[/dim]"),
    )
    show(result, as_json=as_json)
