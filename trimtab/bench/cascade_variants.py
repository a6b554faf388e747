"""Variants of the controller under the test of promotion: a GRU over the trail, and text."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from trimtab.bench.result import Measure
from trimtab.domains.tables import Floats, RecordedSteps
from trimtab.training.promotion import Verdict, fit_ridge, promotion

if TYPE_CHECKING:
    from trimtab.training.trail_gru import GruConfig

_GAIN = "points of net reward over the controller, 95 % interval"


def variant_measures(
    steps: RecordedSteps,
    *,
    vectors: Floats,
    rng: np.random.Generator,
    recipe: GruConfig | None = None,
) -> dict[str, Measure]:
    """Return ``gru_gain`` and ``text_gain`` with their intervals, and whether each is promoted.

    Args:
        steps: training questions.
        vectors: `[n, D]` what an embedder makes of their texts.
        rng: draws folds, fits and resamples.
        recipe: of the GRU; its defaults if None.
    """
    # PyTorch is heavy, and only those who ask for the variants pay for it
    from trimtab.training.text_judge import fit_text
    from trimtab.training.trail_gru import fit_gru

    read = replace(steps, questions=vectors)
    gru = promotion(steps, champion=fit_ridge, challenger=partial(fit_gru, config=recipe), rng=rng)
    text = promotion(read, champion=fit_ridge, challenger=fit_text, rng=rng)
    return _of("gru", gru) | _of("text", text)


def _of(name: str, verdict: Verdict) -> dict[str, Measure]:
    gain = verdict.gain
    low, high = (None if limit is None else 100.0 * limit for limit in (gain.low, gain.high))
    return {
        f"{name}_gain": Measure(value=100.0 * gain.value, low=low, high=high, unit=_GAIN),
        f"{name}_promoted": Measure(value=float(verdict.promoted), unit="1 if promoted"),
    }
