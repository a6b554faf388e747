"""Texts cut into passages that know where they come from.

A document is a sequence of sections; offsets count characters within a section's text, so that
``section.text[chunk.start:chunk.end] == chunk.text`` always holds. Sizes are in characters:
MiniLM reads 256 word pieces, which is some 1,200 characters of English.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from trimtab.errors import ConfigError

Method = Literal["fixed", "recursive", "section"]
# paragraphs, lines, sentences, clauses, words: the first that cuts small enough is taken
_BREAKS = (
    re.compile(r"\n\s*\n"),
    re.compile(r"\n"),
    re.compile(r"(?<=[.!?])\s+|(?<=[。！？])"),
    re.compile(r"(?<=[,;:])\s+"),
    re.compile(r"\s+"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """A part of a document; ``name`` is its heading, ``abstract`` for the abstract."""

    name: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Chunk:
    """A passage of a section: ``text`` is the section's text from ``start`` to ``end``."""

    section: str
    start: int
    end: int
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ChunkConfig:
    """How texts are cut.

    Attributes:
        method: ``fixed`` cuts windows of equal length at spaces; ``recursive`` at the largest
            break that makes parts small enough; ``section`` keeps sections whole where they fit
            into ``max_chars`` times four, and cuts larger ones recursively.
        max_chars: largest passage.
        overlap_chars: characters that a fixed window repeats of the one before, at least.
    """

    method: Method = "recursive"
    max_chars: int = 1_500
    overlap_chars: int = 150

    def __post_init__(self) -> None:
        if self.method not in ("fixed", "recursive", "section"):
            raise ConfigError(f"method={self.method!r}; use fixed, recursive or section")
        if not 40 <= self.max_chars <= 2_400:
            raise ConfigError(f"max_chars={self.max_chars} lies outside 40 to 2,400")
        if not 0 <= self.overlap_chars <= self.max_chars // 2:
            raise ConfigError(
                f"overlap_chars={self.overlap_chars} is negative or more than half of max_chars"
            )


def chunk(sections: Sequence[Section], config: ChunkConfig) -> list[Chunk]:
    """Return the passages of a document in order; blank sections give none."""
    cutters: dict[Method, Callable[[str], Iterator[tuple[int, int]]]] = {
        "fixed": lambda text: _fixed(text, config.max_chars, config.overlap_chars),
        "recursive": lambda text: _recursive(text, config.max_chars),
        "section": lambda text: _whole(text, config.max_chars),
    }
    cut = cutters[config.method]
    chunks: list[Chunk] = []
    for section in sections:
        for start, end in cut(section.text):
            start, end = _trimmed(section.text, start, end)
            if start < end:
                text = section.text[start:end]
                chunks.append(Chunk(section=section.name, start=start, end=end, text=text))
    return chunks


def _fixed(text: str, size: int, overlap: int) -> Iterator[tuple[int, int]]:
    start = 0
    while start < len(text):
        end = min(start + size, len(text))
        if end < len(text):
            space = text.rfind(" ", start + size // 2, end)
            end = space if space > 0 else end
        yield start, end
        if end == len(text):
            return
        # step back to the start of a word, but always move on
        back = text.rfind(" ", start + 1, end - overlap + 1) + 1 if overlap else end
        start = back if back > start else end


def _recursive(text: str, size: int) -> Iterator[tuple[int, int]]:
    pieces = _pieces(text, 0, len(text), size, level=0)
    start = end = -1
    for piece_start, piece_end in pieces:
        if start >= 0 and piece_end - start <= size:
            end = piece_end  # small neighbours are joined up to the size
            continue
        if start >= 0:
            yield start, end
        start, end = piece_start, piece_end
    if start >= 0:
        yield start, end


def _whole(text: str, size: int) -> Iterator[tuple[int, int]]:
    if len(text) <= 4 * size:
        yield 0, len(text)
    else:
        yield from _recursive(text, size)


def _pieces(text: str, start: int, end: int, size: int, *, level: int) -> Iterator[tuple[int, int]]:
    """Yield adjoining parts of a stretch, none longer than the size."""
    if end - start <= size:
        yield start, end
        return
    if level == len(_BREAKS):  # one endless word
        for cut in range(start, end, size):
            yield cut, min(cut + size, end)
        return
    last = start
    for found in _BREAKS[level].finditer(text, start, end):
        if found.end() > last:
            yield from _pieces(text, last, found.end(), size, level=level + 1)
            last = found.end()
    if last < end:
        yield from _pieces(text, last, end, size, level=level + 1)


def _trimmed(text: str, start: int, end: int) -> tuple[int, int]:
    while start < end and text[start].isspace():
        start += 1
    while end > start and text[end - 1].isspace():
        end -= 1
    return start, end
