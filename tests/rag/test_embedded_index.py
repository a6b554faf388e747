from __future__ import annotations

import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from tests.contracts.index import DIM, PAPERS, TOWARDS_A, IndexContract, direction, entry
from trimtab.errors import ConfigError, RetrievalError
from trimtab.rag.embedded_index import EmbeddedIndex
from trimtab.rag.index_file import made_with
from trimtab.rag.passage_index import Entry

ROOT = Path(__file__).parents[2]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "index.sqlite"


@pytest.fixture
def index(path: Path) -> Iterator[EmbeddedIndex]:
    with EmbeddedIndex(path, embedder="axes", dim=DIM) as index:
        yield index


class TestEmbeddedIndex(IndexContract):
    @pytest.fixture
    def index(self, path: Path) -> Iterator[EmbeddedIndex]:
        with EmbeddedIndex(path, embedder="axes", dim=DIM) as index:
            yield index
            index.check()


def test_another_embedder_is_refused(index: EmbeddedIndex, path: Path) -> None:
    assert made_with(path) == ("axes", DIM)
    with pytest.raises(ConfigError, match=r"made by 'axes'.*not by 'minilm'"):
        EmbeddedIndex(path, embedder="minilm", dim=DIM)
    with pytest.raises(ConfigError, match="384 wide"):
        EmbeddedIndex(path, embedder="axes", dim=384)


def test_a_missing_index_has_no_embedder(path: Path) -> None:
    with pytest.raises(RetrievalError, match="no index"):
        made_with(path)
    assert not path.exists()


def test_a_reopened_index_holds_what_was_stored(path: Path) -> None:
    with EmbeddedIndex(path, embedder="axes", dim=DIM) as first:
        first.upsert(PAPERS)
        before = first.nearest(TOWARDS_A, k=9)
    with EmbeddedIndex(path, embedder="axes", dim=DIM) as second:
        assert second.nearest(TOWARDS_A, k=9) == before


def test_a_second_connection_sees_every_change(index: EmbeddedIndex, path: Path) -> None:
    with EmbeddedIndex(path, embedder="axes", dim=DIM) as other:
        for write, read in ((index, other), (other, index)):
            write.upsert(PAPERS)
            assert [hit.id for hit in read.nearest(TOWARDS_A, k=2)] == ["a", "b"]
            write.upsert([entry("b", 0, 0, 0, 1)])
            assert [hit.id for hit in read.nearest(TOWARDS_A, k=2)] == ["a", "c"]
            write.delete(ids=["a"])
            assert [hit.id for hit in read.nearest(TOWARDS_A, k=2)] == ["c", "e"]


def test_threads_may_share_an_index(index: EmbeddedIndex) -> None:
    def work(number: int) -> int:
        index.upsert([entry(f"t{number}", 1, number, 0, 0, number=number)])
        return len(index.nearest(TOWARDS_A, k=99, where={"number": number}))

    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(work, range(20))) == [1] * 20
    assert index.count() == 20


def test_memory_follows_a_thousand_replacements(index: EmbeddedIndex) -> None:
    rng = np.random.default_rng(3)
    for _ in range(50):
        index.upsert([entry(f"n{k}", *rng.normal(size=4)) for k in range(20)])
        assert len(index.nearest(TOWARDS_A, k=99)) == 20
    index.check()


def _found(index: EmbeddedIndex, query: str, **kwargs: str) -> list[str]:
    return [hit.id for hit in index.matching(query, k=9, **kwargs)]


@pytest.fixture
def texts(index: EmbeddedIndex) -> EmbeddedIndex:
    texts = {
        "model": "We compare GPT-4o-mini with four other systems on 12 tasks.",
        "parts": "The mini version of a 4o-like GPT; mini models mini models.",
        "accent": "Le réseau de Hölder converge à l'équilibre.",
        "chinese": "本文研究深度学习在围棋中的应用。",
        "russian": "Обучение нейронных сетей без учителя.",
        "phrase": "attention is all you need",
        "mixed": "all you may need is some attention to detail",
        "number": "see arXiv 2505.12028 for the proofs",
        "stem": "the router learned to route routed requests",
    }
    index.upsert([Entry(id=name, text=text, vector=TOWARDS_A) for name, text in texts.items()])
    return index


@pytest.mark.parametrize(
    ("query", "first"),
    [
        ("GPT-4o-mini", "model"),
        ("holder reseau", "accent"),
        ("Équilibre", "accent"),
        ("围棋", "chinese"),
        ("深度学习", "chinese"),
        ("нейронные сети без учителя", "russian"),
        ('"attention is all you need"', "phrase"),
        ("2505.12028", "number"),
        ("routing", "stem"),
    ],
)
def test_words_find_their_passage_first(texts: EmbeddedIndex, query: str, first: str) -> None:
    assert _found(texts, query)[0] == first


