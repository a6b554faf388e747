from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import CliRunner

from tests.papers import minilm, some_papers
from tests.support import minilm_path
from trimtab.cli.app import app
from trimtab.errors import InputError, RetrievalError
from trimtab.rag.corpus import Corpus

runner = CliRunner()


@pytest.fixture
def corpus(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A corpus of ten papers in a home that has the exported MiniLM."""
    home = tmp_path / "home"
    home.mkdir()
    (home / "models").symlink_to(minilm_path().parent)
    monkeypatch.setenv("TRIMTAB_HOME", str(home))
    monkeypatch.setenv("TRIMTAB_LEDGER", str(tmp_path / "ledger.sqlite"))
    with Corpus(home / "corpus") as kept:
        kept.papers.put(some_papers(most=10))
        kept.index(minilm())
    return home / "corpus"


def test_an_answer_is_printed_with_its_sources_mark_and_price(corpus: Path) -> None:
    done = runner.invoke(app, ["ask", "How does CP-Router decide which model answers?"])
    assert done.exit_code == 0, done.output
    assert "[1]" in done.stdout.splitlines()[0]
    assert "(Jiayuan Su et al., 2025-05-26, arXiv:2505.19970, summary)" in done.stdout
    assert "extractive, no LLM" in done.stderr
    assert "0 llm" in done.stderr
    assert "USD" in done.stderr


def test_programs_read_one_json_object(corpus: Path) -> None:
    done = runner.invoke(
        app, ["ask", "Which vaccines protect against malaria?", "--corpus", str(corpus), "--json"]
    )
    document = json.loads(done.stdout.splitlines()[-1])
    assert (document["schema"], document["answerable"]) == ("trimtab.answer/1", False)


def test_one_question_asks_one_corpus_that_is_there(corpus: Path, tmp_path: Path) -> None:
    both = runner.invoke(app, ["ask", "x", "--shipped", "--corpus", str(corpus)])
    assert isinstance(both.exception, InputError)
    absent = runner.invoke(app, ["ask", "x", "--corpus", str(tmp_path / "none")])
    assert isinstance(absent.exception, RetrievalError)


def test_a_paper_cannot_steer_the_terminal(corpus: Path) -> None:
    with Corpus(corpus) as kept:
        paper = replace(
            some_papers(most=1)[0],
            arxiv_id="2401.00001",
            title="EscNet\x1b]0;owned\x07",
            abstract="EscNet counts sheep at night \x9b31m and by day.",
        )
        kept.papers.put([paper])
        kept.index(minilm())
    for command in (["ask", "What does EscNet count?"], ["corpus", "search", "EscNet", "-k", "1"]):
        done = runner.invoke(app, command)
        assert "EscNet�]0;owned�" in done.stdout
        assert "night �31m" in done.stdout
