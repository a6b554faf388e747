"""The drawing of a training run: losses, entropy and mistakes along the processor time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from trimtab.evals.lines_plot import lines_plot

SERIES = {
    "policy_loss": "policy loss",
    "validation_policy_loss": "held-out policy loss",
    "value_loss": "value loss",
    "validation_value_loss": "held-out value loss",
    "entropy": "entropy",
    "mistake_rate": "mistake rate",
}


def training_curves(points: Sequence[Mapping[str, float]]) -> str:
    """Return the SVG of a run's curve, one line a figure, told apart by their dashes.

    Args:
        points: in order; each holds ``cpu_s`` and some of the figures in ``SERIES``.
    """
    return lines_plot(
        "Losses, entropy and mistake rate along the processor time of the training",
        {
            words: [(point["cpu_s"] / 60.0, point[name]) for point in points if name in point]
            for name, words in SERIES.items()
        },
        x_label="processor minutes",
        y_label="nats; mistake rate as a share",
    )
