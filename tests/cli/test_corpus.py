from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from tests.loopback import Reply, Script, serving
from tests.rag.embeddings_server import letters
from tests.rag.feeds import arxiv_entry, atom, feed, paged, pdf
from tests.rag.pinecone_server import pinecone_server
from trimtab.cli.corpus import corpus_app
from trimtab.errors import ConfigError, InputError, RetrievalError, SourceError

runner = CliRunner()
PAPERS = [
    {"arxiv_id": "2505.00001", "title": "Routing", "abstract": "When to ask a large model."},
    {"id": "0704.0001", "title": "Sums", "abstract": "We add QX-77b.", "categories": "math.CO"},
]


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("TRIMTAB_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


def _run(*arguments: str) -> Result:
    return runner.invoke(corpus_app, [*arguments, "--json"])


def _printed(done: Result) -> dict[str, Any]:
    assert done.exit_code == 0, done.output
    document: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return document


def _imported(tmp_path: Path, *options: str, embedder: str = "wordllama") -> Result:
    path = tmp_path / "papers.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in PAPERS))
    return _run("import", str(path), "--embedder", embedder, *options)


def test_imported_papers_are_counted_and_found(tmp_path: Path, home: Path) -> None:
    assert _printed(_imported(tmp_path))["stored"] == {"added": 2}
    assert _printed(_imported(tmp_path))["indexed"]["unchanged"] == 2
    stats = _printed(_run("stats"))
    assert (stats["papers"], stats["passages"]) == (2, 2)
    assert stats["folder"] == str(home / "corpus")
    assert stats["embedder"].startswith("wordllama")
    assert stats["categories"] == {"unknown": 1, "math.CO": 1}
    found = _printed(_run("search", "QX-77b", "-k", "1"))["passages"]
    assert [passage["source_id"] for passage in found] == ["0704.0001#0"]
    filtered = _printed(_run("search", "large model", "--category", "math.CO"))["passages"]
    assert [passage["metadata"]["paper"] for passage in filtered] == ["0704.0001"]


def test_people_see_numbered_sources(tmp_path: Path) -> None:
    _imported(tmp_path)
    done = runner.invoke(corpus_app, ["search", "ask a large model", "-k", "1"])
    assert done.stdout.startswith("[1] Routing (arXiv:2505.00001, year unknown, abstract)")


def test_no_corpus_is_an_error_with_a_remedy() -> None:
    for command in (["stats"], ["search", "x", "--corpus", "nowhere"]):
        assert isinstance(_run(*command).exception, RetrievalError)


def test_who_keeps_no_papers_searches_those_of_trimtab(tmp_path: Path, home: Path) -> None:
    arguments = ("-k", "1", "--embedder", "wordllama")
    done = _run("search", "router conformal prediction reasoning model", *arguments)
    assert "you keep no papers yet" in done.stderr
    document = _printed(done)
    [passage] = document["passages"]
    assert passage["metadata"]["paper"] == "2505.19970"
    assert passage["metadata"]["section"] == "summary"
    assert Path(document["folder"]).parent == home / "shipped-papers"
    _imported(tmp_path)
    assert _printed(_run("search", "2505.19970", *arguments))["folder"] == str(home / "corpus")
    asked = _run("search", "2505.19970", "--shipped", *arguments)
    assert "you keep no papers yet" not in asked.stderr
    assert _printed(asked)["passages"][0]["metadata"]["paper"] == "2505.19970"


def test_one_search_asks_one_corpus(tmp_path: Path) -> None:
    done = _run("search", "x", "--shipped", "--corpus", str(tmp_path))
    assert isinstance(done.exception, InputError)


def _fetch(script: Script, *arguments: str) -> Result:
    with serving(script) as server:
        return _run(
            *("fetch", "--api-url", f"{server.url}/query", "--pdf-url", f"{server.url}/pdf"),
            *("--delay-s", "0", "--page-size", "2", "--embedder", "wordllama", *arguments),
        )


def test_fetched_papers_are_indexed_with_their_full_text() -> None:
    entries = [arxiv_entry(1, title="Routers that refuse"), arxiv_entry(2), arxiv_entry(3)]

    def answer(request: Any) -> Reply:
        if "/pdf/" in request.path:
            return Reply(body=pdf([["1 Method", "Zebras decide here."]]))
        return paged(request, entries)

    done = _printed(_fetch(answer, "--query", "all:x", "--full-text"))
    assert (done["position"], done["total"], done["without_full_text"]) == (3, 3, {})
    assert done["indexed"]["passages"] == 6
    [passage] = _printed(_run("search", "zebras", "-k", "1"))["passages"]
    assert passage["metadata"]["section"] == "1 Method"
    assert passage["metadata"]["authors"] == '["Ada Müller", "Bo Li"]'


def test_nothing_fetched_is_an_error() -> None:
    done = _fetch([atom(feed([]))], "--id", "2401.99999")
    assert isinstance(done.exception, SourceError)


def test_a_broken_fetch_keeps_what_came_and_ends_as_an_error() -> None:
    first = atom(feed([arxiv_entry(1), arxiv_entry(2)], total=4))
    refused = atom(b"", status=403)
    done = _fetch([first, refused], "--query", "all:x")
    assert isinstance(done.exception, SourceError)
    stats = _printed(_run("stats"))
    assert (stats["papers"], stats["passages"]) == (2, 2)
    assert stats["fetches"] == [{"query": "(all:x)", "position": 2, "total": 4}]


def test_pinecone_without_a_key_is_refused_before_anything_is_stored(
    tmp_path: Path, home: Path
) -> None:
    done = _imported(tmp_path, "--index", "pinecone")
    assert isinstance(done.exception, ConfigError)
    assert "PINECONE_API_KEY" in str(done.exception)
    assert not (home / "corpus").exists()


def test_one_setting_moves_a_corpus_to_pinecone_and_searches_it_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _imported(tmp_path)
    with pinecone_server() as (state, loopback):
        monkeypatch.setenv("PINECONE_API_KEY", "hush-hush")
        monkeypatch.setenv("TRIMTAB_PINECONE_URL", state.url)
        monkeypatch.setenv("TRIMTAB_INDEX", "pinecone")
        indexed = _printed(_imported(tmp_path))["indexed"]
        assert (indexed["unchanged"], indexed["service_added"]) == (2, 2)
        assert _printed(_imported(tmp_path))["indexed"]["service_unchanged"] == 2
        done = _run("search", "QX-77b", "-k", "1")
        assert [one["source_id"] for one in _printed(done)["passages"]] == ["0704.0001#0"]
        near = _run("search", "asking large models", "-k", "1", "--mode", "dense")
        assert [one["source_id"] for one in _printed(near)["passages"]] == ["2505.00001#0"]
        assert loopback.requests[-1].path.endswith("/query")
        assert loopback.requests[-1].body["namespace"] == "corpus"
        assert "hush" not in done.output
        local = _printed(_run("search", "QX-77b", "-k", "1", "--index", "embedded"))
        assert local["passages"][0]["source_id"] == "0704.0001#0"


def test_faiss_searches_the_same_file(tmp_path: Path) -> None:
    pytest.importorskip("faiss", reason="needs the extra faiss")
    _imported(tmp_path)
    found = _printed(_run("search", "asking large models", "-k", "1", "--index", "faiss"))
    assert found["passages"][0]["source_id"] == "2505.00001#0"


def test_the_embeddings_of_an_api_want_a_key(tmp_path: Path) -> None:
    done = _imported(tmp_path, embedder="openai")
    assert isinstance(done.exception, ConfigError)
    assert "OPENAI_API_KEY" in str(done.exception)


def test_the_embeddings_of_an_api_make_and_search_a_corpus(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with serving(letters) as server:
        for name, value in {
            "OPENAI_API_KEY": "hush-hush",
            "OPENAI_BASE_URL": server.url,
            "TRIMTAB_LLM_MODEL": "unused",
            "TRIMTAB_EMBEDDING_MODEL": "letters",
            "TRIMTAB_EMBEDDING_DIM": "27",
        }.items():
            monkeypatch.setenv(name, value)
        assert _printed(_imported(tmp_path, embedder="openai"))["stored"] == {"added": 2}
        assert _printed(_run("stats"))["embedder"] == "letters-27"
        # the index says which embedder searches it, whatever the setting says meanwhile
        monkeypatch.setenv("TRIMTAB_EMBEDDING_MODEL", "another")
        found = _printed(_run("search", "routing", "-k", "1"))["passages"]
        assert found[0]["source_id"] == "2505.00001#0"
        assert {request.body["model"] for request in server.requests} == {"letters"}
        other = _run("search", "routing", "--embedder", "wordllama")
        assert isinstance(other.exception, ConfigError)
        assert "made by 'letters-27'" in str(other.exception)
