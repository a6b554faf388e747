"""Plots of the report as inline SVG: shapes and labels beside colours, one class per series.

Colours come from the page's style sheet, so that light, dark and paper each have their own.
Elements are built as a tree, so text out of the ledger is escaped by the writer.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from xml.etree.ElementTree import Element, SubElement

from trimtab.evals.document import Calibration, Period, RouteRow
from trimtab.evals.drawing import (
    BOTTOM,
    HEIGHT,
    LEFT,
    RIGHT,
    TOP,
    WIDTH,
    Scale,
    axes,
    drawing,
    line,
    mark,
    round_values,
    spread,
    text,
    written,
    x_ticks,
    y_ticks,
)
from trimtab.evals.policies import PolicyRow
from trimtab.evals.wording import duration, money, percent

SERIES = 7
"""How many series have a colour of their own; the rest share the last one."""

_FASTEST_S = 1e-6  # a logarithmic axis has no zero


def cost_quality(rows: Sequence[PolicyRow], labels: Sequence[str]) -> str:
    """Return the plot of US dollars per 1,000 decisions against quality, one point a policy."""
    known = [(row, row.quality, label) for row, label in zip(rows, labels, strict=True)]
    points = [(row, quality, label) for row, quality, label in known if quality is not None]
    if not points:
        return ""
    lows = [quality.low or 0.0 for _, quality, _ in points]
    right = max(row.usd_per_1000.high or row.usd_per_1000.value for row, _, _ in points)
    x = Scale(low=0.0, high=(right or 1.0) * 1.08, start=LEFT, end=WIDTH - RIGHT)
    bottom = max(0.0, min(lows) - 0.02)
    y = Scale(low=bottom, high=1.0, start=HEIGHT - BOTTOM, end=TOP)
    svg = drawing("Cost against quality of each policy, with 95 % intervals")
    axes(svg, "US dollars per 1,000 decisions", "quality (mean reward)")
    x_ticks(svg, x, [(tick, money(tick)) for tick in round_values(x.low, x.high)])
    y_ticks(svg, y, [(tick, f"{tick:.0%}") for tick in round_values(y.low, y.high)])
    heights = spread([y(quality.value) for _, quality, _ in points])
    for index, (row, quality, label) in enumerate(points):
        group = SubElement(svg, "g", {"class": f"series s{index}"})
        usd = row.usd_per_1000
        at = (x(usd.value), y(quality.value))
        if usd.low is not None and usd.high is not None:
            line(group, x(usd.low), at[1], x(usd.high), at[1], "bar")
        if quality.low is not None and quality.high is not None:
            line(group, at[0], y(quality.low), at[0], y(quality.high), "bar")
        title = f"{label}: {money(usd.value)} per 1,000, quality {percent(quality.value)}"
        mark(group, index, *at, title)
        leftward = at[0] > WIDTH * 0.62
        text(
            group,
            at[0] + (-12 if leftward else 12),
            heights[index] - 8,
            label,
            "end" if leftward else "start",
        )
    return written(svg)


def latency(routes: Sequence[RouteRow]) -> str:
    """Return the plot of each timed route's median and 95th percentile on a logarithmic axis."""
    # the place among all routes stays with a row: it is the route's colour in every plot
    timed = [
        (place, row, row.p50_s.value, row.p95_s.value)
        for place, row in enumerate(routes)
        if row.p50_s is not None and row.p95_s is not None
    ]
    times = [seconds for _, _, *both in timed for seconds in both if seconds > 0]
    if not times:
        return ""
    height = TOP + BOTTOM + 34 * len(timed)
    first, last = math.floor(math.log10(min(times))), math.ceil(math.log10(max(times)))
    x = Scale(low=first, high=max(last, first + 1), start=230, end=WIDTH - RIGHT)
    svg = drawing("Median and 95th percentile of the time a caller waited, by route", height)
    decades = [(float(power), duration(10.0**power)) for power in range(first, last + 1)]
    x_ticks(svg, x, decades, height=height)
    text(svg, (x.start + x.end) / 2, height - 8, "time per decision (log scale)", "middle", "axis")
    for index, (place, row, p50_s, p95_s) in enumerate(timed):
        middle = TOP + 34 * index + 17
        group = SubElement(svg, "g", {"class": f"series s{min(place, SERIES - 1)}"})
        text(group, x.start - 10, middle + 4, _short(row.route), "end")
        if p50_s <= 0:
            text(group, x.start + 6, middle + 4, "no time taken", "start")
            continue
        p50, p95 = (x(math.log10(max(seconds, _FASTEST_S))) for seconds in (p50_s, p95_s))
        line(group, p50, middle, p95, middle, "range")
        words = f"{row.route}: p50 {duration(p50_s)}, p95 {duration(p95_s)}"
        mark(group, 0, p50, middle, words)
        line(group, p95, middle - 7, p95, middle + 7, "range")
    return written(svg)


