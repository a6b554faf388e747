"""Questions with known evidence, made from papers alone: titles and sentences ask for their paper.

A title asks while all titles are hidden, a sentence while it is cut out of its paper's text: no
question stands in its own evidence. Each is asked in full and with words left out, and each once
more without its paper in the index: then "none of them" is the answer. N questions, L places, E
inputs.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trimtab.agents.evidence import CANDIDATES, evidence_inputs, gather
from trimtab.agents.sentences import sentences
from trimtab.errors import ConfigError
from trimtab.protocols import Array, Embedder
from trimtab.rag.embedded_index import EmbeddedIndex
from trimtab.rag.hybrid import HybridRetriever
from trimtab.rag.ingest import embedding_text
from trimtab.rag.papers import Paper
from trimtab.rag.passage_index import Entry

LEAST_PAPERS = 20
_LEAST_WORDS = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class EvidenceData:
    """Questions with the passages found for them.

    Attributes:
        inputs: `[N, L, E]`.
        targets: `[N, 1]` the place of the evidence; 0 for none.
        papers: `[N]` number of the paper that each was made from.
        hidden: `[N]` whether that paper was taken out of the index.
        reduced: `[N]` whether words were left out of the question.
    """

    inputs: Array
    targets: NDArray[np.int64]
    papers: NDArray[np.int64]
    hidden: NDArray[np.bool_]
    reduced: NDArray[np.bool_]

    def part(self, chosen: NDArray[np.bool_]) -> EvidenceData:
        """Return the chosen rows."""
        return EvidenceData(
            inputs=self.inputs[chosen],
            targets=self.targets[chosen],
            papers=self.papers[chosen],
            hidden=self.hidden[chosen],
            reduced=self.reduced[chosen],
        )


class EvidenceSampler:
    """Draws questions, with a stated share of those whose paper is hidden."""

    def __init__(self, found: EvidenceData, *, hidden_share: float) -> None:
        self._found = found
        self._hidden_share = hidden_share
        self._places = (np.flatnonzero(~found.hidden), np.flatnonzero(found.hidden))

    def draw(self, n: int, rng: np.random.Generator) -> tuple[NDArray[Any], NDArray[np.int64]]:
        """Return `[n, L, E]` inputs and `[n, 1]` targets."""
        shown, hidden = self._places
        rows = np.where(
            rng.random(n) < self._hidden_share, rng.choice(hidden, n), rng.choice(shown, n)
        )
        return self._found.inputs[rows], self._found.targets[rows]


def evidence_data(
    papers: Sequence[Paper],
    embedder: Embedder,
    *,
    keep: Sequence[float],
    rng: np.random.Generator,
    progress: Callable[[str], None] = lambda line: None,
) -> EvidenceData:
    """Return the questions of papers with what an index of these papers finds for them.

    Args:
        papers: whose titles and abstracts are taken.
        embedder: of the index.
        keep: shares of a question's words that stay, one more question for each.
        rng: draws the words.
        progress: told what is being done.

    Raises:
        ConfigError: there are fewer than ``LEAST_PAPERS`` papers.
    """
    if len(papers) < LEAST_PAPERS:
        raise ConfigError(f"{len(papers)} papers; give at least {LEAST_PAPERS} to train on")
    cut = [[one.text for one in sentences(paper.abstract)] for paper in papers]
    rounds = max(len(texts) for texts in cut)
    rows: list[_Row] = []
    with tempfile.TemporaryDirectory(prefix="trimtab-evidence-") as folder:
        for number in range(-1, rounds):
            progress("asking titles" if number < 0 else f"asking sentence {number + 1} of {rounds}")
            path = Path(folder) / f"{number}.sqlite"
            with EmbeddedIndex(path, embedder=embedder.name, dim=embedder.dim) as index:
                asked = _fill(index, papers, cut, number, embedder)
                for paper, text in asked:
                    for share in (1.0, *keep):
                        question = _fewer_words(text, share, rng)
                        rows += _rows(index, embedder, question, paper, reduced=share < 1.0)
    return EvidenceData(
        inputs=np.stack([row.inputs for row in rows]),
        targets=np.array([[row.target] for row in rows], dtype=np.int64),
        papers=np.array([row.paper for row in rows], dtype=np.int64),
        hidden=np.array([row.hidden for row in rows], dtype=np.bool_),
        reduced=np.array([row.reduced for row in rows], dtype=np.bool_),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Row:
    inputs: Array
    target: int
    paper: int
    hidden: bool
    reduced: bool


def _fill(
    index: EmbeddedIndex,
    papers: Sequence[Paper],
    cut: Sequence[Sequence[str]],
    number: int,
    embedder: Embedder,
) -> list[tuple[int, str]]:
    """Index every paper without what is asked of it; return the papers and what is asked.

    Args:
        index: empty.
        papers: to index.
        cut: their sentences.
        number: of the sentence that is asked; -1 asks titles.
        embedder: of the index.
    """
    asked: list[tuple[int, str]] = []
    shown: list[tuple[str, str]] = []
    for place, (paper, texts) in enumerate(zip(papers, cut, strict=True)):
        if number < 0:
            asked.append((place, paper.title))
            shown.append(("", paper.abstract))
        elif number < len(texts) > 1:
            asked.append((place, texts[number]))
            shown.append((paper.title, " ".join([*texts[:number], *texts[number + 1 :]])))
        else:
            shown.append((paper.title, paper.abstract))
    vectors = embedder.embed([embedding_text(title, text) for title, text in shown])
    index.upsert(
        [
            Entry(id=str(place), title=title, text=text, vector=vector)
            for place, ((title, text), vector) in enumerate(zip(shown, vectors, strict=True))
        ]
    )
    return asked


def _rows(
    index: EmbeddedIndex, embedder: Embedder, question: str, paper: int, *, reduced: bool
) -> list[_Row]:
    """Return the question as it is, and without its paper."""
    hits = HybridRetriever(index, index, embedder).hits(question, k=CANDIDATES + 1)
    found = [hit.id for hit in hits]
    others = [name for name in found if name != str(paper)]
    rows = []
    for hidden, names in ((False, found[:CANDIDATES]), (True, others[:CANDIDATES])):
        kept, known = gather(question, names, index=index, words=index, embedder=embedder)
        rows.append(
            _Row(
                inputs=evidence_inputs(known),
                target=kept.index(str(paper)) + 1 if str(paper) in kept else 0,
                paper=paper,
                hidden=hidden,
                reduced=reduced,
            )
        )
    return rows


def _fewer_words(text: str, share: float, rng: np.random.Generator) -> str:
    words = text.split()
    size = max(_LEAST_WORDS, round(share * len(words)))
    if size >= len(words):
        return text
    kept = np.sort(rng.choice(len(words), size=size, replace=False))
    return " ".join(words[place] for place in kept)
