"""The documents and queries of the retrieval benchmark."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from trimtab.datasets.json_lines import json_objects
from trimtab.datasets.papers import read_papers
from trimtab.embedding import file_hash
from trimtab.errors import InputError

# sha256 of the files that the bars were set on
_ARXIV = "36a155f5fa33208aa00854ff9335478291def5be7acfb8aa8b1185a3d897840c"
_BIOMEDICAL = "a09ca7691b73123ae6850bbabbdfb382db785f667dbf46d085313826b6c2b89c"


@dataclass(frozen=True, slots=True)
class Document:
    """A document to be found."""

    doc_id: str
    title: str
    text: str


@dataclass(frozen=True, slots=True)
class Query:
    """A question and the documents that answer it."""

    query_id: str
    query: str
    relevant: frozenset[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class RetrievalData:
    """What is measured on.

    Attributes:
        name: of the data, for people.
        kind: which bars hold: ``arxiv-titles``, ``biomedical``, or none.
    """

    name: str
    kind: str
    documents: tuple[Document, ...]
    queries: tuple[Query, ...]


def read_data(docs: Path, *, queries: Path | None, known_item: str | None) -> RetrievalData:
    """Return documents and queries; with ``known_item`` a field is hidden and asked for.

    Raises:
        InputError: neither or both of ``queries`` and ``known_item``, or an unusable line.
    """
    if (queries is None) == (known_item is None):
        raise InputError("give either --queries FILE or --known-item title")
    digest = file_hash(docs) if docs.is_file() else ""
    if queries is None:
        if known_item != "title":
            raise InputError(f"known_item={known_item!r} cannot be hidden; use title")
        return _known_items(docs, kind="arxiv-titles" if digest == _ARXIV else "")
    documents = tuple(_document(docs, where, row) for where, row in json_objects(docs))
    asked = tuple(_query(queries, where, row) for where, row in json_objects(queries))
    _check(docs, documents, asked)
    return RetrievalData(
        name=f"{docs.name}, {queries.name}",
        kind="biomedical" if digest == _BIOMEDICAL else "",
        documents=documents,
        queries=asked,
    )


def _known_items(docs: Path, *, kind: str) -> RetrievalData:
    papers = list(read_papers(docs))
    documents = tuple(Document(paper.arxiv_id, "", paper.abstract) for paper in papers)
    asked = tuple(
        Query(paper.arxiv_id, paper.title, frozenset({paper.arxiv_id})) for paper in papers
    )
    _check(docs, documents, asked)
    name = f"{docs.name}, each title asked for its abstract"
    return RetrievalData(name=name, kind=kind, documents=documents, queries=asked)


def _document(path: Path, where: str, row: Mapping[str, Any]) -> Document:
    title = row.get("title") or ""
    if not isinstance(title, str):
        raise InputError(f"{path}: {where}: title={title!r:.80} is no text")
    return Document(_text(path, where, row, "doc_id"), title, _text(path, where, row, "text"))


def _query(path: Path, where: str, row: Mapping[str, Any]) -> Query:
    relevant = row.get("relevant")
    if (
        not isinstance(relevant, list)
        or not relevant
        or not all(isinstance(name, str) for name in relevant)
    ):
        raise InputError(f"{path}: {where}: relevant={relevant!r:.80} is no list of doc_ids")
    names = frozenset(relevant)
    return Query(_text(path, where, row, "query_id"), _text(path, where, row, "query"), names)


def _text(path: Path, where: str, row: Mapping[str, Any], field: str) -> str:
    value = row.get(field)
    if not isinstance(value, str) or not value.strip():
        raise InputError(f"{path}: {where}: {field}={value!r:.80} is no text; every line needs it")
    return value


def _check(docs: Path, documents: tuple[Document, ...], queries: tuple[Query, ...]) -> None:
    if not documents or not queries:
        raise InputError(
            f"{docs}: {len(documents)} documents and {len(queries)} queries; give both"
        )
    known = {document.doc_id for document in documents}
    if len(known) != len(documents):
        raise InputError(f"{docs}: doc_ids occur twice; give each document its own")
    for query in queries:
        missing = sorted(query.relevant - known)
        if missing:
            raise InputError(f"query {query.query_id!r}: {missing[:3]} are not among the documents")
