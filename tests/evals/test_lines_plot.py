"""Drawings of several lines."""

from __future__ import annotations

from xml.etree.ElementTree import fromstring

from trimtab.evals.lines_plot import lines_plot


def test_a_line_without_places_is_left_out_and_ticks_may_be_given() -> None:
    drawn = fromstring(
        lines_plot(
            "two",
            {"one": [(0.0, 0.0), (1.0, 0.5)], "none": []},
            x_label="x",
            y_label="y",
            ticks=[(0.0, "first"), (1.0, "last")],
        )
    )
    words = {e.text for e in drawn.iter() if e.tag.endswith("text")}
    assert {"one", "first", "last"} <= words
    assert "none" not in words


def test_lines_at_the_bottom_are_drawn() -> None:
    drawn = fromstring(lines_plot("zero", {"a": [(0.0, 0.0)]}, x_label="x", y_label="y"))
    assert [e for e in drawn.iter() if e.tag.endswith("polyline")]
