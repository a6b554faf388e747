"""The vectors of an index file in memory, kept in step with the file. N rows, D wide."""

from __future__ import annotations

import sqlite3

import numpy as np
from numpy.typing import NDArray

from trimtab.protocols import Array

_FIRST_CAPACITY = 256
_GROUP = 256  # vectors read at once: what is joined stays in the cache of the processor

Rows = NDArray[np.int64]
Mask = NDArray[np.bool_]


class VectorRows:
    """Vectors, row numbers and namespaces of all passages; the caller holds the lock.

    Row numbers only grow, so what is new is read by its number; what was deleted is found by
    comparing row numbers, and stays in memory until it is half of it.
    """

    def __init__(self, dim: int) -> None:
        self._dim = dim
        self._seen: tuple[int, int] | None = None
        self._codes: dict[str, int] = {}
        self._clear()

    def _clear(self) -> None:
        self._n = 0
        self._vectors: Array = np.empty((_FIRST_CAPACITY, self._dim), dtype=np.float32)
        self._rows: Rows = np.empty(_FIRST_CAPACITY, dtype=np.int64)
        self._spaces: NDArray[np.int32] = np.empty(_FIRST_CAPACITY, dtype=np.int32)
        self._alive: Mask = np.zeros(0, dtype=np.bool_)

    def synchronise(self, connection: sqlite3.Connection) -> None:
        """Read what changed; the connection must be inside a transaction that has read."""
        [version] = connection.execute("PRAGMA data_version").fetchone()
        seen = (int(version), connection.total_changes)
        if seen == self._seen:
            return
        [count] = connection.execute("SELECT count(*) FROM passages").fetchone()
        # room for all at once: growing by doubling copies what was read and touches twice the pages
        self._reserve(max(0, count - self._n))
        self._append(connection)
        if count != int(self._alive.sum()):
            kept = [row for (row,) in connection.execute("SELECT row FROM passages")]
            self._alive = np.isin(self.rows, np.array(kept, dtype=np.int64))
        if 2 * count < self._n:
            self._clear()
            self._append(connection)
        self._seen = seen

    @property
    def vectors(self) -> Array:
        """Return `[N, D]` unit vectors."""
        return self._vectors[: self._n]

    @property
    def rows(self) -> Rows:
        """Return `[N]` row numbers, ascending."""
        return self._rows[: self._n]

    def mask(self, namespace: str) -> Mask:
        """Return `[N]` whether a row is alive and of the namespace."""
        code = self._codes.get(namespace, -1)
        mask: Mask = self._alive & (self._spaces[: self._n] == code)
        return mask

    def places(self, wanted: Rows) -> Mask:
        """Return `[N]` whether a row number is among those given."""
        mask = np.zeros(self._n, dtype=np.bool_)
        places = np.searchsorted(self.rows, wanted)
        inside = places < self._n
        places, wanted = places[inside], wanted[inside]
        mask[places[self.rows[places] == wanted]] = True
        return mask

    def _append(self, connection: sqlite3.Connection) -> None:
        last = int(self._rows[self._n - 1]) if self._n else 0
        found = connection.execute(
            "SELECT row, namespace, vector FROM passages WHERE row > ? ORDER BY row", (last,)
        )
        start = self._n
        while group := found.fetchmany(_GROUP):
            self._reserve(len(group))
            place = slice(self._n, self._n + len(group))
            joined = b"".join(vector for _, _, vector in group)
            if len(joined) != 4 * self._dim * len(group):
                raise sqlite3.DatabaseError(f"vectors are not {4 * self._dim} bytes each")
            self._vectors[place] = np.frombuffer(joined, dtype="<f4").reshape(-1, self._dim)
            self._rows[place] = [row for row, _, _ in group]
            self._spaces[place] = [
                self._codes.setdefault(namespace, len(self._codes)) for _, namespace, _ in group
            ]
            self._n += len(group)
        self._alive = np.concatenate([self._alive, np.ones(self._n - start, dtype=np.bool_)])

    def _reserve(self, more: int) -> None:
        capacity = len(self._rows)
        if self._n + more <= capacity:
            return
        grown = max(2 * capacity, self._n + more)
        kept = slice(0, self._n)
        vectors, rows, spaces = self._vectors[kept], self._rows[kept], self._spaces[kept]
        self._vectors = np.empty((grown, self._dim), dtype=np.float32)
        self._rows = np.empty(grown, dtype=np.int64)
        self._spaces = np.empty(grown, dtype=np.int32)
        self._vectors[kept], self._rows[kept], self._spaces[kept] = vectors, rows, spaces
