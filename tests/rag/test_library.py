from __future__ import annotations

from pathlib import Path

import pytest

from tests.papers import minilm, some_papers
from trimtab.rag.corpus import Corpus
from trimtab.rag.library import COSINE, Library


def test_passages_carry_their_cosine_and_words_their_rarity(tmp_path: Path) -> None:
    with Corpus(tmp_path / "corpus") as corpus:
        corpus.papers.put(some_papers(most=6))
        corpus.index(minilm())
        with corpus.open_index(minilm()) as index:
            library = Library(index, minilm())
            found = library.find("CP-Router", k=3)
            assert next(one.metadata["paper"] for one in found) == "2505.19970"
            [vector] = minilm().embed(["CP-Router"])
            near = index.cosines(vector, [one.source_id for one in found])
            for one in found:
                assert float(one.metadata[COSINE]) == pytest.approx(near[one.source_id], abs=1e-6)
            rare = library.rarity(["zebra", "conformal", "models"])
            assert rare["zebra"] == 1.0
            assert 0.0 <= rare["models"] < rare["conformal"] < 1.0


def test_an_id_in_a_question_stands_for_its_paper(tmp_path: Path) -> None:
    with Corpus(tmp_path / "corpus") as corpus:
        corpus.papers.put(some_papers(most=6))
        corpus.index(minilm())
        with corpus.open_index(minilm()) as index:
            library = Library(index, minilm())
            [paper] = [one for one in some_papers(most=6) if one.arxiv_id == "2505.19970"]
            title = f"“{paper.title}”"
            for written in ("2505.19970", "arXiv:2505.19970v2", "https://arxiv.org/abs/2505.19970"):
                assert library.titled(f"What is {written}?") == f"What is {title}?"
            for other in ("What is 2505.99999?", "Is 2505.1997 more than 12?", "and/or 1234567?"):
                assert library.titled(other) == other