def reliability(calibration: Calibration) -> str:
    """Return the reliability diagram: accuracy of each bin of confidence with its interval."""
    side = HEIGHT - TOP - BOTTOM
    x = Scale(low=0.0, high=1.0, start=LEFT, end=LEFT + side)
    y = Scale(low=0.0, high=1.0, start=HEIGHT - BOTTOM, end=TOP)
    svg = drawing("Accuracy against stated confidence, with 95 % intervals", width=LEFT + side + 40)
    axes(svg, "stated confidence", "right answers", width=LEFT + side + 40)
    ticks = [(tick / 5, f"{tick / 5:.0%}") for tick in range(6)]
    x_ticks(svg, x, ticks)
    y_ticks(svg, y, ticks, end=LEFT + side)
    line(svg, x(0), y(0), x(1), y(1), "ideal")
    group = SubElement(svg, "g", {"class": "series s0"})
    limits = zip(calibration.accuracy_low, calibration.accuracy_high, strict=True)
    for found, (low, high) in zip(calibration.bins, limits, strict=True):
        at = x(found.confidence)
        line(group, at, y(low), at, y(high), "bar")
        words = f"{found.n:,} answers: stated {percent(found.confidence)}, "
        mark(group, 0, at, y(found.accuracy), words + f"right {percent(found.accuracy)}")
    return written(svg)


def shares(periods: Sequence[Period], routes: Sequence[str]) -> str:
    """Return the stacked shares of the routes over time; an empty stretch has no column."""
    first, last = periods[0].start, periods[-1].end
    length = (last - first).total_seconds()
    x = Scale(low=0.0, high=length, start=LEFT, end=WIDTH - RIGHT)
    y = Scale(low=0.0, high=1.0, start=HEIGHT - BOTTOM, end=TOP)
    svg = drawing("Share of each route over time")
    axes(svg, "time (UTC)", "share of decisions")
    y_ticks(svg, y, [(tick / 4, f"{tick / 4:.0%}") for tick in range(5)])
    for period in periods:
        left = x((period.start - first).total_seconds())
        right = x((period.end - first).total_seconds())
        total, below = sum(period.routes.values()), 0
        for index, route in enumerate(routes):
            count = period.routes.get(route, 0)
            if count == 0:
                continue
            top, bottom = y((below + count) / total), y(below / total)
            below += count
            block = SubElement(
                svg,
                "rect",
                {
                    "class": f"block s{min(index, SERIES - 1)}",
                    "x": str(left),
                    "y": str(top),
                    "width": str(round(max(1.0, right - left - 1), 2)),
                    "height": str(round(bottom - top, 2)),
                },
            )
            SubElement(block, "title").text = f"{route}: {count:,} of {total:,}"
    style = "%Y-%m-%d %H:%M" if length >= 120 else "%H:%M:%S"
    text(svg, LEFT, HEIGHT - BOTTOM + 18, first.strftime(style), "start", "tick")
    text(svg, WIDTH - RIGHT, HEIGHT - BOTTOM + 18, last.strftime(style), "end", "tick")
    return written(svg)


def swatch(index: int) -> str:
    """Return the small square that stands for a series in a legend."""
    svg = Element("svg", {"class": "swatch", "viewBox": "0 0 12 12", "aria-hidden": "true"})
    name = f"block s{min(index, SERIES - 1)}"
    SubElement(svg, "rect", {"class": name, "width": "12", "height": "12"})
    return written(svg)


def _short(label: str, limit: int = 30) -> str:
    return label if len(label) <= limit else label[: limit - 1] + "…"
