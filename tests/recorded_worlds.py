"""Recorded steps whose best policy is known, for tests of controllers."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from trimtab.domains.tables import Bools, RecordedSteps

RIGHT = 0


def steps_of(
    right: Sequence[Bools],
    *,
    usd: Sequence[float],
    wrong: int = 50,
    rng: np.random.Generator,
    exact: frozenset[str] = frozenset(),
) -> RecordedSteps:
    """Return steps a, b, c, … that are right where told and else give one of the wrong answers.

    An exact step gives no answer where it is not right.
    """
    correct = np.stack(right)
    names = tuple("abcdefgh"[: len(correct)])
    codes = np.where(correct, RIGHT, 1 + rng.integers(wrong, size=correct.shape))
    for place, name in enumerate(names):
        if name in exact:
            codes[place, ~correct[place]] = -1 - place
    return RecordedSteps(
        names=names,
        codes=codes.astype(np.int64),
        correct=correct,
        cost_usd=np.repeat(np.asarray(usd, dtype=np.float64)[:, None], correct.shape[1], axis=1),
        signals=np.zeros((0, *correct.shape)),
        exact=exact,
    )


def independent(
    skills: Sequence[float], *, usd: Sequence[float], n: int = 600, seed: int = 0, wrong: int = 50
) -> RecordedSteps:
    """Return steps that are right independently of each other."""
    rng = np.random.default_rng(seed)
    return steps_of([rng.random(n) < p for p in skills], usd=usd, wrong=wrong, rng=rng)


def silent(names: int, *, n: int = 100) -> RecordedSteps:
    """Return steps of which none ever gives an answer."""
    shape = (names, n)
    return RecordedSteps(
        names=tuple("abcdefgh"[:names]),
        codes=np.repeat(-1 - np.arange(names)[:, None], n, axis=1).astype(np.int64),
        correct=np.zeros(shape, dtype=np.bool_),
        cost_usd=np.repeat(10.0 ** np.arange(names)[:, None], n, axis=1),
        signals=np.zeros((0, *shape)),
    )
