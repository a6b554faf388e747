"""What searches refuse before they begin: settings, positions and seeds that cannot be used."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from trimtab.errors import ConfigError, InputError
from trimtab.protocols import AnyGame, Words


def whole(name: str, value: object) -> None:
    """Refuse what is not a whole number of at least 1.

    Raises:
        ConfigError: naming the field.
    """
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        raise ConfigError(f"{name}={value!r}: take a whole number of at least 1")


def finite(name: str, value: float, *, above: bool) -> None:
    """Refuse what is not a finite number of at least 0, or above 0.

    Raises:
        ConfigError: naming the field.
    """
    limit = value > 0.0 if above else value >= 0.0
    if not (limit and math.isfinite(value)):
        word = "above 0" if above else "of at least 0"
        raise ConfigError(f"{name}={value!r}: take a finite number {word}")


def one_of(name: str, value: str, known: tuple[str, ...]) -> None:
    """Refuse an unknown word.

    Raises:
        ConfigError: naming the field and the known words.
    """
    if value not in known:
        raise ConfigError(f"{name}={value!r}: take one of {known}")


def room(trees: int, nodes: int, node_type: np.dtype[np.void]) -> NDArray[np.void]:
    """Return unwritten nodes `[T, N]`.

    Raises:
        ConfigError: they are more than the memory holds, or than a node's index counts.
    """
    told = (
        f"simulations are too many: {trees} tree(s) of {nodes} nodes take "
        f"{trees * nodes * node_type.itemsize / 2**30:.1f} GiB; take fewer simulations or trees"
    )
    if nodes > np.iinfo(np.int32).max:
        raise ConfigError(told)
    try:
        return np.empty((trees, nodes), node_type)
    except MemoryError as error:
        raise ConfigError(told) from error


def checked_rows(game: AnyGame, rows: Words) -> Words:
    """Return `[T, W]` positions, contiguous.

    Raises:
        InputError: another shape or type.
    """
    if rows.dtype != np.uint64 or rows.ndim != 2 or rows.shape[1] != game.words or not len(rows):
        raise InputError(
            f"rows of shape {rows.shape} and type {rows.dtype}: {game.name} takes uint64 rows "
            f"[T, {game.words}] with T of at least 1, as encode gives them"
        )
    return np.ascontiguousarray(rows)


def checked_seeds(
    seeds: Sequence[int] | NDArray[np.integer], trees: int, *, bits: int | None = None
) -> list[int]:
    """Return the seeds as `[T]` ints.

    Raises:
        InputError: another number of them, a negative one, or one of more than ``bits``.
    """
    numbers = [int(seed) for seed in seeds]
    if len(numbers) != trees or min(numbers) < 0:
        raise InputError(f"seeds={numbers[:8]}: take {trees} whole numbers of at least 0")
    if bits is not None and max(numbers) >> bits:
        raise InputError(f"seeds={numbers[:8]}: take whole numbers below 2 ** {bits}")
    return numbers
