"""Which answers of the compared items can be judged, and what that allows to be said.

Where a person labels only the requests on which answers differ, differences in quality lose
nothing, because equal answers are equally right; but the labelled requests are the hard ones, so
they do not tell the quality of all.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from trimtab.evals.items import Item

Floats = NDArray[np.float64]
PolicyName = Literal["routed", "never_llm", "always_llm", "random"]

_EQUAL = 0.5  # score given to answers that are equal and not judged: any value gives no difference


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """Scores of each policy; the arrays of one mapping are about the same items.

    Attributes:
        right: `[m]` on a fair part of the items; empty where only differing answers were judged.
        paired: `[n_quality]` for differences between policies; empty where labels are missing.
        selected: whether mostly differing answers were judged.
    """

    right: dict[PolicyName, Floats]
    paired: dict[PolicyName, Floats]
    selected: bool


def judge(items: Sequence[Item], *, share: float) -> Judged:
    """Return the scores of the policies; ``random`` asks the LLM with probability ``share``."""
    known = [scores for item in items if (scores := _scores(item)) is not None]
    selected = labels_selected(items)
    if not selected:
        right = _by_policy(known, items, share)
        return Judged(right=right, paired=right, selected=False)
    equal = [item for item in items if not item.differs and _scores(item) is None]
    complete = len(known) + len(equal) == len(items)
    paired = [*known, *[(_EQUAL, _EQUAL, _EQUAL)] * len(equal)] if complete else []
    return Judged(
        right=_by_policy([], items, share),
        paired=_by_policy(paired, items, share),
        selected=True,
    )


def labels_selected(items: Sequence[Item]) -> bool:
    """Return whether differing answers were judged at least twice as often as equal ones."""
    judged: dict[bool, list[bool]] = {True: [], False: []}
    for item in items:
        if item.llm is not None:
            judged[item.differs].append(_scores(item) is not None)
    if not judged[True] or not judged[False]:
        return False
    differing, equal = (sum(flags) / len(flags) for flags in judged.values())
    return differing > 0.0 and equal <= differing / 2.0


def _scores(item: Item) -> tuple[float, float, float] | None:
    """Return the scores of the shown answer, the LLM's and the small models', if all are known."""
    always = item.llm.right if item.llm else None
    small = item.without_llm.right if item.without_llm else 0.0
    if item.shown.right is None or always is None or small is None:
        return None
    return item.shown.right, always, small


def _by_policy(
    rows: Sequence[tuple[float, float, float]], items: Sequence[Item], share: float
) -> dict[PolicyName, Floats]:
    routed, always, never = np.array(rows, dtype=np.float64).reshape(-1, 3).T
    known: dict[PolicyName, Floats] = {"routed": routed, "always_llm": always}
    if all(item.without_llm is not None for item in items):
        known |= {"never_llm": never, "random": (1 - share) * never + share * always}
    return known
