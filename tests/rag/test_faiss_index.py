from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from tests.contracts.index import DIM, IndexContract
from trimtab.errors import ConfigError
from trimtab.protocols import Array
from trimtab.rag.embedded_index import EmbeddedIndex
from trimtab.rag.faiss_index import FaissConfig, FaissIndex
from trimtab.rag.passage_index import Entry, Hit

pytest.importorskip("faiss", reason="needs the extra faiss")

ALWAYS = FaissConfig(least=1)


class TestFaissIndex(IndexContract):
    @pytest.fixture
    def index(self, tmp_path: Path) -> Iterator[FaissIndex]:
        with FaissIndex(tmp_path / "i", embedder="axes", dim=DIM, config=ALWAYS) as index:
            yield index


def entries(n: int, *, first: int = 0) -> list[Entry]:
    rng = np.random.default_rng(first)
    return [
        Entry(id=f"p{first + k}", text="t", vector=row, metadata={"rare": k % 50 == 0})
        for k, row in enumerate(rng.normal(size=(n, DIM)).astype(np.float32))
    ]


def names(hits: list[Hit]) -> list[str]:
    return [hit.id for hit in hits]


@pytest.fixture
def towards() -> Array:
    vector: Array = np.full(DIM, 0.5, dtype=np.float32)
    return vector


def test_new_and_deleted_passages_are_followed(tmp_path: Path, towards: Array) -> None:
    path = tmp_path / "i"
    with (
        FaissIndex(path, embedder="axes", dim=DIM, config=FaissConfig(least=1, probes=99)) as ours,
        EmbeddedIndex(path, embedder="axes", dim=DIM) as exact,
    ):
        ours.upsert(entries(300))
        assert ours.nearest(towards, k=5) == exact.nearest(towards, k=5)
        ours.upsert(entries(200, first=300))
        assert ours.nearest(towards, k=5) == exact.nearest(towards, k=5)
        ours.delete(ids=names(exact.nearest(towards, k=3)))
        assert ours.nearest(towards, k=5) == exact.nearest(towards, k=5)
        ours.delete(ids=[f"p{k}" for k in range(400)])
        assert ours.nearest(towards, k=5) == exact.nearest(towards, k=5)


def test_few_cells_find_most_of_the_nearest(tmp_path: Path, towards: Array) -> None:
    path = tmp_path / "i"
    with (
        FaissIndex(path, embedder="axes", dim=DIM, config=FaissConfig(least=1, probes=4)) as ours,
        EmbeddedIndex(path, embedder="axes", dim=DIM) as exact,
    ):
        ours.upsert(entries(900))
        found = set(names(ours.nearest(towards, k=10)))
        assert len(found & set(names(exact.nearest(towards, k=10)))) >= 8


def test_what_a_filter_leaves_is_found_whole(tmp_path: Path, towards: Array) -> None:
    with FaissIndex(
        tmp_path / "i", embedder="axes", dim=DIM, config=FaissConfig(least=1, probes=1)
    ) as index:
        index.upsert(entries(500))
        assert len(index.nearest(towards, k=10, where={"rare": True})) == 10
        assert len(index.nearest(towards, k=400)) == 400


def test_no_probes_are_refused() -> None:
    with pytest.raises(ConfigError, match="probes=0"):
        FaissConfig(probes=0)
