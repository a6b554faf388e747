"""The command ``trimtab``: every subcommand, and how errors end it.

Exit codes: 0 done, 1 a check failed, 2 an error that the message explains, 3 a peer of a
benchmark is not installed, 4 the answer is degraded and the caller wants none such. Heavy modules
are imported inside the commands, so that ``--help`` answers at once.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal, NoReturn

import typer

import trimtab
from trimtab.cli.ask import ask, train_research
from trimtab.cli.bench import bench_app
from trimtab.cli.bench_cascade import cascade
from trimtab.cli.bench_games import connect_four, game24, rave, solver
from trimtab.cli.bench_retrieval import index, research, retrieval
from trimtab.cli.bench_search import search
from trimtab.cli.bench_stream import stream
from trimtab.cli.controllers import replay, train_controller, train_live_controller
from trimtab.cli.corpus import corpus_app
from trimtab.cli.data import data_app
from trimtab.cli.demo import demo
from trimtab.cli.evidence import train_evidence
from trimtab.cli.label import label
from trimtab.cli.ledger import ledger_app
from trimtab.cli.llm import llm_app, record
from trimtab.cli.output import console, emit
from trimtab.cli.play import play_app
from trimtab.cli.puzzles import puzzles, recursion, trainer
from trimtab.cli.report import report
from trimtab.cli.setup import setup_app
from trimtab.cli.threads import threads_app
from trimtab.cli.train import train_app
from trimtab.errors import MissingExtra, TrimtabError
from trimtab.records import Mode

app = typer.Typer(
    name="trimtab",
    help="An agent that learns when it does not need the LLM.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)
bench_app.command()(cascade)
bench_app.command()(index)
bench_app.command()(research)
bench_app.command()(retrieval)
bench_app.command()(search)
bench_app.command()(puzzles)
bench_app.command()(recursion)
bench_app.command()(solver)
bench_app.command()(connect_four)
bench_app.command()(game24)
bench_app.command()(rave)
train_app.command("research")(train_research)
train_app.command("trm")(trainer("trm"))
train_app.command("hrm")(trainer("hrm"))
train_app.command("plain")(trainer("plain"))
train_app.command("controller")(train_controller)
train_app.command("live-controller")(train_live_controller)
train_app.command("evidence")(train_evidence)
bench_app.command()(stream)
app.add_typer(setup_app, name="setup")
app.add_typer(bench_app, name="bench")
app.add_typer(corpus_app, name="corpus")
app.add_typer(data_app, name="data")
app.add_typer(ledger_app, name="ledger")
app.add_typer(llm_app, name="llm")
app.add_typer(play_app, name="play")
app.add_typer(threads_app, name="threads")
app.add_typer(train_app, name="train")
app.command()(ask)
app.command()(demo)
app.command()(label)
app.command()(record)
app.command()(replay)
app.command()(report)

EXTRAS = {"numba": "search", "torch": "train", "onnx": "train", "onnxscript": "train"}
"""Modules that whole commands are built on, and the extra that installs them."""

Json = Annotated[bool, typer.Option("--json", help="Print one JSON object as the last line.")]
BundleOption = Annotated[
    list[Path] | None, typer.Option("--bundle", help="Bundle of a domain of yours; repeatable.")
]


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"trimtab {trimtab.__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Log details.")] = False,
) -> None:
    logging.basicConfig(
        stream=sys.stderr,
        level=logging.INFO if verbose else logging.WARNING,
        format="%(levelname)s %(name)s: %(message)s",
    )


@app.command()
def decide(
    text: Annotated[str, typer.Argument(help="The request.")],
    domain: Annotated[str, typer.Option(help="Domain of the text.")] = "assistant",
    mode: Annotated[
        Literal["auto", "neural_only", "llm_only", "adaptive"],
        typer.Option(help="Who may answer; auto keeps the promise."),
    ] = "auto",
    spend: Annotated[
        float | None, typer.Option(help="Of mode adaptive: USD per 1,000 decisions.")
    ] = None,
    bundle: BundleOption = None,
    fail_on_degraded: Annotated[
        bool,
        typer.Option(
            "--fail-on-degraded", help="Exit 4 if the LLM was gone and a small model stood in."
        ),
    ] = False,
    as_json: Json = False,
) -> None:
    """Decide on one text and print the answer with its trail."""
    from trimtab.app.client import Trimtab
    from trimtab.cli.tables import decision_table
    from trimtab.cli.traces import recursion_grids
    from trimtab.records import decision_to_json

    bundles = named_bundles(bundle)
    with Trimtab(bundles=bundles, shipped=shipped_for(domain, bundles)) as client:
        chosen: Mode = mode
        decision = client.decide(domain, text, mode=chosen, spend_usd_per_1000=spend)
        canonical = client.nodes.serving(domain).domain.canonical
    if as_json:
        emit(decision_to_json(decision), schema="trimtab.decision/1")
    else:
        console.print(decision_table(decision, canonical))
        for part in recursion_grids(decision):
            console.print(part)
        typer.echo(decision.answer)
    if fail_on_degraded and decision.route.reason == "degraded":
        raise typer.Exit(4)


@app.command()
def certify(
    domain: Annotated[str, typer.Option(help="Domain to certify.")] = "assistant",
    loss: Annotated[
        float, typer.Option(help="Largest loss against always asking the LLM; 0.02 is 2 points.")
    ] = 0.02,
    confidence: Annotated[float, typer.Option(help="Of the promise.")] = 0.95,
    window: Annotated[int, typer.Option(help="Requests to certify on.")] = 600,
    against: Annotated[
        Literal["gold", "agreement"],
        typer.Option(help="Compare with labels, or take the LLM to be right."),
    ] = "gold",
    anew: Annotated[
        bool, typer.Option("--anew", help="Take the certificate in force back first.")
    ] = False,
    bundle: BundleOption = None,
    as_json: Json = False,
) -> None:
    """Certify a promise on the ledger's uniform requests; exit 1 where it cannot be."""
    from trimtab.agents.promise import Promise
    from trimtab.app.client import Trimtab
    from trimtab.cli.tables import verdict_sentence

    promise = Promise(loss=loss, confidence=confidence, window=window)
    bundles = named_bundles(bundle)
    with Trimtab(bundles=bundles, shipped=shipped_for(domain, bundles)) as client:
        if anew:
            client.watch.withdraw(domain)
        issued = client.certify(domain, promise, against=against)
    if as_json:
        plain = issued.to_json()
        emit(plain, schema=plain.pop("schema"))
    else:
        console.print(verdict_sentence(issued.verdict()), soft_wrap=True)
    if not issued.certificate.certified:
        raise typer.Exit(1)


