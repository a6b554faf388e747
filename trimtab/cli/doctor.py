"""``trimtab doctor``: runs what trimtab needs, and says how to mend what does not work."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass

import typer
from rich.table import Table

from trimtab.cli.output import console, emit
from trimtab.cli.probes import Probe, probes
from trimtab.errors import TrimtabError

SCHEMA = "trimtab.doctor/1"

MENDABLE = (TrimtabError, OSError, ImportError, sqlite3.Error)
"""What a probe reports; anything else is a bug of trimtab and ends the command."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What a probe found; ``remedy`` is empty where it worked."""

    name: str
    ok: bool
    detail: str
    seconds: float
    remedy: str


def doctor(*, as_json: bool) -> None:
    """Run every probe and print the findings; exit 1 if one of them failed."""
    findings = []
    for probe in probes():
        console.print(f"[dim]{probe.name} …[/dim]")
        findings.append(examine(probe))
    conclude(findings, as_json=as_json)


def conclude(findings: Sequence[Finding], *, as_json: bool) -> None:
    """Print the findings, as one JSON object or as a table; exit 1 if one of them is bad."""
    well = all(finding.ok for finding in findings)
    if as_json:
        emit({"ok": well, "probes": [asdict(finding) for finding in findings]}, schema=SCHEMA)
    else:
        console.print(findings_table(findings))
    if not well:
        raise typer.Exit(1)


def examine(probe: Probe, *, clock: Callable[[], float] = time.perf_counter) -> Finding:
    """Return what a probe found; a failure is a finding, so that the next probe still runs."""
    started = clock()
    try:
        detail, ok = probe.run(), True
    except MENDABLE as error:
        detail, ok = f"{type(error).__name__}: {error}", False
    return Finding(
        name=probe.name,
        ok=ok,
        detail=detail,
        seconds=round(clock() - started, 3),
        remedy="" if ok else probe.remedy,
    )


def findings_table(findings: Iterable[Finding]) -> Table:
    """Return the findings for a person to read."""
    table = Table(title="trimtab doctor")
    table.add_column("probe")
    table.add_column("")
    table.add_column("seconds", justify="right")
    table.add_column("finding", overflow="fold")
    for finding in findings:
        mark = "[green]ok[/green]" if finding.ok else "[bold red]failed[/bold red]"
        remedy = f"\n→ {finding.remedy}" if finding.remedy else ""
        text = (finding.detail + remedy).replace("[", r"\[")
        table.add_row(finding.name, mark, f"{finding.seconds:.1f}", text)
    return table
