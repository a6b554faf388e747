"""The command ``report``: what the ledger says, as tables, as one HTML file, and as JSON."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from trimtab.cli.output import console, emit

if TYPE_CHECKING:
    from trimtab.evals.curve import Curve
    from trimtab.evals.document import DomainReport, Report
    from trimtab.evals.items import Row
    from trimtab.stats import Estimate

NOT_TIMED = "none:\nsimulated"


def report(
    ledger: Annotated[
        Path | None, typer.Option(help="Ledger file; the settings' own if not given.")
    ] = None,
    domain: Annotated[str | None, typer.Option(help="Only this domain.")] = None,
    volume: Annotated[
        int | None, typer.Option(help="Decisions a month, for the monthly figures.")
    ] = None,
    certificate: Annotated[
        list[Path] | None,
        typer.Option(
            help="Certificate of a domain, from trimtab certify; repeatable. Without any, those "
            "kept for the settings' own ledger."
        ),
    ] = None,
    html: Annotated[Path | None, typer.Option(help="Write the page to this file.")] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one JSON object as the last line.")
    ] = False,
) -> None:
    """Report quality, cost, latency and savings per domain, with 95 % intervals."""
    from trimtab.errors import InputError
    from trimtab.evals.document import SCHEMA, report_to_json
    from trimtab.evals.report import build_report
    from trimtab.ledger import SqliteLedger
    from trimtab.settings import load_settings

    settings = load_settings()
    path = ledger or settings.ledger
    with SqliteLedger(path, create=False) as opened:
        rows = list(opened.scan(domain=domain))
    # kept certificates are about the traffic of the settings' own ledger
    own = ledger is None or ledger.resolve() == settings.ledger.resolve()
    paths = certificate or (certificate_paths(rows, settings.certificates) if own else [])
    built = build_report(
        rows,
        volume=volume,
        certificates=named_certificates(
            [path for path in paths if certificate is not None or path.exists()]
        ),
        lives=kept_lives(paths),
    )
    if domain is not None and not built.domains:
        raise InputError(f"domain={domain!r} has no decisions in {path}; leave --domain out")
    if html is not None:
        write_page(built, html)
    if as_json:
        plain = report_to_json(built)
        del plain["schema"]
        emit(plain, schema=SCHEMA)
    else:
        print_report(built, Console(highlight=False))
    if html is not None:
        console.print(f"page: {html}", markup=False, soft_wrap=True)


def certificate_paths(rows: Iterable[Row], folder: Path) -> list[Path]:
    """Return where the certificates of each domain's newest weights and LLM are kept, if any is."""
    from trimtab.app.certificates import certificate_path

    newest: dict[str, tuple[str, str]] = {}
    for decision, _ in rows:
        asked = [p.tier for p in decision.predictions if p.agent == "llm"]
        known = newest.get(decision.domain, ("", ""))[1]
        newest[decision.domain] = (decision.bundle_id, asked[-1] if asked else known)
    return [
        certificate_path(folder, domain=domain, bundle_id=bundle_id, llm=llm)
        for domain, (bundle_id, llm) in newest.items()
    ]


def kept_lives(paths: list[Path]) -> dict[str, dict[str, Any]]:
    """Return the windows of the promises that are kept beside certificates, by domain.

    Raises:
        InputError: a file cannot be read.
    """
    from trimtab.app.certificates import watch_path
    from trimtab.app.watched_files import read_windows

    found = [read_windows(watch_path(path)) for path in paths]
    return dict(one for one in found if one is not None)


def named_certificates(paths: list[Path]) -> dict[str, dict[str, Any]]:
    """Return what certificates' files hold, by domain.

    Raises:
        InputError: a file cannot be read or names no domain, or two are of one domain.
    """
    from trimtab.errors import InputError

    found: dict[str, dict[str, Any]] = {}
    for path in paths:
        try:
            plain = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise InputError(f"--certificate {path} cannot be read: {error}") from error
        domain = plain.get("domain") if isinstance(plain, dict) else None
        if not isinstance(domain, str):
            raise InputError(f"--certificate {path} is none; give what trimtab certify wrote")
        if domain in found:
            raise InputError(f"--certificate {path} is a second one of {domain!r}; give one each")
        found[domain] = plain
    return found


