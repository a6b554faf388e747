"""The tables that ``trimtab bench choices`` measures on, split and freed of known texts."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from trimtab.datasets.splits import content_hash
from trimtab.datasets.tables import LabelledText, read_table, shipped
from trimtab.domains.choices import Choices
from trimtab.errors import InputError

SHIPPED = "assistant"
VALIDATION = ("val", "validation", "valid", "dev")
OUT_OF_SCOPE = "oos_"
CLINC150_TEST = "cce5307ede751ee9532f7f3a6f51ae42e2ee24ad34c9c6f8639704aa26dd6917"
"""sha256 of its 4,500 sorted in-scope test texts (clinc/oos-eval, data_full.json)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ChoicesTable:
    """Labelled texts by their part.

    Attributes:
        name: what the figures are of.
        train: what the heads are trained on.
        validation: what temperatures, gates and thresholds are fitted on; empty for out-of-fold.
        test: what is measured; no content of it occurs in the other two.
        out_of_scope: texts of no label, in no other part.
        known_in_train: test texts that were dropped because training has them.
        bars: which bars apply: ``clinc150/100``, ``clinc150/20``, ``shipped`` or none.
    """

    name: str
    domain: Choices
    train: tuple[LabelledText, ...]
    validation: tuple[LabelledText, ...]
    test: tuple[LabelledText, ...]
    out_of_scope: tuple[LabelledText, ...]
    known_in_train: int
    bars: str


def shipped_table(*, per_label: int | None, seed: int) -> ChoicesTable:
    """Return the shipped set; its out-of-scope label is a label like the others."""
    table = shipped(SHIPPED)
    test, known = _unknown(table.test, table.train)
    return ChoicesTable(
        name=f"shipped {table.name}" + _named(per_label),
        domain=table.domain,
        train=tuple(sample_per_label(table.train, per_label, seed=seed)),
        validation=(),
        test=tuple(test),
        out_of_scope=(),
        known_in_train=known,
        bars="" if per_label else "shipped",
    )


def user_table(
    train: Path,
    test: Path,
    *,
    text_column: str,
    label_column: str,
    split_column: str | None,
    oos_label: str | None,
    per_label: int | None,
    seed: int,
) -> ChoicesTable:
    """Return a user's table; the two paths may name one file if it has a split column.

    Raises:
        InputError: a file, a column or a split cannot be used, or nothing is left of a part.
    """
    columns = {"text_column": text_column, "label_column": label_column}
    train_rows = read_table(train, split_column=split_column, **columns)
    test_rows = (
        train_rows if train == test else read_table(test, split_column=split_column, **columns)
    )
    if split_column is None:
        if train == test:
            raise InputError(
                f"--train and --test both name {train}; give two files, or --split-column"
            )
        train_rows = [replace(row, split="train") for row in train_rows]
        test_rows = [replace(row, split="test") for row in test_rows]
    else:
        _check_splits((*train_rows, *test_rows), split_column)
    inside = [row for row in train_rows if row.split == "train" and row.label != oos_label]
    labels = sorted({row.label for row in inside})
    tested = [row for row in test_rows if row.split == "test" and row.label != oos_label]
    measured, known = _unknown(tested, inside)
    validation, _ = _unknown(
        [row for row in train_rows if row.split in VALIDATION and row.label != oos_label],
        (*inside, *measured),
    )
    _check_labels((*validation, *measured), labels)
    if not inside or not measured:
        raise InputError(
            f"{len(inside)} training and {len(measured)} test texts are left of {train} and "
            f"{test}; check the split column and --oos-label"
        )
    bars = ""
    if is_clinc150(tested, labels):
        smallest = min(sum(row.label == label for row in inside) for label in labels)
        bars = f"clinc150/{min(per_label or smallest, smallest)}"
    return ChoicesTable(
        name=("CLINC150" if bars else test.name) + _named(per_label),
        domain=Choices(name="bench", labels=labels),
        train=tuple(sample_per_label(inside, per_label, seed=seed)),
        validation=tuple(validation),
        test=tuple(measured),
        out_of_scope=tuple(_out_of_scope(test_rows, oos_label)),
        known_in_train=known,
        bars=bars,
    )


def sample_per_label(
    rows: Sequence[LabelledText], per_label: int | None, *, seed: int
) -> list[LabelledText]:
    """Return at most ``per_label`` rows of each label (all if None), drawn by the seed."""
    if per_label is None:
        return list(rows)
    if per_label < 1:
        raise InputError(f"--per-label {per_label} leaves nothing to train on; give at least 1")
    rng = np.random.default_rng(seed)
    places: dict[str, list[int]] = {}
    for place, row in enumerate(rows):
        places.setdefault(row.label, []).append(place)
    kept = [int(i) for label in sorted(places) for i in rng.permutation(places[label])[:per_label]]
    return [rows[i] for i in sorted(kept)]


def is_clinc150(test: Sequence[LabelledText], labels: Sequence[str]) -> bool:
    """Return whether these are CLINC150's in-scope test texts, told by their content."""
    if len(labels) != 150 or len(test) != 4500:
        return False
    return texts_hash(test) == CLINC150_TEST


def texts_hash(rows: Sequence[LabelledText]) -> str:
    """Return the sha256 of the sorted texts, in hex."""
    return hashlib.sha256("\n".join(sorted(row.text for row in rows)).encode()).hexdigest()


def _named(per_label: int | None) -> str:
    return "" if per_label is None else f", {per_label} per label"


def _unknown(
    rows: Sequence[LabelledText], train: Sequence[LabelledText]
) -> tuple[list[LabelledText], int]:
    """Return the rows whose content training does not have, and how many were dropped."""
    known = {content_hash(row.text) for row in train}
    kept = [row for row in rows if content_hash(row.text) not in known]
    return kept, len(rows) - len(kept)


def _out_of_scope(rows: Sequence[LabelledText], oos_label: str | None) -> list[LabelledText]:
    """Return the test part's texts without a label; other parts' only where it has none."""
    found = [row for row in rows if row.split.startswith(OUT_OF_SCOPE) or row.label == oos_label]
    of_test = [row for row in found if row.split in ("test", f"{OUT_OF_SCOPE}test")]
    return of_test or found


def _check_splits(rows: Sequence[LabelledText], split_column: str) -> None:
    understood = {"train", "test", *VALIDATION}
    found = {row.split for row in rows}
    odd = sorted(s for s in found - understood if not s.startswith(OUT_OF_SCOPE))
    if odd or not {"train", "test"} <= found:
        raise InputError(
            f"column {split_column!r} holds {sorted(found)}; name the splits train, test, "
            f"{', '.join(VALIDATION)} or {OUT_OF_SCOPE}*"
        )


def _check_labels(rows: Sequence[LabelledText], labels: Sequence[str]) -> None:
    foreign = sorted({row.label for row in rows} - set(labels))
    if foreign:
        raise InputError(
            f"labels {foreign[:5]} have no training text; add some, or name the label of texts "
            f"out of scope with --oos-label"
        )
