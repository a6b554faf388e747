"""Measures of a ranking against the documents that are relevant. Q queries."""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence


def recall_at(ranked: Sequence[str], relevant: Collection[str], k: int) -> float:
    """Return the share of the relevant documents among the first k."""
    _check(relevant, k)
    return len(set(ranked[:k]) & set(relevant)) / len(set(relevant))


def ndcg_at(ranked: Sequence[str], relevant: Collection[str], k: int) -> float:
    """Return the normalised discounted cumulative gain of the first k, with gains of 0 or 1.

    Source: Järvelin and Kekäläinen 2002, "Cumulated gain-based evaluation of IR techniques",
    ACM TOIS 20, with the discount log2(rank + 1).
    """
    _check(relevant, k)
    wanted = set(relevant)
    gains = [1.0 / math.log2(rank + 1) for rank in range(1, k + 1)]
    # a document counts once, at its first place
    found = [name in wanted and name not in ranked[:place] for place, name in enumerate(ranked[:k])]
    gained = sum(gain for gain, hit in zip(gains, found, strict=False) if hit)
    return gained / sum(gains[: len(wanted)])


def _check(relevant: Collection[str], k: int) -> None:
    if not relevant or k < 1:
        raise ValueError(f"need relevant documents and k >= 1, not {len(relevant)} and {k}")
