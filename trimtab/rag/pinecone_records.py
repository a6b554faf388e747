"""Entries as Pinecone stores them, in groups that keep the limits of one request."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from trimtab.rag.passage_index import Entry, Hit, check_entry, check_vector

MAX_RECORDS = 1_000
MAX_REQUEST_BYTES = 2 * 10**6
# no field of a user begins with an underscore
TEXT, TITLE, KEYWORDS, WRITE = "_text", "_title", "_keywords", "_write"


def record_of(entry: Entry, mark: str, *, dim: int) -> dict[str, Any]:
    """Return an entry as Pinecone stores it; ``mark`` tells one write from another."""
    metadata: dict[str, Any] = {**check_entry(entry, dim=dim)}
    metadata |= {TEXT: entry.text, TITLE: entry.title, KEYWORDS: entry.keywords}
    metadata[WRITE] = mark
    values = check_vector(entry.vector, dim=dim).tolist()
    return {"id": entry.id, "values": values, "metadata": metadata}


def hit_of(name: str, metadata: Mapping[str, Any], score: float) -> Hit:
    """Return a stored record as a hit, without the fields that are ours."""
    fields = {field: value for field, value in metadata.items() if not field.startswith("_")}
    return Hit(
        id=name,
        text=str(metadata.get(TEXT, "")),
        title=str(metadata.get(TITLE, "")),
        metadata=fields,
        score=score,
    )


def batches(records: Sequence[dict[str, Any]]) -> Iterator[list[dict[str, Any]]]:
    """Yield groups that keep the limits of one request."""
    batch: list[dict[str, Any]] = []
    size = 0
    for record in records:
        more = len(json.dumps(record).encode()) + 1
        if batch and (size + more > MAX_REQUEST_BYTES or len(batch) == MAX_RECORDS):
            yield batch
            batch, size = [], 0
        batch.append(record)
        size += more
    if batch:
        yield batch
