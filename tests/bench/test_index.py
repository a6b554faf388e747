from __future__ import annotations

import pytest

from trimtab.bench.index import run
from trimtab.errors import InputError


def test_a_small_index_is_measured_and_exact() -> None:
    result = run(n=300, queries=20, seed=3)
    values = {key: measure["value"] for key, measure in result["measures"].items()}
    assert values["recall_at_10"] == 1.0
    assert values["file_mb"] > values["vectors_mb"] > 0
    for kind in ("dense", "filtered", "bm25"):
        assert values[f"{kind}.cpu_ms_p99"] >= values[f"{kind}.cpu_ms_p50"] > 0
    assert set(result["bars"]) == {"dense.cpu_ms_mean", "start_up_s", "recall_at_10"}


def test_faiss_is_measured_beside_the_exact_scan() -> None:
    pytest.importorskip("faiss", reason="needs the extra faiss")
    measures = run(n=300, queries=20, seed=3, index="faiss")["measures"]
    assert measures["recall_at_10"]["value"] == 1.0
    assert measures["exact.cpu_ms_mean"]["value"] > 0


def test_too_small_a_size_is_refused() -> None:
    with pytest.raises(InputError, match="n=3"):
        run(n=3)
