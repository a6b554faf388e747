"""Elements of the report's drawings: axes, ticks, marks and labels as an SVG tree.

Text out of the ledger is escaped by the writer of the tree.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from xml.etree.ElementTree import Element, SubElement, tostring

WIDTH, HEIGHT = 640, 340
LEFT, RIGHT, TOP, BOTTOM = 64, 24, 16, 48


@dataclass(frozen=True, slots=True, kw_only=True)
class Scale:
    """Maps values onto one axis of the drawing."""

    low: float
    high: float
    start: float
    end: float

    def __call__(self, value: float) -> float:
        """Return where a value stands on the drawing."""
        share = (value - self.low) / (self.high - self.low)
        return round(self.start + share * (self.end - self.start), 2)


def drawing(title: str, height: int = HEIGHT, *, width: int = WIDTH) -> Element:
    """Return an empty drawing that says what it shows."""
    size = {"viewBox": f"0 0 {width} {height}", "width": str(width), "height": str(height)}
    svg = Element("svg", {**size, "role": "img", "aria-label": title})
    SubElement(svg, "title").text = title
    return svg


def axes(svg: Element, x_label: str, y_label: str, *, width: int = WIDTH) -> None:
    """Name both axes."""
    middle = (TOP + HEIGHT - BOTTOM) / 2
    text(svg, (LEFT + width - RIGHT) / 2, HEIGHT - 8, x_label, "middle", "axis")
    turned = text(svg, 14, middle, y_label, "middle", "axis")
    turned.set("transform", f"rotate(-90 14 {middle})")


def x_ticks(
    svg: Element, x: Scale, ticks: Sequence[tuple[float, str]], *, height: int = HEIGHT
) -> None:
    """Draw grid lines and labels along the x axis."""
    for value, label in ticks:
        line(svg, x(value), TOP, x(value), height - BOTTOM, "grid")
        text(svg, x(value), height - BOTTOM + 18, label, "middle", "tick")


def y_ticks(
    svg: Element, y: Scale, ticks: Sequence[tuple[float, str]], *, end: float = WIDTH - RIGHT
) -> None:
    """Draw grid lines and labels along the y axis."""
    for value, label in ticks:
        line(svg, LEFT, y(value), end, y(value), "grid")
        text(svg, LEFT - 8, y(value) + 4, label, "end", "tick")


def line(parent: Element, x1: float, y1: float, x2: float, y2: float, name: str) -> None:
    """Draw a line whose class the page styles."""
    ends = {"x1": str(x1), "y1": str(y1), "x2": str(x2), "y2": str(y2)}
    SubElement(parent, "line", {"class": name, **ends})


def text(
    parent: Element, x: float, y: float, words: str, anchor: str, name: str = "label"
) -> Element:
    """Write words and return their element."""
    place = {"class": name, "x": str(x), "y": str(y), "text-anchor": anchor}
    text = SubElement(parent, "text", place)
    text.text = words
    return text


def mark(parent: Element, shape: int, x: float, y: float, title: str) -> None:
    """Draw one of four shapes, so that series differ without colour."""
    paths = (
        f"M{x - 6} {y}a6 6 0 1 0 12 0a6 6 0 1 0 -12 0z",
        f"M{x - 6} {y - 6}h12v12h-12z",
        f"M{x} {y - 8}l7 13h-14z",
        f"M{x} {y - 8}l8 8l-8 8l-8 -8z",
    )
    mark = SubElement(parent, "path", {"class": "mark", "d": paths[shape % len(paths)]})
    SubElement(mark, "title").text = title


def round_values(low: float, high: float, count: int = 5) -> list[float]:
    """Return round values within [low, high], about ``count`` of them."""
    rough = (high - low) / count
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(power * m for m in (1, 2, 2.5, 5, 10) if power * m >= rough)
    first = math.ceil(low / step)
    return [round(step * i, 12) for i in range(first, math.floor(high / step) + 1)]


def spread(heights: Sequence[float], gap: float = 16.0) -> list[float]:
    """Return label heights moved down just enough to stay ``gap`` apart."""
    moved = list(heights)
    above = -math.inf
    for index in sorted(range(len(moved)), key=lambda i: moved[i]):
        moved[index] = max(moved[index], above + gap)
        above = moved[index]
    return moved


def written(svg: Element) -> str:
    """Return the drawing as text."""
    return tostring(svg, encoding="unicode")
