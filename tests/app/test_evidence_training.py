from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.support import LetterEmbedder
from tests.training.test_evidence_data import PAPERS
from trimtab.agents.evidence import EvidenceNet
from trimtab.app.evidence_training import EvidenceTraining, train_evidence
from trimtab.errors import ConfigError
from trimtab.rag.papers import paper_to_json
from trimtab.release.bundle import load


def test_papers_of_a_file_become_a_bundle_that_serves(tmp_path: Path) -> None:
    file = tmp_path / "papers.jsonl"
    file.write_text("".join(json.dumps(paper_to_json(paper)) + "\n" for paper in PAPERS))
    asked = EvidenceTraining(out=tmp_path / "bundle", papers=file, steps=5)
    points: list[int] = []
    packed = train_evidence(
        asked, LetterEmbedder(), watch=lambda point, total: points.append(total)
    )
    assert packed.domain == "evidence"
    assert packed.metrics["dev_questions"] == 16
    bundle = load(asked.out)
    assert EvidenceNet.from_bundle(bundle).embedder_name == LetterEmbedder.name
    card = (asked.out / "card.md").read_text()
    assert "trimtab train evidence --papers papers.jsonl --steps 5 --seed 0" in card
    with pytest.raises(ConfigError, match="holds a bundle already"):
        train_evidence(asked, LetterEmbedder())
