"""``trimtab bench retrieval``: BM25, dense and hybrid retrieval on documents with queries."""

from __future__ import annotations

import math
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trimtab.agents.evidence import EvidenceNet, EvidenceSelector
from trimtab.bench.result import Bar, Measure, bench_result
from trimtab.bench.retrieval_data import Query, RetrievalData, read_data
from trimtab.embedding import CachedEmbedder, load_embedder
from trimtab.evals.retrieval import ndcg_at, recall_at
from trimtab.protocols import Embedder
from trimtab.rag.chunking import ChunkConfig, Section
from trimtab.rag.embedded_index import EmbeddedIndex
from trimtab.rag.hybrid import DENSE_WEIGHT, MODES, HybridConfig, HybridRetriever, Mode
from trimtab.rag.ingest import ABSTRACT, embedding_text, passages
from trimtab.rag.passage_index import Entry, Hit
from trimtab.records import Passage
from trimtab.release.bundle import load
from trimtab.settings import load_settings
from trimtab.stats import auroc, paired_bootstrap, proportion

FIGURES = ("recall_at_1", "recall_at_10", "ndcg_at_10")
WEIGHTS = tuple(round(0.1 * step, 1) for step in range(11))
K = 10
_POOL = 50  # passages asked for, so that ten documents remain of several passages each
_BARS = {
    "arxiv-titles": (
        Bar(key="hybrid.recall_at_1", at_least=0.935),
        Bar(key="hybrid.recall_at_10", at_least=0.985),
    ),
    "biomedical": (Bar(key="hybrid.recall_at_1", at_least=0.945),),
}

# `[Q, 3]` the figures of each query, in the order of FIGURES
Scores = NDArray[np.float64]


def run(
    *,
    docs: Path,
    queries: Path | None = None,
    known_item: str | None = None,
    embedder: str = "minilm",
    weights: bool = False,
    selector: Path | None = None,
    seed: int = 0,
    progress: Callable[[str], None] = lambda line: None,
) -> dict[str, Any]:
    """Return recall and nDCG of every way to retrieve, with intervals over queries.

    Args:
        docs: JSON lines of ``doc_id, title, text``, or papers with ``known_item``.
        queries: JSON lines of ``query_id, query, relevant``.
        known_item: ``title`` hides the titles of papers and asks for them.
        embedder: ``minilm`` or ``wordllama``.
        weights: choose the weight of the cosine on these queries, and check the way of choosing: on
            every second query, measured on the others.
        selector: bundle of a selector of evidence to measure beside the others.
        seed: of the resampling in paired intervals.
        progress: told what is being done.
    """
    data = read_data(docs, queries=queries, known_item=known_item)
    settings = load_settings()
    plain = load_embedder("minilm" if embedder == "minilm" else "wordllama", models=settings.models)
    cached = CachedEmbedder(plain, settings.home / "embeddings.sqlite")
    with tempfile.TemporaryDirectory(prefix="trimtab-bench-") as folder:
        path = Path(folder) / "index.sqlite"
        with EmbeddedIndex(path, embedder=cached.name, dim=cached.dim) as index:
            progress(f"embedding {len(data.documents)} documents, {len(data.queries)} queries")
            _fill(index, data, cached)
            cached.embed([query.query for query in data.queries])
            measures, found = _compared(index, cached, data.queries, progress)
            measures |= _selected(selector, index, cached, data.queries, found, seed)
            if weights:
                measures |= _weighed(index, cached, data.queries)
    bars = (Bar(key="hybrid.margin", at_least=-0.005), *_BARS.get(data.kind, ()))
    return bench_result(
        "retrieval",
        data=f"{data.name}, embedded by {cached.name}",
        n=len(data.queries),
        seed=seed,
        measures=measures,
        bars=bars,
        packages=("numpy", "onnxruntime", "tokenizers"),
    )


def _fill(index: EmbeddedIndex, data: RetrievalData, embedder: Embedder) -> None:
    cut = [
        (document, piece)
        for document in data.documents
        for piece in passages([Section(name=ABSTRACT, text=document.text)], ChunkConfig())
    ]
    vectors = embedder.embed(
        [embedding_text(document.title, piece.text) for document, piece in cut]
    )
    index.upsert(
        [
            Entry(
                id=str(number),
                text=piece.text,
                title=document.title,
                vector=vector,
                metadata={"doc_id": document.doc_id},
            )
            for number, ((document, piece), vector) in enumerate(zip(cut, vectors, strict=True))
        ]
    )


def _compared(
    index: EmbeddedIndex,
    embedder: Embedder,
    queries: Sequence[Query],
    progress: Callable[[str], None],
) -> tuple[dict[str, Measure], dict[Mode, Scores]]:
    measures: dict[str, Measure] = {}
    found: dict[Mode, Scores] = {}
    for mode in MODES:
        progress(f"asking {mode}")
        start = time.process_time()
        found[mode] = _asked(index, embedder, queries, HybridConfig(mode=mode))
        cpu_ms = (time.process_time() - start) / len(queries) * 1e3
        measures |= _figures(found[mode], prefix=f"{mode}.")
        measures[f"{mode}.query_cpu_ms"] = Measure(value=cpu_ms, unit="CPU-ms, query's vector kept")
    margin = found["hybrid"].mean(axis=0) - np.maximum(
        found["bm25"].mean(axis=0), found["dense"].mean(axis=0)
    )
    measures["hybrid.margin"] = Measure(
        value=float(margin.min()), unit="smallest lead over the better of BM25 and dense"
    )
    measures["hybrid.dense_weight"] = Measure(value=DENSE_WEIGHT, unit="share")
    default = HybridConfig().mode
    return _figures(found[default], prefix="") | measures, found


