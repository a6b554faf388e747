"""The promise by slices: whether each category keeps twice the promised loss, all at once.

A certificate bounds the mean over all requests; a small category may lose much more. Each category
with enough requests is tested at 2α in both directions, with an equal part of the allowed error, so
that all verdicts hold together (Bonferroni). Categories seen less are named, not judged.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from trimtab.errors import InputError
from trimtab.stats import bet

Verdict = Literal["kept", "loses", "open", "too few"]

LEAST = 200
"""Requests of a category from which on it is judged."""
FACTOR = 2.0
"""A category may lose so many times what is promised over all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Slice:
    """One category.

    Attributes:
        category: its name.
        n: its requests.
        loss: their mean net loss.
        verdict: ``kept``: below 2α with confidence; ``loses``: above it with confidence; ``open``:
            neither is shown; ``too few``: fewer than ``LEAST`` requests.
    """

    category: str
    n: int
    loss: float
    verdict: Verdict


def judge_slices(
    losses: NDArray[np.float64], categories: Sequence[str], *, loss: float, delta: float
) -> tuple[Slice, ...]:
    """Return every category by name; all verdicts hold at once with confidence 1 - δ.

    Args:
        losses: `[n]` net losses in [-1, 1] of one fixed candidate, in the order of drawing.
        categories: `[n]` of the same requests.
        loss: the promise α over all requests.
        delta: allowed error of all verdicts together.

    Raises:
        InputError: the two do not fit, or 2α is no share.
    """
    if len(losses) != len(categories) or not 0.0 < FACTOR * loss < 1.0:
        raise InputError(
            f"{len(losses)} losses, {len(categories)} categories, loss={loss}: give one category "
            f"per loss and a loss below {1.0 / FACTOR}"
        )
    of = np.array(categories)
    names = sorted(set(categories))
    judged = sum(int((of == name).sum()) >= LEAST for name in names)
    found = []
    for name in names:
        own = losses[of == name]
        verdict: Verdict = "too few"
        if len(own) >= LEAST:
            part = delta / (2 * judged)  # two directions
            kept = bet(own, alpha=FACTOR * loss, delta=part).certified
            loses = bet(-own, alpha=-FACTOR * loss, delta=part).certified
            verdict = "kept" if kept else "loses" if loses else "open"
        found.append(Slice(category=name, n=len(own), loss=float(own.mean()), verdict=verdict))
    return tuple(found)
