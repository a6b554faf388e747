"""A small table of recorded answers, for tests of controllers in the graph."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tests.recorded_worlds import independent
from trimtab.datasets.recorded import RecordedTable
from trimtab.domains.tables import RecordedSteps

MODELS = ("small", "middle", "large", "strong")


def recorded_world(
    n: int, *, skills: Sequence[float] = (0.55, 0.65, 0.75, 0.95), latency_s: float = 0.0
) -> tuple[RecordedTable, RecordedSteps]:
    """Return a table of four models, and the same as steps.

    The first gives no answer to every seventh question; prices vary from question to question.
    """
    rng = np.random.default_rng(3)
    plain = independent(skills, usd=[1e-4, 2e-4, 5e-4, 1e-2], n=n, wrong=3)
    codes, correct = plain.codes.copy(), plain.correct.copy()
    codes[0, ::7], correct[0, ::7] = -1, False
    steps = RecordedSteps(
        names=MODELS,
        codes=codes,
        correct=correct,
        cost_usd=plain.cost_usd * rng.uniform(0.5, 2.0, plain.cost_usd.shape),
        signals=plain.signals,
    )
    seconds = rng.uniform(0.0, latency_s, codes.shape)
    rows = {
        model: {
            q: (
                None if codes[m, q] < 0 else f"a{codes[m, q]}",
                bool(correct[m, q]),
                float(steps.cost_usd[m, q]),
                20.0,
                float(seconds[m, q]),
            )
            for q in range(n)
        }
        for m, model in enumerate(MODELS)
    }
    table = RecordedTable(
        name="world",
        ids=tuple(f"q{q}" for q in range(n)),
        texts=tuple(f"question {q}" for q in range(n)),
        categories=("",) * n,
        rows=rows,
    )
    return table, steps
