"""``trimtab demo``: train, stream, ask the live LLM, show what earning looks like, report."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.panel import Panel
from rich.progress import track
from rich.table import Table

from trimtab.cli.demo_exact import connect_four, papers, puzzles, spelled
from trimtab.cli.output import console, emit
from trimtab.cli.tables import metrics_table, verdict_sentence
from trimtab.errors import ConfigError

TITLES = {
    "ladder": "1  Train the text tiers on the shipped set",
    "stream": "2  Stream the test requests through the SDK, small models only",
    "llm": "3  Ask the live LLM on requests drawn uniformly",
    "earn": "4  The same stream with a SIMULATED expert, to show what earning looks like",
    "connect_four": "5  Connect Four: net, search, larger search, LLM, judged by the exact solver",
    "puzzles": "6  Puzzles: recursive net, restarts, exact search, LLM, judged by the exact solver",
    "papers": "7  Papers: cited sentences, or that the corpus does not say",
    "report": "8  Write the report",
}


def demo(
    only: Annotated[str | None, typer.Option(help=f"One row: {', '.join(TITLES)}.")] = None,
    out: Annotated[Path, typer.Option(help="Folder of the bundle, ledger and report.")] = Path(
        "runs/demo"
    ),
    recorded: Annotated[
        bool, typer.Option("--recorded", help="Play the shipped answers of the embedded LLM.")
    ] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one JSON object as the last line.")
    ] = False,
) -> None:
    """Show the whole path on the shipped domain: no key, no network."""
    from trimtab.app.demo import ROWS, Demo
    from trimtab.settings import load_settings

    if only is not None and only not in ROWS:
        raise ConfigError(f"--only {only!r} is no row of the demo; use one of {list(ROWS)}")
    chosen = ROWS if only is None else (only,)
    run = Demo(
        folder=out,
        settings=load_settings(),
        progress=lambda line: console.print(f"  [dim]{line}[/dim]"),
        recorded=recorded,
        track=_track,
    )
    run.start()
    shown: dict[str, Any] = {}
    try:
        for row in chosen:
            title = TITLES[row].replace("the live LLM", "a recording of the LLM")
            console.rule(title if recorded else TITLES[row], align="left")
            started = time.perf_counter()
            shown[row] = run.run(row)
            seconds = time.perf_counter() - started
            shown[row]["seconds"] = seconds
            for part in _PAGES[row](shown[row]):
                console.print(part)
            console.print(f"  [dim]{seconds:.1f} s[/dim]")
    finally:
        run.close()
    if as_json:
        emit({"rows": shown}, schema="trimtab.demo/1")


def _track(items: Iterable[Any], title: str, total: int) -> Iterable[Any]:
    return track(items, description=f"  {title}", total=total, console=console, transient=True)


def _ladder(row: Mapping[str, Any]) -> list[Any]:
    return [
        metrics_table(
            f"{row['texts']} texts, {row['labels']} labels; measured out of fold", row["metrics"]
        ),
        f"  bundle {row['bundle_id'][:12]}",
    ]


def _stream(row: Mapping[str, Any]) -> list[Any]:
    table = Table(title=f"{row['n']} test requests, by the tier that answered")
    for heading in ("tier", "share", "right", "95 % interval", "CPU-ms"):
        table.add_column(heading, justify="left" if heading == "tier" else "right")
    for tier, figures in row["tiers"].items():
        table.add_row(
            tier, f"{figures['share']:.1%}", *spelled(figures), f"{figures['cpu_ms']:.2f}"
        )
    table.add_row("all", "100.0%", *spelled(row["all"]), "", style="bold")
    accepted = row["accepted"]
    share, right = accepted["share"], spelled(accepted)
    return [
        table,
        f"  sure enough to be shown without the LLM (confidence ≥ {row['threshold']:.2f}): "
        f"{share:.1%} of requests, {right[0]} of them right ({right[1]})",
    ]


def _llm(row: Mapping[str, Any]) -> list[Any]:
    if row["model"] is None:
        return [f"  the LLM gave no answer to any of {row['n']} requests; see the warnings above"]
    cases = "\n".join(
        f"[{'green' if case['answer'] == case['truth'] else 'red'}]"
        f"{_escape(case['answer'])}[/] (truth: {_escape(case['truth'])})  {_escape(case['text'])}"
        for case in row["verbatim"]
    )
    llm, small = spelled(row["llm"]), spelled(row["small_models"])
    played = " (recorded)" if row["recorded"] else ""
    unreadable = f", {row['unreadable']} without a readable answer" if row["unreadable"] else ""
    return [
        Panel(cases, title="verbatim", expand=False),
        f"  {row['model']}{played} on {row['n']} requests{unreadable}: {llm[0]} right ({llm[1]}); "
        f"the small models on the same ones: {small[0]} ({small[1]})",
        f"  always asking it would cost {row['usd_per_1000']:.4f} USD per 1,000 decisions and "
        f"{row['latency_s']:.2f} s each",
        "  " + verdict_sentence(row["verdict"]),
        *_avoided(row),
    ]


def _avoided(row: Mapping[str, Any]) -> list[str]:
    """Return what a refusal avoids on the whole test stream, audits aside."""
    calls = row["calls_avoided"]
    if not calls:
        return []
    usd = calls * row["usd_per_1000"] / 1000
    return [f"  avoided on {calls} requests: {calls} calls, {usd:.4f} USD"]


def _earn(row: Mapping[str, Any]) -> list[Any]:
    title = f"{row['n']} requests under the promise, {row['expert']} at {row['priced_as']}'s price"
    table = Table(title=title)
    for heading in ("policy", "right", "95 % interval", "LLM share", "USD / 1,000"):
        table.add_column(heading, justify="left" if heading == "policy" else "right")
    table.add_row(
        f"always the expert ({row['expert']})",
        *spelled(row["always"]),
        "100.0%",
        f"{row['usd_per_1000_always']:.4f}",
    )
    table.add_row(
        f"routed (expert {row['expert']})",
        *spelled(row["routed"]),
        f"{row['llm_share']:.1%}",
        f"{row['usd_per_1000']:.4f}",
    )
    never, always, share = row["never"], row["always"], row["llm_share"]
    table.add_row("never the expert", *spelled(never), "0.0%", "0.0000")
    mixed = share * always["accuracy"] + (1 - share) * never["accuracy"]
    table.add_row(
        f"random at equal share (expert {row['expert']})",
        f"{mixed:.1%}",
        "in expectation",
        f"{share:.1%}",
        f"{share * row['usd_per_1000_always']:.4f}",
    )
    verb = "saves" if row["saved"] >= 0 else "costs"
    return [
        f"  cold start: {row['cold_start']} requests, the simulated expert always asked",
        "  " + verdict_sentence(row["verdict"]),
        table,
        f"  routing {verb} {abs(row['saved']):.1%} of the simulated expert's bill on them, "
        f"{row['audited']} audits included",
        "  one request through the compiled graph: " + " → ".join(row["path"]),
    ]


def _report(row: Mapping[str, Any]) -> list[Any]:
    return [
        f"  {row['decisions']} decisions in {row['ledger']}",
        f"  report: {row['html']} and {row['json']}",
    ]


_PAGES = {
    "ladder": _ladder,
    "stream": _stream,
    "llm": _llm,
    "earn": _earn,
    "connect_four": connect_four,
    "puzzles": puzzles,
    "papers": papers,
    "report": _report,
}


def _escape(text: str) -> str:
    from rich.markup import escape

    return escape(text if len(text) <= 100 else text[:99] + "…")
