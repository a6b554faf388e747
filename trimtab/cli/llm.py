"""``trimtab llm serve`` and ``trimtab record``: the embedded model as a server, answers on file."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
import typer

from trimtab.cli.output import console, emit

if TYPE_CHECKING:
    from trimtab.datasets.tables import LabelledText
    from trimtab.protocols import AnyDomain, Retriever
    from trimtab.settings import Settings

llm_app = typer.Typer(help="The embedded LLM.", no_args_is_help=True)


@llm_app.callback()
def _root() -> None:
    """Keep ``serve`` a subcommand although it is the only one."""


@llm_app.command()
def serve(
    port: Annotated[
        int, typer.Option(min=0, max=65535, help="Port on 127.0.0.1; 0 takes a free one.")
    ] = 0,
) -> None:
    """Serve SmolLM2-135M-Instruct behind the OpenAI API until standard input ends.

    Prints one JSON line {"url", "pid", "model"} once it is healthy. One thread, loopback only.
    """
    from trimtab.agents import local_llm

    local_llm.serve(port=port)


def record(
    out: Annotated[Path, typer.Option(help="New file for the recording (JSON Lines).")],
    domain: Annotated[str, typer.Option(help="Domain whose labels are asked for.")] = "assistant",
    n: Annotated[int, typer.Option(min=1, help="Requests, drawn uniformly.")] = 40,
    table: Annotated[
        Path | None,
        typer.Option(help="Labelled texts to draw from; the shipped test set or puzzles if none."),
    ] = None,
    text_column: Annotated[str, typer.Option(help="Column of the texts.")] = "text",
    label_column: Annotated[str, typer.Option(help="Column of the labels.")] = "label",
    bundle: Annotated[
        Path | None, typer.Option(help="Bundle of the domain; the shipped one if none.")
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the draw.")] = 0,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one JSON object as the last line.")
    ] = False,
) -> None:
    """Ask the LLM on drawn requests and keep its answers, to be played back without it."""
    from trimtab.app.demo_puzzles import ASKED, recorded_puzzles
    from trimtab.app.serving import LLM, bundle_servings, shipped_bundle
    from trimtab.datasets.tables import LabelledText, read_table, shipped
    from trimtab.graphs.serving import FEW_SHOT
    from trimtab.settings import load_settings

    settings = load_settings()
    if table is None and domain == ASKED.kind:
        rows: Sequence[LabelledText] = [
            LabelledText(row.question, row.answer) for row in recorded_puzzles()
        ]
    elif table is None:
        rows = shipped(domain).test
    else:
        rows = read_table(table, text_column=text_column, label_column=label_column)
    folder = bundle or shipped_bundle(domain)
    # the expert of this serving is never asked: the recording one is opened below
    expert = LLM(settings).agent
    serving = bundle_servings({domain: folder}, settings=settings, expert=expert)[domain]
    report = record_answers(
        serving.domain,
        serving.retriever,
        draw(rows, n=n, seed=seed),
        out=out,
        settings=settings,
        few_shot=FEW_SHOT,
        command=shlex.join(["trimtab", *sys.argv[1:]]),
        progress=lambda line: console.print(line, markup=False),
    )
    if as_json:
        emit(report, schema="trimtab.record/1")
    else:
        console.print(
            f"{report['right']} of {report['asked']} right, {report['unreadable']} unreadable, "
            f"{report['cost_usd']:.6f} USD; recorded in {out}"
        )


def draw(rows: Sequence[LabelledText], *, n: int, seed: int) -> list[LabelledText]:
    """Return ``n`` rows drawn uniformly without repetition, in the order of the draw.

    Raises:
        InputError: there are fewer rows.
    """
    from trimtab.errors import InputError

    if n > len(rows):
        raise InputError(f"n={n} requests, but there are only {len(rows)}; ask for fewer")
    picked = np.random.default_rng(seed).choice(len(rows), size=n, replace=False)
    return [rows[int(row)] for row in picked]


def record_answers(
    domain: AnyDomain,
    retriever: Retriever | None,
    rows: Sequence[LabelledText],
    *,
    out: Path,
    settings: Settings,
    few_shot: int,
    command: str,
    progress: Callable[[str], None],
) -> dict[str, Any]:
    """Ask the LLM of the settings on every row, record its replies, and return what came of it.

    A reply that cannot be read is counted and does not end the run; it is recorded.

    Raises:
        ConfigError: the file exists, or the LLM cannot be opened, refuses the key or has no price.
        LLMError: a request does not fit, a reply has no token counts, or the LLM does not answer
            any more; what came before is in the file.
    """
    from trimtab.agents.llm import LLMAgent, UnreadableReply, open_chat_model
    from trimtab.errors import ParseError
    from trimtab.pricing import load_prices
    from trimtab.records import Prediction, Usage

    spent = Usage()
    right = unreadable = 0
    with open_chat_model(settings, record_to=out, command=command) as opened:
        agent = LLMAgent(
            domain, opened.model, model_id=opened.model_id, prices=load_prices(settings)
        )
        for done, row in enumerate(rows, start=1):
            passages = retriever.retrieve(row.text, k=few_shot) if retriever else []
            [answer] = agent.attempt([domain.from_text(row.text)], context=[passages])
            if isinstance(answer, Prediction):
                spent += answer.usage
                label = domain.canonical(answer.action)
                right += label == domain.canonical(row.label)
            elif not isinstance(answer, ParseError):
                raise answer
            else:
                unreadable += 1
                label = str(answer)
                if isinstance(answer, UnreadableReply):
                    spent += answer.usage
            progress(f"{done}/{len(rows)} {row.text[:60]!r} -> {label}")
    return {
        "recording": str(out),
        "model": opened.model_id,
        "asked": len(rows),
        "right": right,
        "unreadable": unreadable,
        "prompt_tokens": spent.prompt_tokens,
        "completion_tokens": spent.completion_tokens,
        "latency_s": spent.latency_s,
        "cost_usd": spent.cost_usd,
    }