def write_page(built: Report, path: Path) -> None:
    """Write the HTML page; where that fails, a page that was there before stays whole.

    Raises:
        ConfigError: the file cannot be written.
    """
    from trimtab.errors import ConfigError
    from trimtab.evals.page import render_page

    page = render_page(built)
    target = path.resolve()  # a link stays one
    part = target.parent / f".{target.name}.part"
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        if target.exists() and not target.is_file():
            target.write_text(page, encoding="utf-8")  # a device or a pipe keeps its place
            return
        part.write_text(page, encoding="utf-8")
        part.replace(target)
    except OSError as error:
        with contextlib.suppress(OSError):
            part.unlink(missing_ok=True)
        raise ConfigError(
            f"--html {path} cannot be written: {error}; check its folder and the free space, or "
            "name another file"
        ) from error


def print_report(built: Report, to: Console) -> None:
    """Print tables and sentences of every domain."""
    from trimtab.evals.summary import METHODS, headlines

    if not built.domains:
        to.print("The ledger holds no decisions yet; decide something first: trimtab decide TEXT")
        return
    for domain in built.domains:
        to.print(Text(f"\n{domain.domain}: {domain.n:,} decisions", style="bold"))
        for line in headlines(domain):
            to.print(Text(f"  {line}"))
        if domain.curve is not None:
            to.print(_curve(domain, domain.curve))
        if domain.comparison.rows:
            to.print(_policies(domain))
        to.print(_routes(domain))
    to.print(Text(METHODS, style="dim"))


def _policies(domain: DomainReport) -> Table:
    from trimtab.evals.summary import compared, policy_label

    table = _table(compared(domain), ("policy", "quality", "LLM share", "USD/1,000", "p50", "p95"))
    for row in domain.comparison.rows:
        table.add_row(
            Text(policy_label(row)),
            _figure(row.quality, "percent"),
            _figure(row.llm_share, "percent"),
            _figure(row.usd_per_1000, "money"),
            _time(row.p50_s, simulated=row.simulated),
            _time(row.p95_s, simulated=row.simulated),
        )
    return table


def _curve(domain: DomainReport, curve: Curve) -> Table:
    from trimtab.evals.curve_plot import marked_points
    from trimtab.evals.promise_words import curve_note

    headings = ("rule", "LLM share", "against always asking", "USD/1,000")
    table = _table(curve_note(domain), headings)
    along = [(f"{p.llm_share * 100:.0f} % least sure ask it", p) for p in curve.points[4:-1:4]]
    named = marked_points(curve, simulated=domain.simulated)
    for label, point in sorted([*named, *along], key=lambda entry: -entry[1].llm_share):
        table.add_row(
            Text(label),
            f"{point.llm_share * 100:.0f} %",
            _figure(point.difference, "points"),
            _figure(point.usd_per_1000, "money"),
        )
    return table


def _routes(domain: DomainReport) -> Table:
    title = f"All {domain.n:,} decisions, by route"
    table = _table(title, ("route", "n", "share", "quality", "p50", "p95"))
    for row in domain.routes:
        quality = "no outcomes yet" if row.quality is None else _figure(row.quality, "percent")
        table.add_row(
            Text(row.route),
            f"{row.n:,}",
            _figure(row.share, "percent"),
            quality,
            *(
                NOT_TIMED if t is None else _time(t, simulated=False)
                for t in (row.p50_s, row.p95_s)
            ),
        )
    return table


def _table(title: str, headings: tuple[str, ...]) -> Table:
    table = Table(title=Text(title), title_justify="left", show_lines=True)
    for place, heading in enumerate(headings):
        table.add_column(heading, justify="right" if place else "left", overflow="fold")
    return table


def _figure(estimate: Estimate | None, word: str) -> str:
    from trimtab.evals.wording import money, percent, points, span

    if estimate is None:
        return "not known"
    spell = {"money": money, "percent": percent, "points": points}[word]
    return f"{spell(estimate.value)}\n{span(estimate, word)}".strip()


def _time(estimate: Estimate | None, *, simulated: bool) -> str:
    from trimtab.evals.wording import duration, span

    if estimate is None:
        return "–"
    if estimate.value == 0 and simulated:
        return NOT_TIMED
    return f"{duration(estimate.value)}\n{span(estimate, 'duration')}".strip()
