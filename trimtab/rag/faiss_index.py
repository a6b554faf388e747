"""The embedded index with an inverted file of faiss over its vectors, for more than it can scan.

The exact scan costs time in proportion to the passages. The inverted file looks into the cells
nearest to a query only, finds nearly the same, and takes their memory again; it is made on the
first search of a process, from the vectors of the file.
"""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trimtab.errors import ConfigError, MissingExtra
from trimtab.protocols import Array
from trimtab.rag.embedded_index import EmbeddedIndex

_SAMPLE = 50  # vectors per cell that the cells are made from
_ROUNDS = 10  # of k-means
_MOSTLY = 0.5  # share of rows that a filter must leave: among fewer, the scan is quick and exact


@dataclass(frozen=True, slots=True, kw_only=True)
class FaissConfig:
    """When and how the inverted file is used.

    Attributes:
        least: passages from which it is; below, the scan is quick enough.
        probes: cells that a query looks into, of about the square root of the passages.
    """

    least: int = 50_000
    probes: int = 16

    def __post_init__(self) -> None:
        if min(self.least, self.probes) < 1:
            raise ConfigError(f"least={self.least}, probes={self.probes}; both must be at least 1")


class FaissIndex(EmbeddedIndex):
    """An embedded index whose search by vectors may miss a few of the nearest.

    Args:
        path: the file, the same as the embedded index's.
        embedder: name of the embedder of all vectors.
        dim: D.
        config: when and how.

    Raises:
        MissingExtra: faiss is not installed.
    """

    def __init__(
        self, path: Path, *, embedder: str, dim: int, config: FaissConfig | None = None
    ) -> None:
        try:
            self._faiss: Any = importlib.import_module("faiss")
        except ModuleNotFoundError as error:
            raise MissingExtra("faiss", "faiss") from error
        # a search is too short to be divided among threads
        self._faiss.omp_set_num_threads(1)
        super().__init__(path, embedder=embedder, dim=dim)
        self._config = config or FaissConfig()
        self._cells: Any = None
        self._held: NDArray[np.int64] = np.zeros(0, dtype=np.int64)
        self._made_for = 0

    def _scan(
        self, unit: Array, k: int, allowed: NDArray[np.bool_]
    ) -> tuple[NDArray[np.intp], Array]:
        vectors = self._memory.vectors
        count = int(allowed.sum())
        if len(vectors) < self._config.least or count < _MOSTLY * len(vectors):
            return super()._scan(unit, k, allowed)
        self._follow()
        chosen = self._faiss.IDSelectorBitmap(np.packbits(allowed, bitorder="little"))
        asked = self._faiss.SearchParametersIVF(nprobe=self._config.probes, sel=chosen)
        _, [found] = self._cells.search(unit[None], k, params=asked)
        places = np.sort(found[found >= 0])
        if len(places) < min(k, count):
            # the cells looked into hold too few that are allowed
            return super()._scan(unit, k, allowed)
        scores: Array = (vectors[places] * unit).sum(axis=1)
        order = np.argsort(-scores, kind="stable")
        return places[order], scores[order]

    def _follow(self) -> None:
        """Bring the inverted file up to date with the vectors in memory."""
        rows = self._memory.rows
        held = len(self._held)
        if len(rows) > 2 * self._made_for or not np.array_equal(rows[:held], self._held):
            self._cells = self._made(self._memory.vectors)
            self._made_for, held = len(rows), 0
        if held < len(rows):
            self._cells.add(self._memory.vectors[held:])
            self._held = rows.copy()

    def _made(self, vectors: Array) -> Any:  # noqa: ANN401 - faiss has no types
        cells = int(np.ceil(np.sqrt(len(vectors))))
        flat = self._faiss.IndexFlatIP(self.dim)
        made = self._faiss.IndexIVFFlat(flat, self.dim, cells, self._faiss.METRIC_INNER_PRODUCT)
        made.cp.spherical, made.cp.niter, made.cp.min_points_per_centroid = True, _ROUNDS, 1
        step = max(1, len(vectors) // (_SAMPLE * cells))
        made.train(np.ascontiguousarray(vectors[::step]))
        return made
