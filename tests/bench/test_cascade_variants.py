"""Variants of the controller are reported with the interval that decides on them."""

import numpy as np

from tests.recorded_worlds import independent
from trimtab.bench.cascade_variants import variant_measures
from trimtab.training.trail_gru import GruConfig


def test_both_variants_report_their_gain_and_whether_it_promotes_them() -> None:
    steps = independent([0.7, 0.95], usd=[1e-3, 0.1], n=45)
    rng = np.random.default_rng(0)
    found = variant_measures(
        steps,
        vectors=rng.normal(size=(45, 4)),
        rng=rng,
        recipe=GruConfig(hidden=4, rounds=1, updates=5),
    )
    assert set(found) == {"gru_gain", "gru_promoted", "text_gain", "text_promoted"}
    for name in ("gru", "text"):
        gain = found[f"{name}_gain"]
        assert gain.low is not None
        assert found[f"{name}_promoted"].value == float(gain.low > 0.0)