@pytest.mark.parametrize("query", ["", "  ", "?!…", '"', "NOT", 'AND ("', "a*", "title:x", "\x00"])
def test_no_query_is_a_syntax_error(texts: EmbeddedIndex, query: str) -> None:
    assert isinstance(_found(texts, query), list)


def test_words_that_nobody_wrote_find_nothing(texts: EmbeddedIndex) -> None:
    assert _found(texts, "zebra") == []


def test_titles_and_keywords_are_searched_too(index: EmbeddedIndex) -> None:
    index.upsert(
        [
            Entry(id="t", title="On zebras", text="x", vector=TOWARDS_A),
            Entry(id="k", keywords="2505.12028 Müller", text="x", vector=TOWARDS_A),
        ]
    )
    assert _found(index, "zebra") == ["t"]
    assert _found(index, "muller") == ["k"]


def test_words_keep_to_namespace_and_filter(texts: EmbeddedIndex) -> None:
    other = Entry(id="x", text="GPT attention", vector=TOWARDS_A, metadata={"year": 2020})
    texts.upsert([other], namespace="other")
    assert _found(texts, "GPT", namespace="other") == ["x"]
    assert sorted(_found(texts, "GPT")) == ["model", "parts"]
    found = texts.matching("GPT attention", k=9, where={"year": 2020}, namespace="other")
    assert [hit.id for hit in found] == ["x"]
    assert texts.matching("GPT", k=9, where={"year": 1999}, namespace="other") == []


def test_forgotten_words_are_not_found(texts: EmbeddedIndex) -> None:
    texts.upsert([Entry(id="model", text="nothing", vector=TOWARDS_A)])
    texts.delete(ids=["parts"])
    assert _found(texts, "GPT") == []
    texts.check()


def test_a_file_of_another_program_is_left_alone(tmp_path: Path) -> None:
    text, foreign = tmp_path / "notes.txt", tmp_path / "other.sqlite"
    text.write_text("not a database, but long enough to look at")
    connection = sqlite3.connect(foreign)
    connection.execute("CREATE TABLE mine (x)")
    connection.close()
    before = (text.read_bytes(), foreign.read_bytes())
    with pytest.raises(RetrievalError, match="not a SQLite file"):
        EmbeddedIndex(text, embedder="axes", dim=DIM)
    with pytest.raises(RetrievalError, match="another program"):
        EmbeddedIndex(foreign, embedder="axes", dim=DIM)
    assert (text.read_bytes(), foreign.read_bytes()) == before


def test_a_newer_format_is_left_alone(path: Path) -> None:
    EmbeddedIndex(path, embedder="axes", dim=DIM).close()
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA user_version = 2")
    connection.close()
    with pytest.raises(RetrievalError, match="format 2"):
        EmbeddedIndex(path, embedder="axes", dim=DIM)


def test_a_closed_index_says_so(path: Path) -> None:
    index = EmbeddedIndex(path, embedder="axes", dim=DIM)
    index.close()
    index.close()
    with pytest.raises(RetrievalError, match="closed"):
        index.count()


WRITER = """
import sys
from pathlib import Path
from tests.rag.test_embedded_index import entries_of
from trimtab.rag.embedded_index import EmbeddedIndex
from tests.contracts.index import DIM

index = EmbeddedIndex(Path(sys.argv[1]), embedder="axes", dim=DIM)
for batch in range(int(sys.argv[2]), 10_000):
    index.upsert(entries_of(batch))
    print(batch, flush=True)
"""
PER_BATCH = 40


def entries_of(batch: int) -> list[Entry]:
    """Return a batch; every second one replaces the ids of the one before."""
    return [
        Entry(
            id=f"b{batch // 2}-{k}",
            text=f"passage {k} of batch{batch}",
            vector=direction(1, batch, k, 0),
            metadata={"batch": batch},
        )
        for k in range(PER_BATCH)
    ]


def test_kill_9_during_upsert_loses_nothing_acknowledged(path: Path) -> None:
    acknowledged = -1
    for target in (3, 8, 14):
        command = [sys.executable, "-c", WRITER, str(path), str(acknowledged + 1)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, cwd=ROOT) as child:
            assert child.stdout is not None
            for line in child.stdout:
                acknowledged = int(line)
                if acknowledged >= target:
                    child.kill()
        with EmbeddedIndex(path, embedder="axes", dim=DIM) as index:
            index.check()
            names = [f"b{pair}-{k}" for pair in range(acknowledged // 2 + 1) for k in range(40)]
            stored = index.fetch(names)
            assert set(stored) == set(names)
            for name, hit in stored.items():
                pair, k = name[1:].split("-")
                expected = min(2 * int(pair) + 1, acknowledged)
                assert hit.metadata["batch"] >= expected
                assert hit.text == f"passage {k} of batch{hit.metadata['batch']}"
            # the last batch is found by its words: whole or, if unacknowledged, not at all
            assert index.count() % PER_BATCH == 0
            assert len(index.matching(f"batch{acknowledged}", k=99)) in (0, PER_BATCH)
