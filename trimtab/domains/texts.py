"""Texts of requests: what may be one, which are the same, and how messages show them."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence

MAX_TEXT_CHARS = 20_000
_SHOWN = 20


def normalise(text: str) -> str:
    """Return the text without case, width and runs of whitespace: the key of equal content.

    NFKC, case folding and NFKC again (folding can leave a text that is not NFKC), then every run
    of whitespace as one space. Idempotent.

    >>> normalise("  Solve   ＴＨＩＳ ")
    'solve this'
    """
    if not text.isascii():
        # decomposed first: folding U+0345 must see the marks in canonical order
        text = unicodedata.normalize("NFKC", unicodedata.normalize("NFKD", text).casefold())
    return " ".join(text.casefold().split())


def text_problem(text: object) -> str | None:
    """Return what is wrong with a request's text and the remedy, or None if it can be used.

    The text itself is never part of the answer: it may be long, secret, or not printable.
    """
    if not isinstance(text, str):
        return f"is a {type(text).__name__}, not a str; pass the request as a str"
    if len(text) > MAX_TEXT_CHARS:
        return f"has {len(text):,} characters, at most {MAX_TEXT_CHARS:,} are read; shorten it"
    if not text or text.isspace():
        return "is empty; pass at least one character that is not whitespace"
    if "\0" in text:
        return f"holds a NUL character at position {text.index(chr(0))}; remove it"
    try:
        text.encode("utf-8")
    except UnicodeEncodeError as error:
        return (
            f"holds a lone surrogate at position {error.start}; decode the request as UTF-8 "
            f"before it is passed"
        )
    return None


def listed(values: Sequence[str]) -> str:
    """Return the values as a list for an error message, cut after the first twenty."""
    if len(values) <= _SHOWN:
        return str(list(values))
    head = ", ".join(repr(value) for value in values[:_SHOWN])
    return f"[{head}, … {len(values) - _SHOWN} more]"


def short(value: object) -> str:
    """Return the value for an error message, cut after eighty characters."""
    shown = repr(value)
    return shown if len(shown) <= 80 else f"{shown[:77]}…"