@app.command()
def doctor(as_json: Json = False) -> None:
    """Probe models, bundle, ledger, LLM and versions; exit 1 with a remedy per failed probe."""
    from trimtab.cli.doctor import doctor as run

    run(as_json=as_json)


@app.command()
def serve(
    host: Annotated[str, typer.Option(help="Address to bind to.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port to bind to.")] = 8765,
    bundle: BundleOption = None,
) -> None:
    """Serve the HTTP API; on other addresses than loopback with a key (TRIMTAB_API_KEY)."""
    from trimtab.app.serve import run

    run(host=host, port=port, bundles=named_bundles(bundle))


def named_bundles(folders: list[Path] | None) -> dict[str, Path]:
    """Return bundle folders by the domain that their manifests name."""
    from trimtab.release.bundle import load

    return {load(folder).bundle.domain: folder for folder in folders or []}


def shipped_for(domain: str, bundles: Mapping[str, Path]) -> tuple[str, ...]:
    """Return the domain, whose shipped bundle is to answer, unless bundles were given."""
    return () if bundles else (domain,)


def main() -> None:
    """Run the command line; errors of trimtab are one line on stderr and exit code 2.

    A command whose modules need an absent extra is such an error.
    """
    try:
        app()
    except TrimtabError as error:
        _ended_by(error)
    except ModuleNotFoundError as error:
        module = (error.name or "").split(".")[0]
        if module not in EXTRAS:
            raise
        _ended_by(MissingExtra(module, EXTRAS[module]))


def _ended_by(error: TrimtabError) -> NoReturn:
    console.print(f"[bold red]{type(error).__name__}[/bold red]: ", end="")
    console.print(str(error), markup=False)
    sys.exit(2)
