"""Papers into an index: cut, embedded and stored; a killed run loses and repeats nothing.

The first passage of a paper is written last and carries a hash of all that was indexed, so that a
paper whose first passage is there with that hash is whole.
"""

from __future__ import annotations

import hashlib
import itertools
import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict

from trimtab.protocols import Embedder
from trimtab.rag.chunking import Chunk, ChunkConfig, Section, chunk
from trimtab.rag.filters import Scalar
from trimtab.rag.papers import Paper, one_line, paper_to_json
from trimtab.rag.passage_index import Entry, PassageIndex

ABSTRACT = "abstract"
SUMMARY = "summary"
_GROUP = 32  # papers embedded and stored at once
_ABSTRACT_WHOLE = ChunkConfig(method="section", max_chars=2_000)


def ingest(
    papers: Iterable[Paper],
    index: PassageIndex,
    embedder: Embedder,
    *,
    config: ChunkConfig | None = None,
    namespace: str = "",
    progress: Callable[[Counter[str]], None] | None = None,
) -> Counter[str]:
    """Bring an index up to date with papers; each group is durable before the next begins.

    Returns:
        How many papers were ``added``, ``replaced`` or ``unchanged``, and ``passages`` written.
    """
    config = config or ChunkConfig()
    counts: Counter[str] = Counter()
    for group in _grouped(papers, _GROUP):
        marks = {paper.arxiv_id: _mark(paper, config) for paper in group}
        stored = index.fetch([_passage_id(name, 0) for name in marks], namespace=namespace)
        known = {str(hit.metadata["paper"]): hit.metadata.get("content") for hit in stored.values()}
        changed = [paper for paper in group if known.get(paper.arxiv_id) != marks[paper.arxiv_id]]
        old = [paper.arxiv_id for paper in changed if paper.arxiv_id in known]
        if old:
            # a shorter new version must not leave passages of the old one behind
            index.delete(where={"paper": {"$in": old}}, namespace=namespace)
        entries = _entries(changed, marks, config, embedder)
        index.upsert([entry for first, entry in entries if not first], namespace=namespace)
        index.upsert([entry for first, entry in entries if first], namespace=namespace)
        counts["added"] += len(changed) - len(old)
        counts["replaced"] += len(old)
        counts["unchanged"] += len(group) - len(changed)
        counts["passages"] += len(entries)
        if progress is not None:
            progress(counts)
    return counts


def passages(sections: Sequence[Section], config: ChunkConfig) -> list[Chunk]:
    """Return the passages of a document; an abstract of usual length is one passage."""
    return [
        piece
        for section in sections
        for piece in chunk(
            [section], _ABSTRACT_WHOLE if section.name in (ABSTRACT, SUMMARY) else config
        )
    ]


def embedding_text(title: str, text: str) -> str:
    """Return what is embedded for a passage: its title says what the passage takes for granted."""
    return f"{title}\n{text}" if title else text


def _entries(
    papers: Sequence[Paper], marks: dict[str, str], config: ChunkConfig, embedder: Embedder
) -> list[tuple[bool, Entry]]:
    """Return every passage of the papers, and whether it is its paper's first."""
    cut: list[tuple[Paper, int, Chunk]] = []
    for paper in papers:
        first = Section(name=SUMMARY if paper.summarised else ABSTRACT, text=paper.abstract)
        pieces = passages((first, *paper.sections), config)
        cut += [(paper, number, piece) for number, piece in enumerate(pieces)]
    texts = [embedding_text(one_line(paper.title), piece.text) for paper, _, piece in cut]
    vectors = embedder.embed(texts)
    return [
        (
            number == 0,
            Entry(
                id=_passage_id(paper.arxiv_id, number),
                text=piece.text,
                vector=vector,
                title=one_line(paper.title),
                keywords=" ".join([paper.arxiv_id, *(paper.authors or ())]),
                metadata=_metadata(paper, piece, marks[paper.arxiv_id]),
            ),
        )
        for (paper, number, piece), vector in zip(cut, vectors, strict=True)
    ]


def _metadata(paper: Paper, piece: Chunk, mark: str) -> dict[str, Scalar | list[str]]:
    """Return the fields of a passage; what is not known is left out."""
    fields: dict[str, Scalar | list[str] | None] = {
        "paper": paper.arxiv_id,
        "section": piece.section,
        "start": piece.start,
        "end": piece.end,
        "version": paper.version,
        "year": paper.year,
        "date": day_number(paper.published),
        "categories": None if paper.categories is None else list(paper.categories),
        "authors": None if paper.authors is None else list(paper.authors),
        "content": mark,
    }
    return {name: value for name, value in fields.items() if value is not None}


def day_number(day: str | None) -> int | None:
    """Return ``2024-05-01`` as 20240501; None where the day is not known."""
    return int(day.replace("-", "")) if day is not None and len(day) == 10 else None


def _mark(paper: Paper, config: ChunkConfig) -> str:
    plain = json.dumps([paper_to_json(paper), asdict(config)], sort_keys=True)
    return hashlib.sha256(plain.encode()).hexdigest()[:32]


def _passage_id(arxiv_id: str, number: int) -> str:
    return f"{arxiv_id}#{number}"


def _grouped(papers: Iterable[Paper], size: int) -> Iterator[list[Paper]]:
    """Yield groups; of two papers under one id in a group the later stays."""
    rest = iter(papers)
    while group := list(itertools.islice(rest, size)):
        yield list({paper.arxiv_id: paper for paper in group}.values())
