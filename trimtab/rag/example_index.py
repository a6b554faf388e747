"""Labelled examples nearest to a query, by an exact scan over unit vectors."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from trimtab.errors import InputError
from trimtab.protocols import Array, Embedder
from trimtab.records import Passage


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
        self._texts = tuple(texts)
        self._labels = tuple(labels)
        self._vectors: Array = np.ascontiguousarray(vectors, dtype=np.float32)
        self._embedder = embedder

    def retrieve(self, query: str, *, k: int = 8) -> list[Passage]:
        """Return the k nearest examples, nearest first; ties go to the earlier row."""
        [vector] = self._embedder.embed([query])
        scores = self._vectors @ vector
        order = np.argsort(-scores, kind="stable")[:k]
        return [
            Passage(
                text=self._texts[row],
                source_id=str(row),
                score=float(scores[row]),
                metadata={"label": self._labels[row]},
            )
            for row in order.tolist()
        ]

    def nearest_cosine(self, vectors: Array) -> Array:
        """Return `[B]` the cosine of each query vector to its nearest example."""
        nearest: Array = (vectors @ self._vectors.T).max(axis=1)
        return nearest
