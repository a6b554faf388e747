"""Splits by content: the same words never stand on both sides, in whatever case or width."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from trimtab.datasets.tables import LabelledText
from trimtab.domains.texts import normalise
from trimtab.errors import InputError


def content_hash(text: str) -> str:
    """Return the sha256 of the normalised text in hex: equal exactly for equal content."""
    return hashlib.sha256(normalise(text).encode("utf-8")).hexdigest()


def stratified_folds(
    labels: Sequence[str] | NDArray[np.int64], k: int, rng: np.random.Generator
) -> NDArray[np.int64]:
    """Return `[N]` fold ids in 0..k-1; each label is spread as evenly as its count allows.

    The folds differ by at most one row in size, and in the number of rows of any one label.

    Args:
        labels: `[N]` the rows' labels.
        k: number of folds, from 2 to N.
        rng: draws which row of a label goes where.

    Raises:
        InputError: k does not fit.
    """
    values = np.asarray(labels)
    if not 2 <= k <= len(values):
        raise InputError(f"k={k} folds of {len(values)} rows; give a k from 2 to the rows' number")
    folds = np.empty(len(values), dtype=np.int64)
    # one deal over all labels in turn: a label that does not divide by k leaves its rest to
    # folds that the next label continues from, so none is favoured
    dealt = 0
    for label in np.unique(values):
        rows = rng.permutation(np.flatnonzero(values == label))
        folds[rows] = (dealt + np.arange(len(rows))) % k
        dealt += len(rows)
    return folds


def split_by_content(
    rows: Sequence[LabelledText], fraction: float, seed: int
) -> tuple[list[LabelledText], list[LabelledText]]:
    """Return (kept, held out): about ``fraction`` of each label's contents is held out.

    Which side a text falls on depends on the contents and the seed, not on the order of the rows;
    each side keeps that order. Rows of equal content go together, also where their labels differ.

    Args:
        rows: the labelled texts.
        fraction: part of the contents that is held out, in (0, 1).
        seed: draws them.

    Raises:
        InputError: the fraction is outside (0, 1).
    """
    if not 0.0 < fraction < 1.0:
        raise InputError(f"fraction={fraction} is not a part; give a number between 0 and 1")
    hashes = [content_hash(row.text) for row in rows]
    label_of: dict[str, str] = {}
    for digest, row in zip(hashes, rows, strict=True):
        label_of[digest] = min(label_of.get(digest, row.label), row.label)
    groups: dict[str, list[str]] = {}
    for digest in sorted(label_of):
        groups.setdefault(label_of[digest], []).append(digest)
    rng = np.random.default_rng(seed)
    held_out: set[str] = set()
    passed = 0
    for label in sorted(groups):
        group = groups[label]
        # the cumulative count is rounded, so that many small labels still give the fraction
        count = math.floor((passed + len(group)) * fraction + 0.5) - math.floor(
            passed * fraction + 0.5
        )
        passed += len(group)
        held_out.update(group[i] for i in rng.permutation(len(group))[:count])
    kept = [row for digest, row in zip(hashes, rows, strict=True) if digest not in held_out]
    held = [row for digest, row in zip(hashes, rows, strict=True) if digest in held_out]
    return kept, held


def leaked(train: Sequence[LabelledText], test: Sequence[LabelledText]) -> tuple[LabelledText, ...]:
    """Return the test rows whose content also occurs in training: to be dropped or reported."""
    known = {content_hash(row.text) for row in train}
    return tuple(row for row in test if content_hash(row.text) in known)
