"""Statements over the tables of an index file. The caller holds the lock and the transaction."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from typing import TypeVar

import numpy as np

from trimtab.rag.filters import Condition, Leaf, Scalar, evaluate
from trimtab.rag.passage_index import Entry, Hit, check_vector
from trimtab.rag.search_terms import searchable
from trimtab.rag.vector_rows import Mask, VectorRows

_GROUP = 500  # ids of one statement
T = TypeVar("T")
_COMPARED = {"$eq": "=", "$gt": ">", "$gte": ">=", "$lt": "<", "$lte": "<="}


def insert_entry(
    connection: sqlite3.Connection,
    entry: Entry,
    fields: dict[str, Scalar | list[str]],
    namespace: str,
) -> None:
    """Write a checked entry under an id that is not stored, with its words and fields."""
    unit = check_vector(entry.vector, dim=np.asarray(entry.vector).size)
    kept = json.dumps(fields, ensure_ascii=False)
    row = connection.execute(
        "INSERT INTO passages (namespace, id, title, text, keywords, metadata, vector) "
        "VALUES (?, ?, ?, ?, ?, ?, ?)",
        (
            *(namespace, entry.id, entry.title, entry.text, entry.keywords, kept),
            unit.astype("<f4").tobytes(),
        ),
    ).lastrowid
    connection.execute(
        "INSERT INTO words (rowid, title, text, keywords) VALUES (?, ?, ?, ?)",
        (row, *map(searchable, (entry.title, entry.text, entry.keywords))),
    )
    connection.executemany(
        "INSERT OR IGNORE INTO attributes VALUES (?, ?, ?, ?)",
        [
            (field, *_typed(item), row)
            for field, value in fields.items()
            for item in (value if isinstance(value, list) else [value])
        ],
    )


def remove_rows(connection: sqlite3.Connection, rows: Iterable[int]) -> None:
    """Delete passages with their words and fields."""
    for row in rows:
        texts = connection.execute(
            "SELECT title, text, keywords FROM passages WHERE row = ?", (row,)
        ).fetchone()
        # a table without content must be told the words that it shall forget
        connection.execute(
            "INSERT INTO words (words, rowid, title, text, keywords) VALUES ('delete', ?, ?, ?, ?)",
            (row, *map(searchable, texts)),
        )
        connection.execute("DELETE FROM attributes WHERE row = ?", (row,))
        connection.execute("DELETE FROM passages WHERE row = ?", (row,))


def rows_of(connection: sqlite3.Connection, ids: Sequence[str], namespace: str) -> list[int]:
    """Return the row numbers of the ids that are stored, in no order."""
    rows: list[int] = []
    for marks, group in grouped(ids):
        query = f"SELECT row FROM passages WHERE namespace = ? AND id IN ({marks})"  # noqa: S608 - marks only
        rows += [row for (row,) in connection.execute(query, (namespace, *group))]
    return rows


def hits_of(
    connection: sqlite3.Connection, rows: Sequence[int], scores: Sequence[float]
) -> list[Hit]:
    """Return the hits of row numbers in their order."""
    stored: dict[int, tuple[str, str, str, str]] = {}
    for marks, group in grouped(rows):
        query = f"SELECT row, id, title, text, metadata FROM passages WHERE row IN ({marks})"  # noqa: S608 - marks only
        stored |= {row: rest for row, *rest in connection.execute(query, group)}
    hits: list[Hit] = []
    for row, score in zip(rows, scores, strict=True):
        name, title, text, fields = stored[row]
        metadata = json.loads(fields)
        hits.append(Hit(id=name, title=title, text=text, metadata=metadata, score=score))
    return hits


def allowed_rows(
    connection: sqlite3.Connection, memory: VectorRows, condition: Condition | None, namespace: str
) -> Mask:
    """Return `[N]` which rows in memory are of the namespace and pass the filter."""
    mask = memory.mask(namespace)
    if condition is None:
        return mask

    def matching(leaf: Leaf) -> Mask:
        query, values = _leaf_query(leaf)
        # one text of all rows: a filter that passes half of 100,000 would cost 50 ms as tuples
        [joined] = connection.execute(query, values).fetchone()
        found = memory.places(np.fromstring(joined or "", dtype=np.int64, sep=","))
        wanted: Mask = found if leaf.operator != "$exists" or leaf.values[0] else ~found
        return wanted

    chosen: Mask = evaluate(
        condition,
        leaf=matching,
        negate=np.logical_not,
        both=np.logical_and,
        either=np.logical_or,
    )
    both: Mask = mask & chosen
    return both


def _typed(value: Scalar) -> tuple[str, Scalar]:
    """Return a value with its kind: a text, a number and a truth are never equal."""
    if isinstance(value, bool):
        return "b", int(value)
    return ("t" if isinstance(value, str) else "n"), value


def _leaf_query(leaf: Leaf) -> tuple[str, list[Scalar]]:
    """Return the statement and its values for the rows that one comparison matches."""
    if leaf.operator == "$exists":
        return "SELECT group_concat(DISTINCT row) FROM attributes WHERE field = ?", [leaf.field]
    typed = [_typed(value) for value in leaf.values]
    if leaf.operator == "$in":
        test = " OR ".join(["(kind = ? AND value = ?)"] * len(typed))
    else:
        test = f"kind = ? AND value {_COMPARED[leaf.operator]} ?"
    query = f"SELECT group_concat(row) FROM attributes WHERE field = ? AND ({test})"  # noqa: S608 - marks only
    return query, [leaf.field, *(part for pair in typed for part in pair)]


def grouped(items: Sequence[T]) -> Iterator[tuple[str, Sequence[T]]]:
    """Yield groups that fit one statement, each with its question marks."""
    for start in range(0, len(items), _GROUP):
        group = items[start : start + _GROUP]
        yield ", ".join("?" * len(group)), group
