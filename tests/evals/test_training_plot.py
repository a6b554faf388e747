from __future__ import annotations

from xml.etree.ElementTree import fromstring

from trimtab.evals.training_plot import training_curves

POINTS = [
    {"cpu_s": 60.0, "policy_loss": 1.5, "entropy": 1.4},
    {"cpu_s": 120.0, "policy_loss": 1.0, "entropy": 0.9, "mistake_rate": 0.2},
]


def test_each_known_figure_is_a_line_with_its_name() -> None:
    drawn = fromstring(training_curves(POINTS))
    lines = [e for e in drawn.iter() if e.tag.endswith("polyline")]
    assert len(lines) == 3
    assert len({line.get("stroke-dasharray") for line in lines}) == 3
    words = {e.text for e in drawn.iter() if e.tag.endswith("text")}
    assert {"policy loss", "entropy", "mistake rate"} <= words
    assert "value loss" not in words


def test_run_without_points_is_an_empty_drawing() -> None:
    drawn = fromstring(training_curves([]))
    assert not [e for e in drawn.iter() if e.tag.endswith("polyline")]
