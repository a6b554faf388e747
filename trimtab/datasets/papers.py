"""Papers from files of one JSON object per line: our own form, or that of arXiv's public dump.

Ours has ``arxiv_id, title, abstract`` and may have ``version, authors, categories, published,
updated``; a ``summary`` in the place of the abstract says that the words are not the authors'. The
dump has ``id, title, abstract, authors, categories, update_date``, with authors and categories as
one text each.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from trimtab.datasets.json_lines import json_objects
from trimtab.errors import InputError
from trimtab.rag.papers import Paper, one_line, split_version

_VERSION = re.compile(r"v?([1-9]\d{0,3})")


def read_papers(path: Path) -> Iterator[Paper]:
    """Yield the papers of a ``.jsonl``, ``.jsonl.gz`` or ``.json`` file of lines.

    Raises:
        InputError: a line cannot be used; the message names file, line, field and remedy.
    """
    for where, row in json_objects(path):
        try:
            yield _paper(row)
        except InputError as error:
            raise InputError(f"{path}: {where}: {error}") from error


def _paper(row: Mapping[str, Any]) -> Paper:
    summarised = "summary" in row and "abstract" not in row
    field = "arxiv_id" if "arxiv_id" in row else "id"
    arxiv_id, version = split_version(_text(row, field))
    return Paper(
        arxiv_id=arxiv_id,
        title=one_line(_text(row, "title")),
        abstract=_text(row, "summary" if summarised else "abstract").strip(),
        version=version or _version(row.get("version")),
        authors=_names(row, "authors", separator=","),
        categories=_names(row, "categories", separator=" "),
        published=_optional(row, "published"),
        updated=_optional(row, "updated" if field == "arxiv_id" else "update_date"),
        summarised=summarised,
    )


def _text(row: Mapping[str, Any], field: str) -> str:
    value = row.get(field)
    if not isinstance(value, str) or not value.strip():
        raise InputError(
            f"{field}={value!r:.80} is no text; each line needs arxiv_id (or id), title, abstract"
        )
    return value


def _optional(row: Mapping[str, Any], field: str) -> str | None:
    return None if row.get(field) in (None, "") else _text(row, field)


def _names(row: Mapping[str, Any], field: str, *, separator: str) -> tuple[str, ...] | None:
    value = row.get(field)
    if value is None or value in ("", []):
        return None
    parts = value.split(separator) if isinstance(value, str) else value
    if not isinstance(parts, list) or not all(isinstance(part, str) for part in parts):
        raise InputError(f"{field}={value!r:.80} is neither a text nor a list of texts")
    if isinstance(value, str) and field == "authors":
        # the dump writes "A. Bee, C. Dee and E. Eff"
        parts = [name for part in parts for name in re.split(r"\s+and\s+", part)]
    return tuple(name for part in parts if (name := one_line(part)))


def _version(value: object) -> int | None:
    if value is None or value == "":
        return None
    found = _VERSION.fullmatch(str(value))
    if found is None or isinstance(value, bool):
        raise InputError(f"version={value!r:.80} is no version; write it like 2 or v2")
    return int(found[1])
