"""The report as one HTML file: style and plots inside, no script, nothing fetched."""

from __future__ import annotations

from datetime import datetime
from importlib import resources

from jinja2 import Environment, StrictUndefined
from markupsafe import Markup

from trimtab.evals import plots
from trimtab.evals.curve_plot import cost_difference, marked_points
from trimtab.evals.document import DomainReport, Report
from trimtab.evals.promise_words import curve_note
from trimtab.evals.recursions import recursion_cells
from trimtab.evals.summary import METHODS, compared, headlines, policy_label
from trimtab.evals.wording import duration, money, percent, points, span
from trimtab.stats import Estimate


def render_page(report: Report) -> str:
    """Return the page; every text out of the ledger is escaped."""
    environment = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters |= {"money": money, "percent": percent, "stamp": _stamp}
    environment.globals |= {
        "headlines": headlines,
        "compared": compared,
        "curve_note": curve_note,
        "marked_points": marked_points,
        "policy_label": policy_label,
        "figure": _figure,
        "time": _time,
        "cells": recursion_cells,
        "waited": _waited,
        "plots": _plots,
        "swatch": lambda index: Markup(plots.swatch(index)),  # noqa: S704 - built as a tree
    }
    source = resources.files("trimtab.evals").joinpath("report.html.j2").read_text("utf-8")
    return environment.from_string(source).render(report=report, methods=METHODS)


def _plots(domain: DomainReport) -> dict[str, Markup]:
    """Return the drawings by name; an empty one has nothing to show."""
    rows = domain.comparison.rows
    routes = [row.route for row in domain.routes]
    drawn = {
        "cost_quality": plots.cost_quality(rows, [policy_label(row) for row in rows]),
        "curve": _curve(domain),
        "latency": plots.latency(domain.routes),
        "reliability": plots.reliability(domain.calibration) if domain.calibration else "",
        "shares": plots.shares(domain.periods, routes),
    }
    # the element writer has escaped what is in them
    return {name: Markup(svg) for name, svg in drawn.items()}  # noqa: S704


def _curve(domain: DomainReport) -> str:
    certificate = domain.promise.certificate
    if domain.curve is None:
        return ""
    loss = None if certificate is None else certificate.loss
    return cost_difference(domain.curve, promised=loss, simulated=domain.simulated)


def _figure(estimate: Estimate | None, word: str) -> Markup:
    """Return a figure over its interval, or *not known*."""
    if estimate is None:
        return Markup('<span class="unknown">not known</span>')
    spell = {"money": money, "percent": percent, "points": points}[word]
    around = span(estimate, word)
    tail = Markup('<span class="interval">{}</span>').format(around) if around else ""
    return Markup("{}{}").format(spell(estimate.value), tail)


def _time(estimate: Estimate | None, *, simulated: bool) -> Markup:
    """Return a time over its interval; an answer that took none was simulated or not timed."""
    if estimate is None:
        return Markup('<span class="unknown">–</span>')
    if estimate.value == 0 and simulated:
        return Markup('<span class="unknown">none: simulated</span>')
    around = span(estimate, "duration")
    tail = Markup('<span class="interval">{}</span>').format(around) if around else ""
    return Markup("{}{}").format(duration(estimate.value), tail)


def _waited(estimate: Estimate | None) -> Markup:
    """Return a route's time over its interval; only a simulated expert's answers have none."""
    if estimate is None:
        return Markup('<span class="unknown">none: simulated</span>')
    return _time(estimate, simulated=False)


def _stamp(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%d %H:%M UTC")
