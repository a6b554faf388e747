from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from tests.papers import minilm, some_papers
from tests.support import minilm_path
from trimtab import Trimtab
from trimtab.rag.corpus import Corpus
from trimtab.settings import load_settings


def test_the_client_answers_from_a_corpus_and_keeps_the_row(tmp_path: Path) -> None:
    minilm_path()
    with Corpus(tmp_path / "corpus") as corpus:
        corpus.papers.put(some_papers(most=6))
        corpus.index(minilm())
    settings = replace(load_settings(), ledger=tmp_path / "ledger.sqlite")
    with Trimtab(settings=settings) as client:
        answer = client.ask("Who wrote the CP-Router paper?", corpus=tmp_path / "corpus")
        assert "Jiayuan Su" in answer.text
        again = client.researcher(tmp_path / "corpus")
        assert again is client.researcher(tmp_path / "corpus")
        client.flush()
        assert client.ledger.get(answer.decision_id).answer == answer.text
