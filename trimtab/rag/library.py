"""A corpus to ask: passages near a question, how near they are, and how rare its words."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import replace

from trimtab.protocols import Embedder
from trimtab.rag.embedded_index import EmbeddedIndex
from trimtab.rag.filters import Where
from trimtab.rag.hybrid import HybridConfig, HybridRetriever
from trimtab.records import Passage

_ARXIV_ID = re.compile(
    r"(?:https?://)?(?:\barxiv(?:\.org/(?:abs|pdf)/|\s*:?\s*))?(?<![\w.])"
    r"(?P<id>\d{4}\.\d{4,5}|[a-z]+(?:-[a-z]+)*(?:\.[A-Z]{2})?/\d{7})(?:v\d+)?(?![\w])",
    re.IGNORECASE,
)
COSINE = "cosine"
"""Key of a passage's metadata under which its cosine to the question stands."""


class Library:
    """Finds passages in one open index; thread-safe where its embedder is.

    A fused score is relative to the best passage of its query, so it cannot say that nothing fits;
    the cosine, which every passage carries beside it, can.

    Args:
        index: of the corpus; the caller closes it.
        embedder: of the index.
        config: how passages are found.
    """

    def __init__(
        self, index: EmbeddedIndex, embedder: Embedder, *, config: HybridConfig | None = None
    ) -> None:
        self.embedder = embedder
        self._index = index
        self._config = config

    def find(self, question: str, *, k: int, where: Where | None = None) -> list[Passage]:
        """Return at most k passages, best first, each with its cosine in the metadata."""
        retriever = HybridRetriever(
            self._index, self._index, self.embedder, config=self._config, where=where
        )
        found = retriever.retrieve(question, k=k)
        [vector] = self.embedder.embed([question])
        near = self._index.cosines(vector, [passage.source_id for passage in found])
        return [
            replace(one, metadata={**one.metadata, COSINE: f"{near[one.source_id]:.6f}"})
            for one in found
        ]

    def titled(self, question: str) -> str:
        """Return the question with the ids of papers kept here replaced by their titles.

        An id has no meaning that a vector could be near to, and no passage holds its own.
        """
        ids = {found["id"]: f"{found['id']}#0" for found in _ARXIV_ID.finditer(question)}
        if not ids:
            return question
        kept = self._index.fetch(list(ids.values()))

        def title(found: re.Match[str]) -> str:
            paper = kept.get(ids[found["id"]])
            return f"“{paper.title}”" if paper is not None and paper.title else found[0]

        return _ARXIV_ID.sub(title, question)

    def rarity(self, words: Sequence[str]) -> dict[str, float]:
        """Return in [0, 1] how rare each word is here: 1 for none, 0 where all passages hold it."""
        total = self._index.count()
        counts = self._index.frequencies(words)
        top = math.log(1.0 + total)
        return {word: math.log((1.0 + total) / (1.0 + n)) / top for word, n in counts.items()}
