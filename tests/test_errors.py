"""The drawing of the error tree is the tree."""

from __future__ import annotations

import inspect
import re

import pytest

from trimtab import errors
from trimtab.errors import MissingExtra, TrimtabError

INDENT = 4


def _drawn() -> dict[str, str | None]:
    """Return the parent of each class as the docstring draws it."""
    parents: dict[str, str | None] = {}
    trail: list[str] = []
    for line in (errors.__doc__ or "").splitlines():
        found = re.match(r"^ {4}(?P<stem>[│├└─ ]*)(?P<name>[A-Z]\w+)(?: |$)", line)
        if found is None:
            continue
        depth = len(found["stem"]) // INDENT
        del trail[depth:]
        parents[found["name"]] = trail[-1] if trail else None
        trail.append(found["name"])
    return parents


def _classes() -> dict[str, type[Exception]]:
    return {
        name: value
        for name, value in vars(errors).items()
        if isinstance(value, type) and issubclass(value, Exception)
    }


def test_the_docstring_draws_the_tree() -> None:
    real = {
        name: None if value is TrimtabError else value.__bases__[0].__name__
        for name, value in _classes().items()
    }
    assert _drawn() == real


@pytest.mark.parametrize("name", sorted(_classes()))
def test_every_error_has_one_root_and_says_when(name: str) -> None:
    error = _classes()[name]
    assert issubclass(error, TrimtabError)
    assert inspect.getdoc(error)


def test_a_missing_extra_holds_its_install_line() -> None:
    message = str(MissingExtra("pyarrow", "data"))
    assert message == ("pyarrow is not installed; run: python -m pip install 'trimtab[data]'")
