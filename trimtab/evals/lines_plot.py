"""A drawing of several lines, told apart by their dashes, that stands alone as a file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from xml.etree.ElementTree import Element, SubElement

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
    round_values,
    spread,
    text,
    written,
    x_ticks,
    y_ticks,
)

_DASHES = ("", "6 3", "2 3", "8 3 2 3", "1 4", "10 4")
_STYLE = (
    "svg{background:#fff;font:12px sans-serif}.grid{stroke:#ddd}"
    ".curve{fill:none;stroke:#222;stroke-width:1.5}"
)


def lines_plot(
    title: str,
    series: Mapping[str, Sequence[tuple[float, float]]],
    *,
    x_label: str,
    y_label: str,
    ticks: Sequence[tuple[float, str]] = (),
    room: int = 130,
) -> str:
    """Return the SVG of lines from (0, 0), each named at its end; at most six of them.

    Args:
        title: what the drawing shows.
        series: places in order of x, by the name of the line; lines without places are left out.
        x_label: of the x axis.
        y_label: of the y axis.
        ticks: where the x axis is marked, and with what; round values if none are given.
        room: pixels for the names.
    """
    svg = drawing(title)
    SubElement(svg, "style").text = _STYLE
    axes(svg, x_label, y_label)
    drawn = {name: places for name, places in series.items() if places}
    if not drawn:
        return written(svg)
    widest = max(at for places in drawn.values() for at, _ in places)
    most = max(value for places in drawn.values() for _, value in places)
    x = Scale(low=0.0, high=widest or 1.0, start=LEFT, end=WIDTH - RIGHT - room)
    y = Scale(low=0.0, high=most * 1.05 or 1.0, start=HEIGHT - BOTTOM, end=TOP)
    marked = ticks or [(tick, f"{tick:g}") for tick in round_values(x.low, x.high)]
    x_ticks(svg, x, marked)
    y_ticks(svg, y, [(tick, f"{tick:g}") for tick in round_values(y.low, y.high)], end=x.end)
    labels = spread([y(places[-1][1]) for places in drawn.values()])
    for index, ((name, places), height) in enumerate(zip(drawn.items(), labels, strict=True)):
        _curve(svg, [(x(at), y(value)) for at, value in places], _DASHES[index])
        text(svg, x.end + 8, height + 4, name, "start")
    return written(svg)


def _curve(svg: Element, places: Sequence[tuple[float, float]], dash: str) -> None:
    path = " ".join(f"{a},{b}" for a, b in places)
    SubElement(
        svg, "polyline", {"class": "curve", "points": path, "stroke-dasharray": dash or "none"}
    )
