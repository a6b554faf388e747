"""``trimtab bench index``: how the embedded index builds, starts and answers at a size.

Vectors are drawn around random centres; texts are draws from a vocabulary whose frequencies fall
as Zipf's law says, so that common and rare words cost what they cost in real text.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from trimtab.bench.result import Bar, Measure, bench_result
from trimtab.errors import InputError
from trimtab.protocols import Array
from trimtab.rag.embedded_index import EmbeddedIndex
from trimtab.rag.faiss_index import FaissIndex
from trimtab.rag.filters import Where
from trimtab.rag.passage_index import Entry, Hit
from trimtab.stats import quantile

DIM = 384
EMBEDDER = "generated"
_CENTRES = 200
_VOCABULARY = 30_000
_WORDS = 120  # of a passage, as an abstract has
_ASKED = 6  # words of a query
_GROUP = 5_000
_FILTER: Where = {"year": {"$gte": 2022}, "category": {"$in": ["cs.LG", "cs.AI"]}}

# `[C, D]` before they are made unit vectors
Centres = NDArray[np.float64]

BARS = (
    Bar(key="dense.cpu_ms_mean", at_most=25.0),
    Bar(key="start_up_s", at_most=1.0),
    Bar(key="recall_at_10", at_least=1.0),
)


def run(
    *,
    n: int = 100_000,
    queries: int = 200,
    index: Literal["embedded", "faiss"] = "embedded",
    seed: int = 0,
    folder: Path | None = None,
    progress: Callable[[str], None] = lambda line: None,
) -> dict[str, Any]:
    """Return build time, file size, start-up and the cost of queries over generated passages.

    Args:
        n: passages.
        queries: of each kind.
        index: which searches by vectors; beside faiss the exact scan is timed in the same run.
        seed: of all draws.
        folder: where the index is built; a temporary folder if None.
        progress: told what is being done.
    """
    if n < 100 or queries < 20:
        raise InputError(f"n={n}, queries={queries}; give at least 100 passages and 20 queries")
    rng = np.random.default_rng(seed)
    centres = rng.normal(size=(_CENTRES, DIM))
    with tempfile.TemporaryDirectory(prefix="trimtab-bench-", dir=folder) as scratch:
        path = Path(scratch) / "index.sqlite"
        measures = _built(path, n, centres, rng, progress)
        kind = FaissIndex if index == "faiss" else EmbeddedIndex
        measures |= _started(path, kind)
        with kind(path, embedder=EMBEDDER, dim=DIM) as opened:
            measures |= _asked(opened, queries, centres, rng, progress)
        if index == "faiss":
            with EmbeddedIndex(path, embedder=EMBEDDER, dim=DIM) as exact:
                vectors = _vectors(queries, centres, rng)
                exact.nearest(vectors[0], k=10)  # reads the vectors
                cpu_ms, _ = _timed([lambda row=row: exact.nearest(row, k=10) for row in vectors])  # type: ignore[misc]  # bound now
                measures |= _spread("exact", cpu_ms)
    return bench_result(
        "index",
        data=f"generated passages, {DIM} wide, {index}",
        n=n,
        seed=seed,
        measures=measures,
        bars=BARS if index == "embedded" else BARS[:1],
        packages=("numpy",) if index == "embedded" else ("numpy", "faiss-cpu"),
    )


def _built(
    path: Path,
    n: int,
    centres: Centres,
    rng: np.random.Generator,
    progress: Callable[[str], None],
) -> dict[str, Measure]:
    cpu = wall = 0.0
    with EmbeddedIndex(path, embedder=EMBEDDER, dim=DIM) as index:
        for start in range(0, n, _GROUP):
            entries = _entries(start, min(_GROUP, n - start), centres, rng)
            cpu_start, wall_start = time.process_time(), time.perf_counter()
            index.upsert(entries)
            cpu += time.process_time() - cpu_start
            wall += time.perf_counter() - wall_start
            progress(f"{start + len(entries)} passages")
    size = sum(file.stat().st_size for file in path.parent.iterdir())
    return {
        "build_s": Measure(value=wall, unit="s, embedding not included"),
        "build_cpu_s": Measure(value=cpu, unit="CPU-s"),
        "rows_per_cpu_s": Measure(value=n / cpu, unit="passages/CPU-s"),
        "file_mb": Measure(value=size / 1e6, unit="MB"),
        "vectors_mb": Measure(value=4e-6 * n * DIM, unit="MB of it"),
    }


def _started(path: Path, kind: type[EmbeddedIndex]) -> dict[str, Measure]:
    """Return the time from nothing to the first answer, the best of three."""
    walls, cpus = [], []
    vector = np.full(DIM, DIM**-0.5, dtype=np.float32)
    for _ in range(3):
        cpu, wall = time.process_time(), time.perf_counter()
        with kind(path, embedder=EMBEDDER, dim=DIM) as index:
            index.nearest(vector, k=10)
            cpus.append(time.process_time() - cpu)
            walls.append(time.perf_counter() - wall)
    return {
        "start_up_s": Measure(value=min(walls), unit="s to the first answer, best of 3"),
        "start_up_cpu_s": Measure(value=min(cpus), unit="CPU-s"),
    }


def _asked(
    index: EmbeddedIndex,
    queries: int,
    centres: Centres,
    rng: np.random.Generator,
    progress: Callable[[str], None],
) -> dict[str, Measure]:
    vectors = _vectors(queries, centres, rng)
    texts = [_text(_ASKED, rng) for _ in range(queries)]
    index.nearest(vectors[0], k=10)  # reads the vectors
    progress("asking by vector, with a filter, and by words")
    dense, found = _timed([lambda row=row: index.nearest(row, k=10) for row in vectors])  # type: ignore[misc]  # bound now
    filtered, _ = _timed(
        [lambda row=row: index.nearest(row, k=10, where=_FILTER) for row in vectors]  # type: ignore[misc]  # bound now
    )
    words, _ = _timed([lambda text=text: index.matching(text, k=10) for text in texts])  # type: ignore[misc]  # bound now
    measures = _spread("dense", dense) | _spread("filtered", filtered) | _spread("bm25", words)
    recall = _recall(index, vectors, found)
    measures["recall_at_10"] = Measure(value=recall, unit="against a scan in float64")
    return measures


def _timed(calls: Sequence[Callable[[], list[Hit]]]) -> tuple[list[float], list[list[Hit]]]:
    cpu_ms, found = [], []
    for call in calls:
        start = time.process_time()
        found.append(call())
        cpu_ms.append((time.process_time() - start) * 1e3)
    return cpu_ms, found


def _spread(name: str, cpu_ms: Sequence[float]) -> dict[str, Measure]:
    measures = {
        f"{name}.cpu_ms_mean": Measure(value=float(np.mean(cpu_ms)), unit="CPU-ms per query")
    }
    for label, share in (("p50", 0.5), ("p99", 0.99)):
        spot = quantile(cpu_ms, share)
        measures[f"{name}.cpu_ms_{label}"] = Measure(
            value=spot.value, low=spot.low, high=spot.high, unit="CPU-ms per query"
        )
    return measures


def _recall(index: EmbeddedIndex, vectors: Array, found: Sequence[Sequence[Hit]]) -> float:
    """Return the share of hits that a scan in double precision ranks among the first as well."""
    names: list[str] = []
    rows: list[Array] = []
    for name, vector in index.vectors():
        names.append(name)
        rows.append(vector)
    matrix = np.array(rows, dtype=np.float64)
    shares = []
    for vector, hits in zip(vectors, found, strict=True):
        scores = matrix @ vector.astype(np.float64)
        best = {names[place] for place in np.argsort(-scores)[: len(hits)]}
        shares.append(len(best & {hit.id for hit in hits}) / len(hits))
    return float(np.mean(shares))


def _entries(start: int, size: int, centres: Centres, rng: np.random.Generator) -> list[Entry]:
    vectors = _vectors(size, centres, rng)
    categories = rng.choice(["cs.LG", "cs.AI", "cs.CL", "stat.ML", "math.OC"], size=size)
    years = rng.integers(2005, 2026, size=size)
    return [
        Entry(
            id=f"{start + row:07d}#0",
            text=_text(_WORDS, rng),
            vector=vectors[row],
            metadata={"year": int(years[row]), "category": str(categories[row])},
        )
        for row in range(size)
    ]


def _vectors(size: int, centres: Centres, rng: np.random.Generator) -> Array:
    rows = centres[rng.integers(len(centres), size=size)] + 0.7 * rng.normal(size=(size, DIM))
    unit: Array = (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)
    return unit


def _text(words: int, rng: np.random.Generator) -> str:
    # ranks of Zipf's law with exponent 1 are log-uniform
    ranks = np.exp(rng.random(words) * np.log(_VOCABULARY)).astype(int)
    return " ".join(f"w{rank}" for rank in ranks)
