from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from tests.support import LetterEmbedder
from tests.training.test_evidence_data import PAPERS
from trimtab.agents.evidence import EvidenceNet
from trimtab.app.evidence_training import EvidenceTraining, train_evidence
from trimtab.bench.retrieval import FIGURES, run
from trimtab.embedding import load_embedder
from trimtab.errors import ConfigError
from trimtab.rag.papers import paper_to_json
from trimtab.release.bundle import load


def written(path: Path, rows: Iterable[dict[str, Any]]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def test_papers_of_a_file_become_a_bundle_that_serves_and_is_measured(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TRIMTAB_HOME", str(tmp_path / "home"))
    file = written(tmp_path / "papers.jsonl", (paper_to_json(paper) for paper in PAPERS))
    asked = EvidenceTraining(out=tmp_path / "bundle", papers=file, steps=5)
    embedder = load_embedder("wordllama", models=tmp_path)
    points: list[int] = []
    packed = train_evidence(asked, embedder, watch=lambda point, total: points.append(total))
    assert packed.domain == "evidence"
    assert packed.metrics["dev_questions"] == 16
    assert EvidenceNet.from_bundle(load(asked.out)).embedder_name == embedder.name
    card = (asked.out / "card.md").read_text()
    assert "trimtab train evidence --papers papers.jsonl --steps 5 --seed 0" in card
    with pytest.raises(ConfigError, match="holds a bundle already"):
        train_evidence(asked, LetterEmbedder())
    measures = run(docs=file, known_item="title", embedder="wordllama", selector=asked.out)[
        "measures"
    ]
    for figure in FIGURES:
        assert 0.0 < measures[f"selector.{figure}"]["value"] <= 1.0
        for mode in ("rrf", "hybrid"):
            gain = measures[f"selector.over_{mode}.{figure}"]
            assert gain["low"] <= gain["value"] <= gain["high"]
            difference = (
                measures[f"selector.{figure}"]["value"] - measures[f"{mode}.{figure}"]["value"]
            )
            assert gain["value"] == pytest.approx(difference)
