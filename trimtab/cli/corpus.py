"""``trimtab corpus``: papers from files and from arXiv, their index, and a look into it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer
from rich.table import Table

from trimtab.cli.output import console, emit, say
from trimtab.protocols import Embedder
from trimtab.settings import Settings, load_settings

if TYPE_CHECKING:
    from trimtab.rag.corpus import Corpus
    from trimtab.rag.embedders import EmbedderKind

corpus_app = typer.Typer(help="Keep papers, and search them.", no_args_is_help=True)

Json = Annotated[bool, typer.Option("--json", help="Print one JSON object as the last line.")]
Folder = Annotated[
    Path | None, typer.Option("--corpus", help="Folder of the corpus; TRIMTAB_HOME/corpus if none.")
]
EmbedderName = Annotated[
    Literal["minilm", "wordllama", "openai"] | None,
    typer.Option("--embedder", help="That of the index if none, minilm for a new one."),
]
IndexName = Annotated[
    Literal["embedded", "pinecone", "faiss"] | None,
    typer.Option(
        "--index",
        help="Where vectors are searched; TRIMTAB_INDEX if none. Pinecone needs PINECONE_API_KEY.",
    ),
]
SCHEMA = "trimtab.corpus/1"


@corpus_app.command("import")
def import_papers(
    file: Annotated[
        Path,
        typer.Argument(help="JSON lines of arxiv_id (or id), title, abstract and what is known."),
    ],
    corpus: Folder = None,
    embedder: EmbedderName = None,
    index: IndexName = None,
    as_json: Json = False,
) -> None:
    """Store the papers of a file and index them; a second run does only what is left."""
    from trimtab.datasets.papers import read_papers
    from trimtab.rag.corpus import open_corpus
    from trimtab.rag.embedders import open_embedder

    settings = load_settings()
    with open_corpus(_folder(corpus, settings), settings, index=index) as kept:
        chosen = open_embedder(settings, wanted=embedder, made_by=kept.embedder_name)
        stored: Counter[str] = Counter()
        group = []
        for paper in read_papers(file):
            group.append(paper)
            if len(group) == 500:
                stored += kept.papers.put(group)
                group = []
        stored += kept.papers.put(group)
        indexed = kept.index(chosen, progress=_told)
    _show({"stored": dict(stored), "indexed": dict(indexed)}, as_json=as_json)


@corpus_app.command()
def fetch(
    query: Annotated[
        str, typer.Option(help='In arXiv\'s language: ti:routing AND abs:"language model".')
    ] = "",
    categories: Annotated[str, typer.Option(help="Any of these: cs.LG,cs.AI.")] = "",
    since: Annotated[str | None, typer.Option(help="First day of submission, 2024-05-01.")] = None,
    ids: Annotated[list[str] | None, typer.Option("--id", help="One paper; repeatable.")] = None,
    max_papers: Annotated[
        int, typer.Option("--max", min=1, help="Papers of this query, earlier fetches included.")
    ] = 200,
    full_text: Annotated[
        bool, typer.Option("--full-text", help="Also read the PDFs; one request each.")
    ] = False,
    refresh: Annotated[
        bool, typer.Option("--refresh", help="From the start again, for new versions.")
    ] = False,
    page_size: Annotated[int, typer.Option(help="Papers of one request.")] = 100,
    delay_s: Annotated[float, typer.Option(help="Seconds between requests.")] = 3.0,
    api_url: Annotated[
        str | None, typer.Option(help="Of a mirror of arXiv's API; arXiv's own if none.")
    ] = None,
    pdf_url: Annotated[str | None, typer.Option(help="Of a mirror of its PDFs.")] = None,
    corpus: Folder = None,
    embedder: EmbedderName = None,
    index: IndexName = None,
    as_json: Json = False,
) -> None:
    """Fetch papers from arXiv and index them; what was fetched before is not fetched again."""
    from trimtab.rag.arxiv_session import API_URL
    from trimtab.rag.arxiv_source import ArxivConfig, ArxivQuery, ArxivSource
    from trimtab.rag.corpus import open_corpus
    from trimtab.rag.embedders import open_embedder
    from trimtab.rag.full_text import PDF_URL, add_full_texts

    settings = load_settings()
    asked = ArxivQuery(
        query=query,
        categories=tuple(name.strip() for name in categories.split(",") if name.strip()),
        since=since,
        ids=tuple(ids or ()),
    )
    config = ArxivConfig(api_url=api_url or API_URL, page_size=page_size, delay_s=delay_s)
    source = ArxivSource(config, pace=settings.home / "arxiv-pace.sqlite")
    with open_corpus(_folder(corpus, settings), settings, index=index) as kept:
        chosen = open_embedder(settings, wanted=embedder, made_by=kept.embedder_name)
        fetched = source.fetch(
            asked,
            kept.papers,
            max_papers=max_papers,
            refresh=refresh,
            progress=lambda done, total: console.print(f"[dim]{done} of {total} results[/dim]"),
        )
        failures: dict[str, str] = {}
        if full_text:
            failures = add_full_texts(kept.papers, source.session, pdf_url=pdf_url or PDF_URL)
        indexed = kept.index(chosen, progress=_told)
    _show(
        {
            "query": asked.key,
            "stored": dict(fetched.counts),
            "position": fetched.position,
            "total": fetched.total,
            "without_full_text": failures,
            "indexed": dict(indexed),
        },
        as_json=as_json,
    )
    if fetched.failure is not None:
        # what came is kept and indexed; the same command goes on from there
        raise fetched.failure


@corpus_app.command()
def stats(corpus: Folder = None, as_json: Json = False) -> None:
    """Count papers, passages, categories and years."""
    from trimtab.rag.corpus import Corpus
    from trimtab.rag.embedded_index import EmbeddedIndex
    from trimtab.rag.index_file import made_with

    folder = _folder(corpus, load_settings())
    years: Counter[str] = Counter()
    categories: Counter[str] = Counter()
    papers = full_texts = 0
    with Corpus(folder, create=False) as kept:
        for paper in kept.papers.papers():
            papers += 1
            full_texts += bool(paper.sections)
            years[str(paper.year) if paper.year else "unknown"] += 1
            categories.update(paper.categories or ("unknown",))
        fetches = [
            {"query": each.query, "position": each.position, "total": each.total}
            for each in kept.papers.fetches()
        ]
        passages, embedder = 0, None
        path = kept.folder / "index.sqlite"
        if path.is_file():
            embedder, dim = made_with(path)
            with EmbeddedIndex(path, embedder=embedder, dim=dim) as index:
                passages = index.count()
    _show(
        {
            "folder": str(folder),
            "papers": papers,
            "full_texts": full_texts,
            "passages": passages,
            "embedder": embedder,
            "years": dict(sorted(years.items())),
            "categories": dict(categories.most_common(20)),
            "fetches": fetches,
        },
        as_json=as_json,
    )


@corpus_app.command()
def search(
    query: Annotated[str, typer.Argument(help="Words, a question, or an exact phrase in quotes.")],
    k: Annotated[int, typer.Option("-k", min=1, help="Passages to show.")] = 8,
    category: Annotated[str | None, typer.Option(help="Only of this category.")] = None,
    since: Annotated[str | None, typer.Option(help="First day, 2024-05-01.")] = None,
    until: Annotated[str | None, typer.Option(help="Last day.")] = None,
    mode: Annotated[
        Literal["hybrid", "rrf", "dense", "bm25"], typer.Option(help="How to find.")
    ] = "hybrid",
    shipped: Annotated[
        bool, typer.Option("--shipped", help="The papers of trimtab; also where you keep none.")
    ] = False,
    corpus: Folder = None,
    embedder: EmbedderName = None,
    index: IndexName = None,
    as_json: Json = False,
) -> None:
    """Show the passages nearest to a query, with their papers."""
    from trimtab.rag.corpus import paper_filter
    from trimtab.rag.hybrid import HybridConfig

    with (
        _searched(corpus, shipped, embedder, index, load_settings()) as (kept, chosen),
        kept.open_index(chosen) as opened,
    ):
        retriever = kept.retriever(
            opened,
            chosen,
            config=HybridConfig(mode=mode),
            where=paper_filter(category=category, since=since, until=until),
        )
        passages = retriever.retrieve(query, k=k)
        folder = str(kept.folder)
    if as_json:
        found = [
            {
                "source_id": passage.source_id,
                "score": passage.score,
                "text": passage.text,
                "metadata": dict(passage.metadata),
            }
            for passage in passages
        ]
        document = {"query": query, "mode": mode, "folder": folder, "passages": found}
        emit(document, schema="trimtab.search/1")
        return
    for number, passage in enumerate(passages, start=1):
        facts = passage.metadata
        say(
            f"[{number}] {facts.get('title', '')} (arXiv:{facts['paper']}, "
            f"{facts.get('year', 'year unknown')}, {facts['section']}) {passage.score:.3f}"
        )
        say(f"    {passage.text[:300]}{'…' if len(passage.text) > 300 else ''}")
    if not passages:
        console.print("nothing found")


def _folder(corpus: Path | None, settings: Settings) -> Path:
    return corpus or settings.home / "corpus"


@contextmanager
def _searched(
    corpus: Path | None,
    shipped: bool,
    wanted: EmbedderKind | None,
    index: str | None,
    settings: Settings,
) -> Iterator[tuple[Corpus, Embedder]]:
    """Open the corpus to search and its embedder; who keeps no papers searches those of trimtab."""
    from trimtab.app.research import corpus_folder
    from trimtab.datasets.shipped_papers import open_shipped_corpus, shipped_papers
    from trimtab.rag.corpus import open_corpus
    from trimtab.rag.embedders import open_embedder
    from trimtab.rag.vector_service import service_of

    own = corpus_folder(settings, corpus=corpus, shipped=shipped)
    if own is None:
        if not shipped:
            console.print(
                f"[dim]you keep no papers yet (trimtab corpus import|fetch); these are the "
                f"{len(shipped_papers())} of trimtab[/dim]"
            )
        chosen = open_embedder(settings, wanted=wanted)
        service = service_of(settings, index=index)
        with open_shipped_corpus(settings.home, chosen, service=service) as kept:
            yield kept, chosen
        return
    with open_corpus(own, settings, create=False, index=index) as kept:
        yield kept, open_embedder(settings, wanted=wanted, made_by=kept.embedder_name)


def _told(counts: Counter[str]) -> None:
    papers = counts["added"] + counts["replaced"] + counts["unchanged"]
    console.print(f"[dim]{papers} papers, {counts['passages']} passages written[/dim]")


def _show(document: dict[str, object], *, as_json: bool) -> None:
    if as_json:
        emit(document, schema=SCHEMA)
        return
    table = Table("what", "value")
    for name, value in document.items():
        if isinstance(value, dict):
            value = ", ".join(f"{key} {count}" for key, count in value.items()) or "none"
        table.add_row(name, str(value))
    console.print(table)
