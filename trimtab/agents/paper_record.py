"""What the record of a passage's paper says, in words; a fact that is not known is not said."""

from __future__ import annotations

import json
from collections.abc import Sequence

from trimtab.records import Passage


def record_sentence(passage: Passage, fields: Sequence[str]) -> str | None:
    """Return what a paper's record says to the fields asked for, None where it lacks them all."""
    title = passage.metadata.get("title", "")
    said = []
    for field in fields:
        value = _record_value(passage, field)
        if value is not None:
            said.append(value)
    return f"“{title}” {' and '.join(said)}." if said else None


def record_of(passage: Passage) -> str:
    """Return the facts of a passage's paper as one text: authors, date, categories, id."""
    parts = [_record_value(passage, field) for field in ("authors", "published", "categories")]
    return "; ".join([part for part in parts if part] + [passage.metadata.get("paper", "")])


def _record_value(passage: Passage, field: str) -> str | None:
    facts_known = passage.metadata
    if field in ("authors", "categories") and field in facts_known:
        values = ", ".join(json.loads(facts_known[field]))
        return f"is by {values}" if field == "authors" else f"is in the arXiv categories {values}"
    if field == "published" and "date" in facts_known:
        day = facts_known["date"]
        return f"was first submitted on {day[:4]}-{day[4:6]}-{day[6:]}"
    if field == "published" and "year" in facts_known:
        return f"was first submitted in {facts_known['year']}"
    if field in ("arxiv_id", "title") and "paper" in facts_known:
        return f"has the arXiv id {facts_known['paper']}"
    return None
