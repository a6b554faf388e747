"""Labelled examples nearest to a query, by an exact scan over unit vectors."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from trimtab.errors import InputError
from trimtab.protocols import Array, Embedder
from trimtab.rag.scan import nearest
from trimtab.records import Passage

_SLICE = 256


class ExampleIndex:
    """An exact cosine index over labelled texts; implements ``protocols.Retriever``.

    Args:
        texts: `[N]` the examples.
        labels: `[N]` their labels.
        vectors: `[N, D]` their unit vectors, from ``embedder``.
        embedder: embeds the queries.
    """

    def __init__(
        self, texts: Sequence[str], labels: Sequence[str], vectors: Array, embedder: Embedder
    ) -> None:
        if not len(texts) == len(labels) == len(vectors):
            raise InputError(
                f"{len(texts)} texts, {len(labels)} labels and {len(vectors)} vectors; "
                "give one label and one vector per text"
            )
        if vectors.ndim != 2 or vectors.shape[1] != embedder.dim:
            raise InputError(
                f"vectors of shape {vectors.shape} do not fit {embedder.name!r} "
                f"({embedder.dim} wide); embed the texts with that embedder"
            )
        if not len(texts):
            raise InputError("no texts; an index needs at least one example")
        if not np.isfinite(vectors).all():
            raise InputError("vectors hold NaN or infinity; embed the texts anew")
        self._texts = tuple(texts)
        self._labels = tuple(labels)
        self._vectors: Array = np.ascontiguousarray(vectors, dtype=np.float32)
        self._embedder = embedder

    def retrieve(self, query: str, *, k: int = 8, exclude_same_text: bool = False) -> list[Passage]:
        """Return the k nearest examples, nearest first; equally near ones in row order.

        Args:
            query: the text to compare with.
            k: how many, at least 1; fewer come back if the index is smaller.
            exclude_same_text: leave out examples that are the query itself, for asking with
                texts of the index.
        """
        if k < 1:
            raise InputError(f"k={k} asks for no passage; give a k of at least 1")
        [vector] = self._embedder.embed([query])
        allowed = None
        if exclude_same_text:
            allowed = np.array([text != query for text in self._texts], dtype=np.bool_)
        rows, scores = nearest(self._vectors, vector, k, allowed=allowed)
        return [
            Passage(
                text=self._texts[row],
                source_id=str(row),
                score=score,
                metadata={"label": self._labels[row]},
            )
            for row, score in zip(rows.tolist(), scores.tolist(), strict=True)
        ]

    def nearest_cosine(self, vectors: Array) -> Array:
        """Return `[B]` the cosine of each query vector `[B, D]` to its nearest example."""
        nearest: Array = np.empty(len(vectors), dtype=np.float32)
        # in slices: [B, N] at once would take a gigabyte for a training set against itself
        for start in range(0, len(vectors), _SLICE):
            part = vectors[start : start + _SLICE]
            nearest[start : start + _SLICE] = (part @ self._vectors.T).max(axis=1)
        return nearest
