from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from tests.papers import minilm, some_papers
from tests.support import minilm_path
from trimtab import Trimtab
from trimtab.app.research import open_researcher
from trimtab.errors import ConfigError, InputError
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
        with pytest.raises(InputError, match="say how good it was"):
            client.feedback(answer.decision_id, answer="Jiayuan Su")
        assert client.feedback(answer.decision_id, reward=1.0).reward == 1.0


def test_a_corpus_of_another_embedder_is_refused_each_time(tmp_path: Path) -> None:
    class Other:
        name, dim, embed = "other", minilm().dim, staticmethod(minilm().embed)

    with Corpus(tmp_path / "corpus") as corpus:
        corpus.papers.put(some_papers(most=2))
        corpus.index(Other())
    settings = replace(load_settings(), ledger=tmp_path / "ledger.sqlite")
    with open_researcher(settings, corpus=tmp_path / "corpus", embedder=Other()) as researcher:
        for _ in range(2):
            with pytest.raises(ConfigError, match="fitted for"):
                researcher.ask("Who wrote the CP-Router paper?")
