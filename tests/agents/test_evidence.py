from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from tests.evidence_nets import fresh_graph, fresh_net
from tests.support import LetterEmbedder
from trimtab.agents.calibration import Gate
from trimtab.agents.evidence import (
    CANDIDATES,
    PRESENT,
    QUESTION,
    SCORES,
    Candidates,
    EvidenceNet,
    EvidenceSelector,
    evidence_inputs,
    gather,
)
from trimtab.errors import BundleError, ConfigError
from trimtab.protocols import Array
from trimtab.rag.embedded_index import EmbeddedIndex
from trimtab.rag.hybrid import HybridRetriever
from trimtab.rag.passage_index import Entry
from trimtab.release.bundle import load_shipped
from trimtab.training.puzzle_fit import carry_of

TEXTS = [f"passage {word} of number {number}" for number, word in enumerate("abcdefghij" * 3)]


def served(embedder: str = LetterEmbedder.name) -> EvidenceNet:
    return EvidenceNet(
        fresh_graph(),
        carry=carry_of(fresh_net()),
        most=2,
        halt_at=float("inf"),
        gate=Gate((1.0, 0.0, 0.0), 0.0),
        embedder=embedder,
    )


@pytest.fixture
def index(tmp_path: Path) -> Iterator[EmbeddedIndex]:
    embedder = LetterEmbedder()
    with EmbeddedIndex(tmp_path / "i", embedder=embedder.name, dim=embedder.dim) as opened:
        opened.upsert(
            [
                Entry(id=f"p{number}", text=text, vector=vector)
                for number, (text, vector) in enumerate(
                    zip(TEXTS, embedder.embed(TEXTS), strict=True)
                )
            ]
        )
        yield opened


def known(vectors: Array, question: Array) -> Candidates:
    return Candidates(
        cosines=vectors @ question,
        words=np.array([3.0, 1.0, 0.0], dtype=np.float32),
        among=vectors @ vectors.T,
    )


def test_inputs_know_angles_but_no_directions() -> None:
    rng = np.random.default_rng(0)
    vectors = rng.normal(size=(4, 8)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    turned = vectors @ np.linalg.qr(rng.normal(size=(8, 8)))[0].astype(np.float32)
    before = evidence_inputs(known(vectors[1:], vectors[0]))
    after = evidence_inputs(known(turned[1:], turned[0]))
    assert before == pytest.approx(after, abs=1e-5)


def test_inputs_name_the_question_and_the_passages_that_are_there() -> None:
    rows = np.eye(3, dtype=np.float32)
    x = evidence_inputs(known(rows, rows[1]))
    assert x[:, QUESTION].tolist() == [1.0] + [0.0] * CANDIDATES
    assert x[:, PRESENT].tolist() == [0.0] + [1.0] * 3 + [0.0] * (CANDIDATES - 3)
    assert x[0, SCORES : SCORES + 3].tolist() == [0.0, 1.0, 0.0]
    assert not x[4:].any()


def test_without_passages_there_is_only_the_question() -> None:
    nothing = np.zeros(0, dtype=np.float32)
    found = Candidates(cosines=nothing, words=nothing, among=nothing.reshape(0, 0))
    assert evidence_inputs(found).sum() == 1.0
    judged = served().judge(found)
    assert judged.relevance.size == 0
    assert judged.none == pytest.approx(1.0)


def test_a_selection_is_the_same_passages_in_an_order_with_a_confidence(
    index: EmbeddedIndex,
) -> None:
    embedder = LetterEmbedder()
    selector = EvidenceSelector(served(), index=index, words=index, embedder=embedder)
    passages = HybridRetriever(index, index, embedder).retrieve("passage c", k=25)
    chosen = selector.select("passage c", passages, k=25)
    assert sorted(one.source_id for one in chosen.passages) == sorted(
        one.source_id for one in passages
    )
    assert set(map(id, chosen.passages)) == set(map(id, passages))
    assert chosen.passages[CANDIDATES:] == tuple(passages[CANDIDATES:])
    assert chosen.confidence is not None
    assert 0.0 < chosen.confidence < 1.0
    assert selector.select("passage c", passages, k=3).passages == chosen.passages[:3]


def test_what_the_index_does_not_hold_is_left_out(index: EmbeddedIndex) -> None:
    kept, found = gather(
        "passage c", ["gone", "p2"], index=index, words=index, embedder=LetterEmbedder()
    )
    assert kept == ["p2"]
    assert found.words[0] > 0.0
    assert found.among == pytest.approx(np.ones((1, 1)))


def test_another_embedder_is_refused(index: EmbeddedIndex) -> None:
    with pytest.raises(ConfigError, match="trained with 'minilm'"):
        EvidenceSelector(served("minilm"), index=index, words=index, embedder=LetterEmbedder())


def test_a_bundle_of_another_kind_is_refused() -> None:
    with pytest.raises(BundleError, match="trimtab train evidence"):
        EvidenceNet.from_bundle(load_shipped("assistant"))
