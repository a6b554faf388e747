"""The exact scan over unit vectors that every local index shares. N rows, D wide."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from trimtab.protocols import Array

_SLACK = 1e-5  # more than a float32 product of unit vectors can err


def nearest(
    vectors: Array, vector: Array, k: int, *, allowed: NDArray[np.bool_] | None = None
) -> tuple[NDArray[np.intp], Array]:
    """Return rows and cosines of the k nearest allowed rows, equally near ones in row order.

    Args:
        vectors: `[N, D]` unit vectors.
        vector: `[D]` the query's, of unit length.
        k: at least 1; fewer come back where fewer rows are allowed.
        allowed: `[N]` rows that may come back; None allows all.
    """
    rough: Array = vectors @ vector
    if allowed is not None:
        rough[~allowed] = -np.inf
    rows = _candidates(rough, k)
    # one matrix product may score equal rows apart by a bit, row by row they tie
    scores: Array = (vectors[rows] * vector).sum(axis=1)
    best = np.argsort(-scores, kind="stable")[:k]
    return rows[best], scores[best]


def _candidates(rough: Array, k: int) -> NDArray[np.intp]:
    """Return, in order, the rows that may be among the k best; minus infinity is left out."""
    cut = np.float32(-np.inf)
    if k < len(rough):
        # a partition finds the k-th score in one pass; sorting all rows costs ten times that
        cut = np.partition(rough, -k)[-k] - np.float32(_SLACK)
    return np.flatnonzero((rough >= cut) & np.isfinite(rough))
