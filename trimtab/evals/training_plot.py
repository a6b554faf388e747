"""The drawing of a training run: losses, entropy and mistakes along the processor time."""

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

SERIES = {
    "policy_loss": "policy loss",
    "validation_policy_loss": "held-out policy loss",
    "value_loss": "value loss",
    "validation_value_loss": "held-out value loss",
    "entropy": "entropy",
    "mistake_rate": "mistake rate",
}
_DASHES = ("", "6 3", "2 3", "8 3 2 3", "1 4", "10 4")
_STYLE = (
    "svg{background:#fff;font:12px sans-serif}.grid{stroke:#ddd}"
    ".curve{fill:none;stroke:#222;stroke-width:1.5}"
)


def training_curves(points: Sequence[Mapping[str, float]]) -> str:
    """Return the SVG of a run's curve, one line a figure, told apart by their dashes.

    Args:
        points: in order; each holds ``cpu_s`` and some of the figures in ``SERIES``.
    """
    svg = drawing("Losses, entropy and mistake rate along the processor time of the training")
    SubElement(svg, "style").text = _STYLE
    axes(svg, "processor minutes", "nats; mistake rate as a share")
    known = {
        name: [(point["cpu_s"] / 60.0, point[name]) for point in points if name in point]
        for name in SERIES
    }
    drawn = {name: places for name, places in known.items() if places}
    if not drawn:
        return written(svg)
    most = max(value for places in drawn.values() for _, value in places)
    x = Scale(low=0.0, high=points[-1]["cpu_s"] / 60.0, start=LEFT, end=WIDTH - RIGHT - 130)
    y = Scale(low=0.0, high=most * 1.05, start=HEIGHT - BOTTOM, end=TOP)
    x_ticks(svg, x, [(tick, f"{tick:g}") for tick in round_values(x.low, x.high)])
    y_ticks(svg, y, [(tick, f"{tick:g}") for tick in round_values(y.low, y.high)], end=x.end)
    labels = spread([y(places[-1][1]) for places in drawn.values()])
    for index, ((name, places), height) in enumerate(zip(drawn.items(), labels, strict=True)):
        _curve(svg, [(x(at), y(value)) for at, value in places], _DASHES[index])
        text(svg, x.end + 8, height + 4, SERIES[name], "start")
    return written(svg)


def _curve(svg: Element, places: Sequence[tuple[float, float]], dash: str) -> None:
    path = " ".join(f"{a},{b}" for a, b in places)
    SubElement(
        svg, "polyline", {"class": "curve", "points": path, "stroke-dasharray": dash or "none"}
    )
