"""Labelled texts from a user's table (CSV, JSON lines, Parquet) or from those shipped."""

from __future__ import annotations

import csv
import gzip
import importlib
import json
import math
import zlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

from trimtab.datasets.json_lines import decoded, parsed
from trimtab.domains.choices import Choices
from trimtab.domains.texts import MAX_TEXT_CHARS, listed, normalise, text_problem
from trimtab.errors import InputError, MissingExtra

SUFFIXES = (".csv", ".jsonl", ".jsonl.gz", ".parquet")
LABELS_SCHEMA = "trimtab.labels/1"

# Where a row stands ("line 3"), and its cells in the order of the columns asked for.
_Row = tuple[str, tuple[Any, ...]]


@dataclass(frozen=True, slots=True)
class LabelledText:
    """A text with its right label, and the split it came with (empty if it came with none)."""

    text: str
    label: str
    split: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ShippedTable:
    """A data set that comes with the package; the domain's references are both sets' texts."""

    name: str
    title: str
    licence: str
    train: tuple[LabelledText, ...]
    test: tuple[LabelledText, ...]
    domain: Choices


def read_table(
    path: Path,
    *,
    text_column: str = "text",
    label_column: str = "label",
    split_column: str | None = None,
) -> list[LabelledText]:
    """Return the rows of a table in their order; the suffix tells the format.

    Labels and splits lose outer whitespace; whole numbers are taken as their decimal text, any
    other type is an error, and so are the cells ``nan`` and ``NaN`` of a CSV, which is how a
    missing value is often written. Texts are kept as they are.

    Raises:
        InputError: the file, a column or a row cannot be used; the message names the file, the
            line (row for Parquet, both from 1) and the remedy.
        MissingExtra: a Parquet file without pyarrow.
    """
    path = Path(path)
    columns = [text_column, label_column]
    if split_column is not None:
        columns.append(split_column)
    if len(set(columns)) != len(columns):
        raise InputError(f"columns {columns} name one column twice; text and label must differ")
    rows = [
        LabelledText(
            _text(path, where, text_column, cells[0]),
            _word(path, where, label_column, cells[1]),
            _word(path, where, split_column, cells[2]) if split_column is not None else "",
        )
        for where, cells in table_rows(path, columns)
    ]
    if not rows:
        raise InputError(f"{path} holds no rows; give one row per labelled text")
    labels = {row.label for row in rows}
    if len(labels) < 2:
        raise InputError(
            f"{path}: column {label_column!r} holds only {sorted(labels)}; a choice needs at least "
            f"two labels, so check the column or add rows"
        )
    return rows


def conflicts(rows: Iterable[LabelledText]) -> dict[str, tuple[str, ...]]:
    """Return the texts of equal content (see ``normalise``) that carry more than one label.

    Keys are normalised texts in the order they first occur, values their labels, sorted. Such rows
    are no error: a person decides whether they are noise or a real ambiguity.
    """
    labels: dict[str, set[str]] = {}
    for row in rows:
        labels.setdefault(normalise(row.text), set()).add(row.label)
    return {text: tuple(sorted(found)) for text, found in labels.items() if len(found) > 1}


def references(rows: Iterable[LabelledText]) -> dict[str, str]:
    """Return text -> label for a domain, without the texts whose labels are in conflict."""
    rows = list(rows)
    unclear = conflicts(rows)
    return {row.text: row.label for row in rows if normalise(row.text) not in unclear}


def shipped_names() -> tuple[str, ...]:
    """Return the names of the shipped data sets, sorted."""
    home = resources.files("trimtab") / "shipped"
    return tuple(
        sorted(folder.name for folder in home.iterdir() if (folder / "labels.json").is_file())
    )


def shipped(name: str) -> ShippedTable:
    """Return a shipped data set with its domain.

    Raises:
        InputError: no data set of that name is shipped.
    """
    if name not in shipped_names():
        raise InputError(f"name={name!r} is not shipped; use one of {list(shipped_names())}")
    home = resources.files("trimtab") / "shipped" / name
    plain = json.loads((home / "labels.json").read_text(encoding="utf-8"))
    if plain["schema"] != LABELS_SCHEMA:
        raise InputError(
            f"{home / 'labels.json'}: schema={plain['schema']!r} is not {LABELS_SCHEMA!r}; install "
            f"trimtab again"
        )
    sets: dict[str, tuple[LabelledText, ...]] = {}
    for split in ("train", "test"):
        with resources.as_file(home / f"{split}.csv") as path:
            rows = read_table(path)
        sets[split] = tuple(LabelledText(row.text, row.label, split) for row in rows)
    domain = Choices(
        name=plain["name"],
        labels=[entry["label"] for entry in plain["labels"]],
        descriptions={entry["label"]: entry["description"] for entry in plain["labels"]},
        out_of_scope=plain["out_of_scope"],
        references=references((*sets["train"], *sets["test"])),
    )
    return ShippedTable(
        name=name,
        title=plain["title"],
        licence=plain["licence"],
        train=sets["train"],
        test=sets["test"],
        domain=domain,
    )


