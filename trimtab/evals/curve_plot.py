"""The drawing of cost against quality along the LLM share, with the promise and where it stands."""

from __future__ import annotations

from xml.etree.ElementTree import Element, SubElement

from trimtab.evals.curve import Curve, CurvePoint
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
from trimtab.evals.wording import money, percent, points

Marked = list[tuple[str, CurvePoint]]


def marked_points(curve: Curve, *, simulated: bool) -> Marked:
    """Return the points that have a name, the certificate's own first."""
    always = "always the simulated LLM expert" if simulated else "always the LLM"
    named = [
        ("by the certificate", curve.operating),
        ("never the LLM", curve.never),
        (always, curve.always),
        ("random at equal share" if curve.operating else "random at half", curve.random),
    ]
    return [(label, point) for label, point in named if point is not None]


def cost_difference(curve: Curve, *, promised: float | None, simulated: bool) -> str:
    """Return the plot of US dollars per 1,000 requests against quality less that of always asking.

    Args:
        curve: the curve; points without a known difference are left out.
        promised: the loss that was promised, drawn as a line.
        simulated: whether the LLM is a simulated expert.
    """
    known = [point for point in curve.points if point.difference is not None]
    marked = [m for m in marked_points(curve, simulated=simulated) if m[1].difference is not None]
    limits = [0.0] if promised is None else [0.0, -promised]
    limits += [value for _, point in marked for value in _limits(point)]
    pad = max(0.01, 0.06 * (max(limits) - min(limits)))
    dearest = max(point.usd_per_1000.high or 0.0 for point in (*curve.points, curve.always))
    x = Scale(low=0.0, high=(dearest or 1.0) * 1.08, start=LEFT, end=WIDTH - RIGHT)
    y = Scale(low=min(limits) - pad, high=max(limits) + pad, start=HEIGHT - BOTTOM, end=TOP)
    svg = drawing("Cost against quality, from always asking the LLM to never, with 95 % intervals")
    axes(svg, "US dollars per 1,000 requests", "points against always asking")
    x_ticks(svg, x, [(tick, money(tick)) for tick in round_values(x.low, x.high)])
    y_ticks(svg, y, [(tick, f"{tick * 100:+.3g}") for tick in round_values(y.low, y.high)])
    if promised is not None:
        line(svg, x.start, y(-promised), x.end, y(-promised), "ideal")
        # left, where the curve is seldom near its line
        text(svg, x.start + 30, y(-promised) - 5, f"promised: {points(-promised)}", "start", "tick")
    _run(svg, known, x, y)
    _marks(svg, marked, x, y)
    return written(svg)


def _limits(point: CurvePoint) -> list[float]:
    found = point.difference
    return (
        [] if found is None else [v for v in (found.low, found.value, found.high) if v is not None]
    )


def _run(svg: Element, known: list[CurvePoint], x: Scale, y: Scale) -> None:
    places = [(x(p.usd_per_1000.value), y(p.difference.value)) for p in known if p.difference]
    if len(places) > 1:
        path = " ".join(f"{at},{height}" for at, height in places)
        group = SubElement(svg, "g", {"class": "series s0"})
        SubElement(group, "polyline", {"class": "run", "points": path})


def _marks(svg: Element, marked: Marked, x: Scale, y: Scale) -> None:
    heights = spread([y(p.difference.value) for _, p in marked if p.difference])
    # the first comes last, on top of what it may coincide with
    for index, (label, point) in reversed(list(enumerate(marked))):
        usd, difference = point.usd_per_1000, point.difference
        if difference is None:
            continue
        group = SubElement(svg, "g", {"class": f"series s{index}"})
        at = (x(usd.value), y(difference.value))
        if usd.low is not None and usd.high is not None:
            line(group, x(usd.low), at[1], x(usd.high), at[1], "bar")
        if difference.low is not None and difference.high is not None:
            line(group, at[0], y(difference.low), at[0], y(difference.high), "bar")
        title = (
            f"{label}: {money(usd.value)} per 1,000, {points(difference.value)}, "
            f"LLM asked on {percent(point.llm_share)}"
        )
        mark(group, index, *at, title)
        leftward = at[0] > WIDTH * 0.55
        side, anchor = (-12, "end") if leftward else (12, "start")
        # the curve bends upwards, so there is room below it
        text(group, at[0] + side, heights[index] + 18, label, anchor)
