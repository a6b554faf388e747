"""Retrieval over words and vectors together.

Each query takes one list of candidates by BM25 and one by cosine, and orders their union. Fusing
by scores keeps what ranks throw away: how far the first is ahead of the second.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from trimtab.errors import ConfigError
from trimtab.protocols import Array, Embedder
from trimtab.rag.filters import Scalar, Where
from trimtab.rag.passage_index import Hit, KeywordIndex, PassageIndex, check_k
from trimtab.rag.search_terms import is_literal
from trimtab.records import Passage

Mode = Literal["hybrid", "rrf", "dense", "bm25"]
MODES: tuple[Mode, ...] = ("hybrid", "rrf", "dense", "bm25")

DENSE_WEIGHT = 0.6
"""Chosen on the 537 biomedical dev queries by ``trimtab bench retrieval --weights``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HybridConfig:
    """How candidates are found and ordered.

    Attributes:
        mode: ``hybrid`` fuses normalised scores, ``rrf`` reciprocal ranks; ``dense`` and ``bm25``
            take one list alone.
        dense_weight: share of the cosine in the fused score, in [0, 1].
        literal_weight: the same for a query of identifiers and quoted parts alone; it only orders
            what words do not find.
        dense_candidates: length of the list by cosine, if k is not larger.
        word_candidates: length of the list by BM25, if k is not larger.
        rrf_k: constant of the reciprocal ranks (Cormack et al. 2009 use 60).
    """

    mode: Mode = "hybrid"
    dense_weight: float = DENSE_WEIGHT
    literal_weight: float = 0.1
    dense_candidates: int = 100
    word_candidates: int = 100
    rrf_k: float = 60.0

    def __post_init__(self) -> None:
        if self.mode not in MODES:
            raise ConfigError(f"mode={self.mode!r}; use one of {list(MODES)}")
        for name in ("dense_weight", "literal_weight"):
            if not 0.0 <= getattr(self, name) <= 1.0:
                raise ConfigError(f"{name}={getattr(self, name)} lies outside [0, 1]")
        if min(self.dense_candidates, self.word_candidates) < 1 or self.rrf_k <= 0:
            raise ConfigError("candidates and rrf_k must be positive")


class HybridRetriever:
    """Implements ``protocols.Retriever`` over an index of vectors and one of words.

    Args:
        index: finds by vectors.
        words: finds by words; the embedded index is both.
        embedder: embeds queries; the index must hold its vectors.
        config: how.
        where: filter of every query.
        namespace: of every query.

    Raises:
        ConfigError: the index was made by another embedder.
    """

    def __init__(
        self,
        index: PassageIndex,
        words: KeywordIndex,
        embedder: Embedder,
        *,
        config: HybridConfig | None = None,
        where: Where | None = None,
        namespace: str = "",
    ) -> None:
        if (index.embedder_name, index.dim) != (embedder.name, embedder.dim):
            raise ConfigError(
                f"the index holds vectors of {index.embedder_name!r}, queries would be embedded "
                f"by {embedder.name!r}; use the same embedder"
            )
        self._index = index
        self._words = words
        self._embedder = embedder
        self._config = config or HybridConfig()
        self._where = where
        self._namespace = namespace

    def retrieve(self, query: str, *, k: int = 8) -> list[Passage]:
        """Return at most k passages, nearest first; equal scores in the order of their ids."""
        return [passage_of(hit) for hit in self.hits(query, k=k)]

    def hits(self, query: str, *, k: int) -> list[Hit]:
        """Return at most k hits with the fused score, best first."""
        check_k(k)
        mode = self._config.mode
        words = [] if mode == "dense" else self._by_words(query, k)
        if mode == "bm25":
            dense, scores = [], _scores(words)
        else:
            [vector] = self._embedder.embed([query])
            dense = self._by_vector(vector, k)
            weight = self._config.literal_weight if is_literal(query) else self._config.dense_weight
            scores = self._joined(vector, dense, words, weight)
        known = {hit.id: hit for hit in (*words, *dense)}
        order = sorted(scores, key=lambda name: (-scores[name], name))[:k]
        return [_rescored(known[name], scores[name]) for name in order]

    def _by_words(self, query: str, k: int) -> list[Hit]:
        size = max(k, self._config.word_candidates)
        return self._words.matching(query, k=size, where=self._where, namespace=self._namespace)

    def _by_vector(self, vector: Array, k: int) -> list[Hit]:
        size = max(k, self._config.dense_candidates)
        return self._index.nearest(vector, k=size, where=self._where, namespace=self._namespace)

    def _joined(
        self, vector: Array, dense: Sequence[Hit], words: Sequence[Hit], weight: float
    ) -> dict[str, float]:
        cosines = _scores(dense)
        if self._config.mode == "dense":
            return cosines
        if self._config.mode == "rrf":
            return reciprocal_ranks([_names(dense), _names(words)], k=self._config.rrf_k)
        # what only words found is as near as it is, not at distance 0
        missing = [hit.id for hit in words if hit.id not in cosines]
        cosines |= self._index.cosines(vector, missing, namespace=self._namespace)
        return fused(cosines, _scores(words), weight=weight)


def fused(
    cosines: Mapping[str, float], words: Mapping[str, float], *, weight: float
) -> dict[str, float]:
    """Return ``weight`` cosine plus ``1 - weight`` BM25 by id, each relative to its largest.

    Dividing by the largest keeps the order of each list whatever its length; what words did not
    find scores 0 there.
    """
    top_cosine = max((*cosines.values(), 1e-9))
    top_words = max((*words.values(), 1e-9))
    return {
        name: weight * cosines.get(name, 0.0) / top_cosine
        + (1.0 - weight) * words.get(name, 0.0) / top_words
        for name in {**cosines, **words}
    }


def reciprocal_ranks(lists: Sequence[Sequence[str]], *, k: float) -> dict[str, float]:
    """Return the sum of ``1 / (k + rank)`` by id, ranks from 1.

    Source: Cormack, Clarke and Büttcher 2009, "Reciprocal rank fusion outperforms Condorcet and
    individual rank learning methods", SIGIR.
    """
    scores: dict[str, float] = {}
    for names in lists:
        for rank, name in enumerate(names, start=1):
            scores[name] = scores.get(name, 0.0) + 1.0 / (k + rank)
    return scores


def passage_of(hit: Hit) -> Passage:
    """Return a hit as the record that agents read; metadata become texts."""
    metadata = {field: _as_text(value) for field, value in hit.metadata.items()}
    if hit.title:
        metadata["title"] = hit.title
    return Passage(text=hit.text, source_id=hit.id, score=hit.score, metadata=metadata)


def _as_text(value: Scalar | list[str]) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _names(hits: Sequence[Hit]) -> list[str]:
    return [hit.id for hit in hits]


def _scores(hits: Sequence[Hit]) -> dict[str, float]:
    return {hit.id: hit.score for hit in hits}


def _rescored(hit: Hit, score: float) -> Hit:
    return Hit(id=hit.id, text=hit.text, title=hit.title, metadata=hit.metadata, score=score)