def table_rows(
    path: Path,
    columns: Sequence[str],
    *,
    optional: Sequence[str] = (),
    remedy: str = "Name the columns of texts and labels",
) -> Iterator[tuple[str, tuple[Any, ...]]]:
    """Yield where each row of a table stands ("line 3") and its cells, unchecked, by column.

    The cells of the optional columns follow, None where the table has no such column. ``remedy``
    is what to do about a missing one of the others.

    Raises:
        InputError: the file cannot be read, or a column is missing.
        MissingExtra: a Parquet file without pyarrow.
    """
    suffix = next((s for s in SUFFIXES if path.name.lower().endswith(s)), None)
    if suffix is None:
        raise InputError(f"{path} has none of the suffixes {list(SUFFIXES)}; convert or rename it")
    if not path.is_file():
        raise InputError(f"{path} is not a file; check the path (here: {Path.cwd()})")
    if suffix == ".parquet":
        yield from _parquet_rows(path, columns, optional, remedy)
        return
    try:
        with gzip.open(path) if suffix == ".jsonl.gz" else path.open("rb") as stream:
            lines = decoded(path, stream)
            read = _csv_rows if suffix == ".csv" else _json_rows
            yield from read(path, lines, columns, optional, remedy)
    except (OSError, EOFError, zlib.error) as error:
        raise InputError(f"{path} cannot be read ({error}); check it or copy it again") from error


def _csv_rows(
    path: Path, lines: Iterable[str], columns: Sequence[str], optional: Sequence[str], remedy: str
) -> Iterator[_Row]:
    reader = csv.reader(lines, strict=True)
    try:
        header = next(reader, [])
        found = [*columns, *(column for column in optional if column in header)]
        _require(path, found, header, remedy)
        wanted = [header.index(c) if c in header else None for c in (*columns, *optional)]
        for cells in reader:
            where = f"line {reader.line_num}"
            if not cells:
                continue
            if len(cells) != len(header):
                raise InputError(
                    f"{path}: {where}: {len(cells)} cells under {len(header)} columns; put texts "
                    f"that hold commas in double quotes"
                )
            yield (
                where,
                tuple(
                    None if i is None or cells[i] in ("nan", "NaN") else cells[i] for i in wanted
                ),
            )
    except csv.Error as error:
        raise InputError(
            f"{path}: line {reader.line_num}: {error}; texts have at most "
            f"{MAX_TEXT_CHARS:,} characters, and a double quote inside one is doubled"
        ) from error


def _json_rows(
    path: Path, lines: Iterable[str], columns: Sequence[str], optional: Sequence[str], remedy: str
) -> Iterator[_Row]:
    for where, row in parsed(path, lines):
        _require(path, columns, list(row), remedy, where=f"{where}: ")
        yield where, tuple(row.get(column) for column in (*columns, *optional))


def _parquet_rows(
    path: Path, columns: Sequence[str], optional: Sequence[str], remedy: str
) -> Iterator[_Row]:
    try:
        parquet = importlib.import_module("pyarrow.parquet")
        arrow = importlib.import_module("pyarrow")
    except ModuleNotFoundError as error:
        raise MissingExtra("pyarrow", "data") from error
    try:
        with parquet.ParquetFile(path) as table:
            present = list(table.schema_arrow.names)
            found = [*columns, *(column for column in optional if column in present)]
            _require(path, found, present, remedy)
            number = 0
            for batch in table.iter_batches(columns=found):
                absent = [None] * batch.num_rows
                cells = [
                    batch.column(column).to_pylist() if column in found else absent
                    for column in (*columns, *optional)
                ]
                for row in zip(*cells, strict=True):
                    number += 1
                    yield f"row {number}", row
    except (arrow.ArrowException, OSError) as error:
        raise InputError(f"{path} is not a readable Parquet file ({error})") from error


def _require(
    path: Path, columns: Sequence[str], present: Sequence[str], remedy: str, *, where: str = ""
) -> None:
    missing = [column for column in columns if column not in present]
    if missing:
        raise InputError(
            f"{path}: {where}column {missing} is missing; present: {listed(present)}. {remedy}"
        )
    twice = [column for column in columns if present.count(column) > 1]
    if twice:
        raise InputError(f"{path}: {where}column {twice} occurs more than once; rename one")


def _text(path: Path, where: str, column: str, value: object) -> str:
    problem = "is missing (null or NaN); fill it or drop the row"
    if not _is_missing(value):
        problem = text_problem(value) or ""
    if problem:
        raise InputError(f"{path}: {where}: column {column!r}: text {problem}")
    return str(value)


def _word(path: Path, where: str, column: str, value: object) -> str:
    """Return a label or a split as text."""
    place = f"{path}: {where}: column {column!r}"
    if _is_missing(value):
        raise InputError(f"{place}: missing (null or NaN); fill it or drop the row")
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    if not isinstance(value, str):
        raise InputError(
            f"{place}: {value!r:.80} is a {type(value).__name__}; write it as text or whole number"
        )
    if not value.strip():
        raise InputError(f"{place}: empty; fill it or drop the row")
    return value.strip()


def _is_missing(value: object) -> bool:
    return value is None or (isinstance(value, float) and math.isnan(value))