def _selected(
    bundle: Path | None,
    index: EmbeddedIndex,
    embedder: Embedder,
    queries: Sequence[Query],
    found: Mapping[Mode, Scores],
    seed: int,
) -> dict[str, Measure]:
    """Return the figures of a selector over the default's hits, and its paired gains."""
    if bundle is None:
        return {
            f"selector.{name}": Measure(value=None, unit="no --selector given") for name in FIGURES
        }
    selector = EvidenceSelector(
        EvidenceNet.from_bundle(load(bundle)), index=index, words=index, embedder=embedder
    )
    retriever = HybridRetriever(index, index, embedder)
    scores = np.empty((len(queries), len(FIGURES)))
    sure = np.empty((len(queries), 2))
    start = time.process_time()
    for row, query in enumerate(queries):
        passages = retriever.retrieve(query.query, k=_POOL)
        chosen = selector.select(query.query, passages, k=_POOL)
        ranked = list(dict.fromkeys(str(one.metadata["doc_id"]) for one in chosen.passages))
        scores[row] = _scored(ranked, query)
        sure[row] = (chosen.confidence or 0.0, _lead(passages))
    cpu_ms = (time.process_time() - start) / len(queries) * 1e3
    measures = _figures(scores, prefix="selector.")
    measures["selector.query_cpu_ms"] = Measure(
        value=cpu_ms, unit="CPU-ms, retrieval included, vectors kept"
    )
    rng = np.random.default_rng(seed)
    for mode in ("rrf", "hybrid"):
        for column, name in enumerate(FIGURES):
            gain = paired_bootstrap(scores[:, column], found[mode][:, column], rng=rng)
            measures[f"selector.over_{mode}.{name}"] = Measure(
                value=gain.value, low=gain.low, high=gain.high, unit="mean paired difference"
            )
    for name, column, ranked_by in (("confidence", 0, scores), ("lead", 1, found["hybrid"])):
        right = ranked_by[:, 0] > 0.0
        measures[f"selector.{name}_auroc"] = Measure(
            value=auroc(sure[:, column], right) if 0 < right.sum() < right.size else None,
            unit="AUROC of the first document's being right",
        )
    return measures


def _lead(passages: Sequence[Passage]) -> float:
    """Return how far the first is ahead of the second by the fused score."""
    scores = [passage.score for passage in passages[:2]]
    return float(scores[0] - scores[1]) if len(scores) == 2 else 0.0


def _weighed(
    index: EmbeddedIndex, embedder: Embedder, queries: Sequence[Query]
) -> dict[str, Measure]:
    """Return nDCG@10 of each weight, the chosen one, and what choosing on one half is worth."""
    measures: dict[str, Measure] = {}
    scores: dict[float, Scores] = {}
    for weight in WEIGHTS:
        scores[weight] = _asked(index, embedder, queries, HybridConfig(dense_weight=weight))
        measures[f"weight.{weight}.ndcg_at_10"] = Measure(
            value=float(scores[weight][:, -1].mean()), unit="mean over queries"
        )
    gains = {weight: found[:, -1] for weight, found in scores.items()}
    measures["weight.chosen"] = Measure(value=steadiest(gains), unit="share, on all queries")
    if len(queries) > 1:
        half = steadiest({weight: found[0::2] for weight, found in gains.items()})
        measures["weight.even.chosen"] = Measure(value=half, unit="share, on even queries only")
        measures |= _figures(scores[half][1::2], prefix="weight.even.odd_")
    return measures


def steadiest(gains: Mapping[float, NDArray[np.float64]]) -> float:
    """Return the weight nearest to one half whose loss to the best may be chance.

    The optimum is flat: a weight is as good as the best one while its mean paired loss is within
    one standard error (the rule of Breiman et al. 1984, "Classification and regression trees",
    §3.4.3), and equal weights need no evidence.

    Args:
        gains: `[Q]` the figure of each query, by weight.
    """
    best = max(gains, key=lambda weight: (float(gains[weight].mean()), -abs(weight - 0.5)))

    def as_good(weight: float) -> bool:
        losses = gains[best] - gains[weight]
        return float(losses.mean()) <= float(losses.std()) / math.sqrt(losses.size)

    return min((weight for weight in gains if as_good(weight)), key=lambda w: (abs(w - 0.5), w))


def _asked(
    index: EmbeddedIndex, embedder: Embedder, queries: Sequence[Query], config: HybridConfig
) -> Scores:
    retriever = HybridRetriever(index, index, embedder, config=config)
    scores = np.empty((len(queries), len(FIGURES)))
    for row, query in enumerate(queries):
        ranked = _documents(retriever.hits(query.query, k=_POOL))
        scores[row] = _scored(ranked, query)
    return scores


def _scored(ranked: Sequence[str], query: Query) -> tuple[float, float, float]:
    return (
        recall_at(ranked, query.relevant, 1),
        recall_at(ranked, query.relevant, K),
        ndcg_at(ranked, query.relevant, K),
    )


def _documents(hits: Sequence[Hit]) -> list[str]:
    """Return documents in the order of their best passage."""
    return list(dict.fromkeys(str(hit.metadata["doc_id"]) for hit in hits))


def _figures(scores: Scores, *, prefix: str) -> dict[str, Measure]:
    measures: dict[str, Measure] = {}
    for column, name in enumerate(FIGURES):
        # scores lie in [0, 1]: the score interval is conservative for their mean
        found = proportion(float(scores[:, column].sum()), len(scores))
        measures[prefix + name] = Measure(
            value=found.value, low=found.low, high=found.high, unit="mean over queries"
        )
    return measures
