"""A paper as arXiv describes it; what is not known stays None."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import date
from typing import Any

from trimtab.errors import InputError
from trimtab.rag.chunking import Section

_NEW_ID = re.compile(r"\d{2}(?:0[1-9]|1[0-2])\.\d{4,5}")
_OLD_ID = re.compile(r"[a-z]+(?:-[a-z]+)*(?:\.[A-Z]{2})?/\d{2}(?:0[1-9]|1[0-2])\d{3}")
_VERSION = re.compile(r"v([1-9]\d{0,3})$")
_DATE = re.compile(r"(\d{4})(?:-(\d{2})-(\d{2}))?")
_SURROGATE = re.compile(r"[\ud800-\udfff]")
_CATEGORY = re.compile(r"[a-z]+(?:-[a-z]+)*(?:\.[A-Za-z-]+)?")


@dataclass(frozen=True, slots=True, kw_only=True)
class Paper:
    """The facts of a paper.

    Attributes:
        arxiv_id: without version, ``2505.12028`` or ``math.CO/0601001``.
        title: in one line.
        abstract: as the authors wrote it, or a summary of it; not empty.
        version: from 1.
        authors: names in order.
        categories: arXiv's, the primary one first.
        published: ``YYYY-MM-DD``, or ``YYYY`` where only the year is known.
        updated: likewise, of this version.
        sections: the full text, where it was fetched.
        summarised: the abstract is a summary in words that are not the authors'.
    """

    arxiv_id: str
    title: str
    abstract: str
    version: int | None = None
    authors: tuple[str, ...] | None = None
    categories: tuple[str, ...] | None = None
    published: str | None = None
    updated: str | None = None
    sections: tuple[Section, ...] = ()
    summarised: bool = False

    def __post_init__(self) -> None:
        check_arxiv_id(self.arxiv_id)
        place = f"paper {self.arxiv_id}"
        if not self.title.strip() or not self.abstract.strip():
            raise InputError(f"{place}: title or abstract is empty; give both")
        for text in (self.title, self.abstract, *(self.authors or ())):
            if _SURROGATE.search(text):
                raise InputError(
                    f"{place}: {text!r:.80} holds a lone surrogate; write the text as UTF-8"
                )
        for name, value in (("published", self.published), ("updated", self.updated)):
            if value is not None:
                _check_date(value, f"{place}: {name}")
        for category in self.categories or ():
            check_category(category, place=f"{place}: ")

    @property
    def year(self) -> int | None:
        """Return the year of the first version, where it is known."""
        return int(self.published[:4]) if self.published else None


def check_arxiv_id(text: str) -> str:
    """Return a well-formed arXiv id without version; raises ``InputError`` for another text."""
    if not (_NEW_ID.fullmatch(text) or _OLD_ID.fullmatch(text)):
        raise InputError(
            f"arxiv_id={text!r:.80} is no arXiv id; write it like 2505.12028 or math/0601001"
        )
    return text


def check_category(text: str, *, place: str = "") -> str:
    """Return a category of arXiv's form; raises ``InputError`` for another text."""
    if not _CATEGORY.fullmatch(text):
        raise InputError(
            f"{place}category {text!r:.80} is none of arXiv's form; give one, such as cs.LG"
        )
    return text


def split_version(text: str) -> tuple[str, int | None]:
    """Return an arXiv id and the version behind it (``2505.12028v2``), None where there is none."""
    found = _VERSION.search(text)
    if found is None:
        return check_arxiv_id(text), None
    return check_arxiv_id(text[: found.start()]), int(found.group(1))


def paper_to_json(paper: Paper) -> dict[str, Any]:
    """Return a paper as plain JSON."""
    return asdict(paper)


def paper_from_json(plain: Mapping[str, Any]) -> Paper:
    """Return the paper of :func:`paper_to_json`."""
    fields = dict(plain)
    for name in ("authors", "categories"):
        fields[name] = None if fields[name] is None else tuple(fields[name])
    fields["sections"] = tuple(Section(**section) for section in fields["sections"])
    return Paper(**fields)


def one_line(text: str) -> str:
    """Return a text with every run of white space as one blank, none at the ends."""
    return " ".join(text.split())


def _check_date(text: str, place: str) -> None:
    found = _DATE.fullmatch(text)
    try:
        if found is None:
            raise ValueError("it is not of the form YYYY-MM-DD or YYYY")
        date(int(found[1]), int(found[2] or 1), int(found[3] or 1))
    except ValueError as error:
        raise InputError(f"{place}={text!r:.80} is no date ({error}); leave it out") from error
