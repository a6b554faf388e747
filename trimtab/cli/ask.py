"""``trimtab ask``: a question over papers, answered with its sources and its price."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from trimtab.cli.output import console, emit, say
from trimtab.settings import load_settings

if TYPE_CHECKING:
    from trimtab.agents.answers import Answer, Source

SCHEMA = "trimtab.answer/1"


def ask(
    question: Annotated[str, typer.Argument(help="What to find out from the papers.")],
    mode: Annotated[
        Literal["auto", "neural_only", "llm_only"],
        typer.Option(
            help="auto asks the LLM where the sentences found are not sure enough, neural_only "
            "never, llm_only always."
        ),
    ] = "auto",
    category: Annotated[str, typer.Option(help="Only papers of this category.")] = "",
    since: Annotated[str, typer.Option(help="First day, 2024-05-01.")] = "",
    until: Annotated[str, typer.Option(help="Last day.")] = "",
    shipped: Annotated[
        bool, typer.Option("--shipped", help="The papers of trimtab; also where you keep none.")
    ] = False,
    corpus: Annotated[
        Path | None, typer.Option("--corpus", help="Folder of the corpus; TRIMTAB_HOME/corpus.")
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one JSON object as the last line.")
    ] = False,
) -> None:
    """Answer a question from papers, with numbered sources and the price."""
    from trimtab.agents.answers import answer_to_json
    from trimtab.app.research import corpus_folder, open_researcher

    settings = load_settings()
    folder = corpus_folder(settings, corpus=corpus, shipped=shipped)
    with open_researcher(settings, corpus=folder) as researcher:
        answer = researcher.ask(question, mode=mode, category=category, since=since, until=until)
    if as_json:
        emit(answer_to_json(answer), schema=SCHEMA)
        return
    say(answer.text)
    for source in answer.sources:
        say(f"[{source.number}] {described(source)}")
    if answer.nearest:
        say("Nearest, and not an answer:")
        for source in answer.nearest:
            say(f"  - {described(source)}")
    console.print(summary(answer), markup=False, soft_wrap=True)


def described(source: Source) -> str:
    """Return a source in one line: title, id, first author and date where they are known."""
    authors = source.authors or ()
    people = (
        f"{authors[0]}{' et al.' if len(authors) > 1 else ''}" if authors else "authors unknown"
    )
    when = source.date or "date unknown"
    return f"{source.title} ({people}, {when}, arXiv:{source.arxiv_id}, {source.section})"


def summary(answer: Answer) -> str:
    """Return who speaks, how sure that is, and what it cost."""
    calls = ", ".join(f"{count} {name}" for name, count in answer.calls.items())
    lines = [
        f"{answer.mark}; confidence {answer.confidence:.2f}; calls: {calls}; "
        f"{answer.usage.cost_usd:.7f} USD, {answer.usage.cpu_s:.2f} CPU-s"
    ]
    if answer.dropped:
        lines.append(f"{len(answer.dropped)} claims were dropped: no passage supports them")
    return "\n".join([*lines, *answer.marks])


def train_research(
    out: Annotated[Path, typer.Option(help="File of the fit to write.")],
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one JSON object as the last line.")
    ] = False,
) -> None:
    """Refit when `trimtab ask` answers, asks the LLM, and believes a citation."""
    from trimtab.agents.selection import FusionSelector
    from trimtab.app.research import open_library
    from trimtab.app.research_training import fit_research, unseen_figures, write_fit

    with open_library(load_settings()) as library:
        fitted = fit_research(library, FusionSelector())
        figures = {**fitted.recipe, "test": unseen_figures(fitted, library, FusionSelector())}
    write_fit(fitted, out)
    if as_json:
        emit({"out": str(out), **figures}, schema="trimtab.research-fit-figures/1")
        return
    for name in ("held_out", "test"):
        for part, values in figures[name].items():
            typer.echo(f"{name} {part}: {values}")
