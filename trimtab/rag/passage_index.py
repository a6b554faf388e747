"""What every store of passages is: entries in, hits out, and the laws in between."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np

from trimtab.errors import InputError
from trimtab.protocols import Array
from trimtab.rag.filters import Metadata, Scalar, Where, check_metadata

MAX_ID_BYTES = 512
MAX_METADATA_BYTES = 40_960
"""Of text, title, keywords and metadata together, so that an entry fits every store."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Entry:
    """A passage to be stored.

    Attributes:
        id: unique in its namespace; printable ASCII, at most 512 bytes.
        text: the passage.
        vector: `[D]`, finite and not zero; stored at unit length.
        title: of the work it is from; searched for words as well.
        keywords: further words that find it (identifiers, names); never shown.
        metadata: texts, finite numbers, truths and lists of texts, for filters.
    """

    id: str
    text: str
    vector: Array
    title: str = ""
    keywords: str = ""
    metadata: Metadata = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Hit:
    """A stored passage; ``score`` is the cosine or the BM25 score it was found with, else 0."""

    id: str
    text: str
    title: str = ""
    metadata: Mapping[str, Scalar | list[str]] = field(default_factory=dict)
    score: float = 0.0


class PassageIndex(Protocol):
    """Stores passages with their vectors, apart by namespace.

    Laws: an entry is durable once :meth:`upsert` returned; a second entry under an id replaces the
    first; no call sees entries of another namespace; a filter is applied before the k nearest are
    taken; equal scores come in a stable order. Callable from any thread. Every method raises
    ``InputError`` for what it cannot use and ``RetrievalError`` for a store that fails.
    """

    @property
    def embedder_name(self) -> str:
        """Return the name of the embedder whose vectors it holds."""
        ...

    @property
    def dim(self) -> int:
        """Return D."""
        ...

    def upsert(self, entries: Sequence[Entry], *, namespace: str = "") -> None:
        """Store entries; those with a known id replace what was there."""
        ...

    def fetch(self, ids: Sequence[str], *, namespace: str = "") -> dict[str, Hit]:
        """Return the entries of those ids that are stored."""
        ...

    def delete(
        self, *, ids: Sequence[str] | None = None, where: Where | None = None, namespace: str = ""
    ) -> None:
        """Delete by ids or by a filter (exactly one of them); unknown ids are no error."""
        ...

    def nearest(
        self, vector: Array, *, k: int, where: Where | None = None, namespace: str = ""
    ) -> list[Hit]:
        """Return at most k hits by cosine, nearest first."""
        ...

    def cosines(
        self, vector: Array, ids: Sequence[str], *, namespace: str = ""
    ) -> dict[str, float]:
        """Return the cosine of a vector to each stored entry of those ids."""
        ...

    def vectors_of(self, ids: Sequence[str], *, namespace: str = "") -> dict[str, Array]:
        """Return the `[D]` unit vector of each stored entry of those ids."""
        ...

    def list_ids(
        self, *, prefix: str = "", limit: int = 100, after: str = "", namespace: str = ""
    ) -> tuple[list[str], str]:
        """Return one page of ids and what to pass as ``after`` for the next, empty at the end."""
        ...

    def count(self, *, namespace: str = "") -> int:
        """Return the number of entries of a namespace."""
        ...

    def namespaces(self) -> list[str]:
        """Return the namespaces that hold entries, sorted."""
        ...

    def close(self) -> None:
        """Release what is open; a second call does nothing."""
        ...


class KeywordIndex(Protocol):
    """Finds passages by their words."""

    def matching(
        self, query: str, *, k: int, where: Where | None = None, namespace: str = ""
    ) -> list[Hit]:
        """Return at most k hits by BM25, best first; none where no word of the query occurs."""
        ...


def check_entry(entry: Entry, *, dim: int) -> dict[str, Scalar | list[str]]:
    """Return the entry's metadata as plain JSON.

    Raises:
        InputError: id, vector or metadata break a limit that every store keeps.
    """
    check_id(entry.id)
    check_vector(entry.vector, dim=dim, name=f"entry {entry.id!r}: vector")
    metadata = check_metadata(entry.metadata, entry=entry.id)
    stored = {"text": entry.text, "title": entry.title, "keywords": entry.keywords, **metadata}
    size = len(json.dumps(stored, ensure_ascii=False).encode())
    if size > MAX_METADATA_BYTES:
        raise InputError(
            f"entry {entry.id!r}: text and metadata take {size:,} bytes, more than "
            f"{MAX_METADATA_BYTES:,}; cut the text into smaller passages"
        )
    return metadata


def check_id(name: str) -> None:
    """Raise ``InputError`` for an id that some store refuses."""
    if not (name.isascii() and name.isprintable()) or not 0 < len(name) <= MAX_ID_BYTES:
        raise InputError(
            f"id {name!r:.80} is empty, longer than {MAX_ID_BYTES} bytes or not printable ASCII"
        )


def check_vector(vector: Array, *, dim: int, name: str = "vector") -> Array:
    """Return `[D]` float32 of unit length; raises ``InputError`` for another shape, NaN or zero."""
    row = np.asarray(vector, dtype=np.float32)
    if row.shape != (dim,):
        raise InputError(f"{name} has shape {row.shape}, the index holds vectors of {dim}")
    length = float(np.linalg.norm(row))
    if not (math.isfinite(length) and length > 0.0):
        raise InputError(f"{name} is zero or not finite; embed the text again")
    unit: Array = row / np.float32(length)
    return unit


def check_k(k: int) -> None:
    """Raise ``InputError`` for a k below 1."""
    if k < 1:
        raise InputError(f"k={k} asks for no passage; give a k of at least 1")


def check_deletion(ids: Sequence[str] | None, where: Where | None) -> None:
    """Raise ``InputError`` unless exactly one of ids and a filter is given."""
    if (ids is None) == (where is None):
        raise InputError("delete takes either ids or a filter; give exactly one of them")
