"""Metadata filters in Pinecone's language, checked once and evaluated set by set.

``{"category": "cs.LG", "year": {"$gte": 2024}}`` asks for both; ``$and`` and ``$or`` take lists.
On a list of texts ``$eq`` and ``$in`` ask whether it holds the value. ``$ne`` and ``$nin`` are the
exact opposite of ``$eq`` and ``$in``, so they also match where the field is absent.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeVar, cast

from trimtab.errors import InputError

Scalar = str | int | float | bool
Metadata = Mapping[str, Scalar | Sequence[str]]
Where = Mapping[str, Any]
T = TypeVar("T")

Comparison = Literal["$eq", "$in", "$gt", "$gte", "$lt", "$lte", "$exists"]
OPERATORS = ("$eq", "$ne", "$in", "$nin", "$gt", "$gte", "$lt", "$lte", "$exists", "$and", "$or")
_NEGATED: Mapping[str, Comparison] = {"$ne": "$eq", "$nin": "$in"}
_ORDERED = ("$gt", "$gte", "$lt", "$lte")
_MAX_DEPTH = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Leaf:
    """One comparison of a field.

    ``values`` holds one value, or several for ``$in``; of ``$exists`` it is the wanted truth.
    """

    field: str
    operator: Comparison
    values: tuple[Scalar, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Negation:
    """Everything that the leaf does not match."""

    leaf: Leaf


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """All parts (``$and``) or any part (``$or``); at least one."""

    operator: Literal["$and", "$or"]
    parts: tuple[Condition, ...]


Condition = Leaf | Negation | Group


def parse_filter(where: Where) -> Condition:
    """Return the checked form of a filter.

    Raises:
        InputError: an unknown operator, a value of the wrong type, or an empty filter.
    """
    return _parse(where, depth=0)


def evaluate(
    condition: Condition,
    *,
    leaf: Callable[[Leaf], T],
    negate: Callable[[T], T],
    both: Callable[[T, T], T],
    either: Callable[[T, T], T],
) -> T:
    """Return a filter's value in an algebra of sets or truths, given the value of each leaf."""
    if isinstance(condition, Leaf):
        return leaf(condition)
    if isinstance(condition, Negation):
        return negate(leaf(condition.leaf))
    join = both if condition.operator == "$and" else either
    values = [
        evaluate(part, leaf=leaf, negate=negate, both=both, either=either)
        for part in condition.parts
    ]
    result = values[0]
    for value in values[1:]:
        result = join(result, value)
    return result


def check_metadata(metadata: Metadata, *, entry: str) -> dict[str, Scalar | list[str]]:
    """Return metadata as plain JSON: texts, finite numbers, truths and lists of texts.

    Raises:
        InputError: another type, a number that is not finite, or a field that is empty or begins
            with a dollar sign.
    """
    checked: dict[str, Scalar | list[str]] = {}
    for field, value in metadata.items():
        _check_field(field, place=f"entry {entry!r}: ")
        if isinstance(value, Sequence) and not isinstance(value, str):
            if not all(isinstance(item, str) for item in value):
                raise InputError(f"entry {entry!r}: {field}={value!r:.80} is no list of texts only")
            checked[field] = list(value)
            continue
        if not _is_scalar(value):
            raise InputError(
                f"entry {entry!r}: {field}={value!r:.80} is a {type(value).__name__}; give a text, "
                "a finite number, a truth or a list of texts, or leave the field out"
            )
        checked[field] = value
    return checked


def _parse(where: Where, *, depth: int) -> Condition:
    if not isinstance(where, Mapping) or not where:
        raise InputError(
            f"filter {where!r:.80} is no object with a condition; leave it out for all"
        )
    if depth > _MAX_DEPTH:
        raise InputError(f"the filter is nested deeper than {_MAX_DEPTH}; write it flatter")
    parts: list[Condition] = []
    for key, value in where.items():
        if key == "$and" or key == "$or":
            if not isinstance(value, Sequence) or isinstance(value, str) or not value:
                raise InputError(f"filter: {key} takes a list of filters, not {value!r:.80}")
            nested = tuple(_parse(part, depth=depth + 1) for part in value)
            parts.append(Group(operator=cast(Literal["$and", "$or"], key), parts=nested))
        else:
            parts.extend(_comparisons(_check_field(key, place="filter: "), value))
    return parts[0] if len(parts) == 1 else Group(operator="$and", parts=tuple(parts))


def _comparisons(field: str, value: object) -> list[Condition]:
    if not isinstance(value, Mapping):
        value = {"$eq": value}
    if not value:
        raise InputError(f"filter: field {field!r} has no comparison; use one of {list(OPERATORS)}")
    return [_comparison(field, operator, wanted) for operator, wanted in value.items()]


def _comparison(field: str, operator: str, wanted: object) -> Condition:
    place = f"filter: {field!r}: {operator}"
    if operator not in OPERATORS or operator in ("$and", "$or"):
        raise InputError(f"{place} is no comparison; use one of {list(OPERATORS[:-2])}")
    positive = _NEGATED.get(operator, cast(Comparison, operator))
    if positive == "$in":
        values = wanted if isinstance(wanted, list | tuple) else None
        if not values or not all(_is_scalar(item) for item in values):
            raise InputError(
                f"{place} takes a list of texts, numbers or truths, not {wanted!r:.80}"
            )
    else:
        values = (wanted,)
        if positive == "$exists" and not isinstance(wanted, bool):
            raise InputError(f"{place} takes true or false, not {wanted!r:.80}")
        if positive in _ORDERED and (isinstance(wanted, bool | str) or not _is_scalar(wanted)):
            raise InputError(
                f"{place} compares numbers, not {wanted!r:.80}; store dates as numbers"
            )
        if not _is_scalar(wanted):
            raise InputError(f"{place} takes a text, a number or a truth, not {wanted!r:.80}")
    leaf = Leaf(field=field, operator=positive, values=tuple(cast(Sequence[Scalar], values)))
    return Negation(leaf=leaf) if operator in _NEGATED else leaf


def _check_field(field: object, *, place: str) -> str:
    if not isinstance(field, str) or not field or field[0] in "$_":
        raise InputError(f"{place}field {field!r:.80} is empty, no text, or begins with $ or _")
    return field


def _is_scalar(value: object) -> bool:
    if isinstance(value, float):
        return math.isfinite(value)
    return isinstance(value, str | int | bool)
