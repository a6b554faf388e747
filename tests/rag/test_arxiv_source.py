from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import parse_qs, urlparse

import pytest

from tests.loopback import Loopback, Reply, Request, Script, serving
from tests.rag.feeds import ERROR_FEED, arxiv_entry, atom, feed, paged
from trimtab.errors import ConfigError, InputError, SourceError
from trimtab.rag.arxiv_source import ArxivConfig, ArxivQuery, ArxivSource, Fetched
from trimtab.rag.pace import Pace
from trimtab.rag.paper_store import PaperStore
from trimtab.rag.papers import Paper

QUERY = ArxivQuery(query="all:routing", categories=("cs.LG", "cs.AI"), since="2024-01-01")
PAPERS = [arxiv_entry(number) for number in range(25)]


@pytest.fixture
def store(tmp_path: Path) -> Iterator[PaperStore]:
    with PaperStore(tmp_path / "papers.sqlite") as store:
        yield store


def source(server: Loopback, folder: Path, waits: list[float] | None = None) -> ArxivSource:
    config = ArxivConfig(
        api_url=f"{server.url}/query", page_size=10, delay_s=0.0, attempts=3, timeout_s=5.0
    )
    sleep = (lambda seconds: None) if waits is None else waits.append
    return ArxivSource(config, pace=folder / "pace.sqlite", sleep=sleep)


def starts(server: Loopback) -> list[int]:
    return [int(parse_qs(urlparse(each.path).query)["start"][0]) for each in server.requests]


def fetched(
    script: Script, store: PaperStore, tmp_path: Path, *, query: ArxivQuery = QUERY
) -> tuple[Fetched, Loopback]:
    with serving(script) as server:
        return source(server, tmp_path).fetch(query, store, max_papers=100), server


def all_pages(request: Request) -> Reply:
    return paged(request, PAPERS)


def test_all_pages_are_stored(store: PaperStore, tmp_path: Path) -> None:
    outcome, server = fetched(all_pages, store, tmp_path)
    assert starts(server) == [0, 10, 20]
    assert outcome.counts["added"] == store.count() == 25
    assert (outcome.position, outcome.total, outcome.failure) == (25, 25, None)
    assert store.get("2401.00003") == Paper(
        arxiv_id="2401.00003",
        version=1,
        title="Paper number 3",
        abstract="Abstract of paper 3, version 1, < 3 lines.",
        authors=("Ada Müller", "Bo Li"),
        categories=("cs.AI", "cs.LG"),
        published="2024-01-04",
        updated="2024-01-04",
    )


def test_the_query_asks_for_all_its_parts_oldest_first(store: PaperStore, tmp_path: Path) -> None:
    _, server = fetched(all_pages, store, tmp_path)
    asked = parse_qs(urlparse(server.requests[0].path).query)
    assert asked["search_query"] == [
        "(all:routing) AND (cat:cs.LG OR cat:cs.AI) AND "
        "submittedDate:[202401010000 TO 209912312359]"
    ]
    assert asked["sortBy"] == ["submittedDate"]
    assert asked["sortOrder"] == ["ascending"]


def test_a_stopped_fetch_goes_on_where_it_was(store: PaperStore, tmp_path: Path) -> None:
    def fails_at_20(request: Request) -> Reply:
        return atom(b"", status=503) if "start=20" in request.path else all_pages(request)

    outcome, _ = fetched(fails_at_20, store, tmp_path)
    assert "503" in str(outcome.failure)
    assert store.count() == outcome.position == 20
    outcome, server = fetched(all_pages, store, tmp_path)
    assert starts(server) == [20]
    assert outcome.failure is None
    assert store.count() == 25


def test_a_finished_fetch_asks_for_new_papers_only(store: PaperStore, tmp_path: Path) -> None:
    fetched(all_pages, store, tmp_path)
    outcome, server = fetched(all_pages, store, tmp_path)
    assert starts(server) == [25]
    assert outcome.failure is None
    assert not outcome.counts["added"]


def test_refresh_finds_new_versions(store: PaperStore, tmp_path: Path) -> None:
    fetched(all_pages, store, tmp_path)
    newer = [arxiv_entry(0, version=3), *PAPERS[1:]]
    with serving(lambda request: paged(request, newer)) as server:
        outcome = source(server, tmp_path).fetch(QUERY, store, max_papers=100, refresh=True)
    assert outcome.counts["replaced"] == 1
    assert outcome.counts["unchanged"] == 24
    paper = store.get("2401.00000")
    assert paper is not None
    assert paper.version == 3


def test_overlapping_pages_give_no_duplicates(store: PaperStore, tmp_path: Path) -> None:
    def shifted(request: Request) -> Reply:
        start = int(parse_qs(urlparse(request.path).query)["start"][0])
        first = max(0, start - 4)  # four papers were withdrawn meanwhile
        return atom(feed(PAPERS[first : first + 10], start=start, total=25))

    outcome, _ = fetched(shifted, store, tmp_path)
    assert outcome.counts["unchanged"] > 0
    assert store.count() == outcome.counts["added"] <= 25


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        (atom(b"", status=503), "503"),
        (atom(b"", status=429), "429"),
        (Reply(fault="drop"), "cannot be read"),
        (atom(feed(PAPERS)[:900]), "broken or cut off"),
        (atom(b"<html><p>Service unavailable"), "broken or cut off"),
        (atom(b"<html></html>"), "not an Atom feed"),
        (atom(feed([], total=25)), "empty page"),
    ],
    ids=["503", "429", "dropped", "half a feed", "malformed", "no feed", "empty page"],
)
def test_a_passing_fault_is_tried_again_and_a_lasting_one_is_an_error(
    store: PaperStore, tmp_path: Path, fault: Reply, message: str
) -> None:
    with pytest.raises(SourceError, match=message):
        fetched([fault] * 3, store, tmp_path)
    assert store.count() == 0
    rest: list[Reply] = [fault, fault, atom(feed(PAPERS[:5]))]
    outcome, server = fetched(rest, store, tmp_path)
    assert starts(server) == [0, 0, 0]
    assert outcome.counts["added"] == 5


def test_half_a_feed_stores_nothing_of_it(store: PaperStore, tmp_path: Path) -> None:
    cut = feed(PAPERS[10:20], start=10, total=25)[:2500]
    assert cut.count(b"</entry>") > 1
    outcome, _ = fetched([atom(feed(PAPERS[:10], total=25)), *[atom(cut)] * 3], store, tmp_path)
    assert outcome.failure is not None
    assert store.count() == 10


def test_the_servers_wish_to_wait_is_kept(store: PaperStore, tmp_path: Path) -> None:
    waits: list[float] = []
    replies = [
        atom(b"", status=503, **{"retry-after": "17"}),
        atom(b"", status=503),
        atom(feed(PAPERS[:1])),
    ]
    with serving(replies) as server:
        source(server, tmp_path, waits).fetch(QUERY, store, max_papers=1)
    assert waits == [17.0, 6.0]


@pytest.mark.parametrize("status", [400, 200])
def test_an_error_entry_is_an_error_and_not_asked_again(
    store: PaperStore, tmp_path: Path, status: int
) -> None:
    with serving([atom(ERROR_FEED, status=status)]) as server:
        with pytest.raises(SourceError, match="malformed query"):
            source(server, tmp_path).fetch(QUERY, store, max_papers=5)
        assert len(server.requests) == 1
    assert store.count() == 0


def test_a_missing_id_is_an_error(store: PaperStore, tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="knows no paper"):
        fetched([atom(feed([]))], store, tmp_path, query=ArxivQuery(ids=("2401.99999",)))


def test_an_id_is_asked_again_for_its_newest_version(store: PaperStore, tmp_path: Path) -> None:
    query = ArxivQuery(ids=("2401.00007",))
    for version in (1, 2):
        entry = arxiv_entry(7, version=version)
        outcome, server = fetched([atom(feed([entry]))], store, tmp_path, query=query)
        assert starts(server) == [0]
        assert outcome.failure is None
    paper = store.get("2401.00007")
    assert paper is not None
    assert paper.version == 2


def test_an_entry_without_facts_is_skipped_and_counted(store: PaperStore, tmp_path: Path) -> None:
    broken = PAPERS[1].replace("<published>", "<x>").replace("</published>", "</x>")
    outcome, server = fetched(
        lambda request: paged(request, [PAPERS[0], broken, *PAPERS[2:]]), store, tmp_path
    )
    assert starts(server) == [0, 10, 20]
    assert outcome.counts["skipped"] == 1
    assert store.count() == 24


@pytest.mark.parametrize(
    "make",
    [
        lambda: ArxivQuery(),
        lambda: ArxivQuery(ids=("abc",)),
        lambda: ArxivQuery(ids=("2401.00001",), query="x"),
        lambda: ArxivQuery(categories=("cs.LG OR all:x",)),
        lambda: ArxivQuery(query="x", since="yesterday"),
        lambda: ArxivQuery(query="x", since="2024-13-01"),
        lambda: ArxivQuery(query="x", since="20240501"),
    ],
)
def test_a_query_that_cannot_be_is_refused(make: Callable[[], ArxivQuery]) -> None:
    with pytest.raises(InputError):
        make()


def test_arxiv_itself_is_not_asked_faster_than_it_allows() -> None:
    with pytest.raises(ConfigError, match="3 s"):
        ArxivConfig(delay_s=1.0)


def test_processes_that_share_a_file_keep_the_pause_together(tmp_path: Path) -> None:
    now = 1000.0
    waits: list[float] = []

    def sleep(seconds: float) -> None:
        nonlocal now
        waits.append(seconds)
        now += seconds

    first, second = (
        Pace(tmp_path / "pace.sqlite", interval_s=3.0, clock=lambda: now, sleep=sleep)
        for _ in range(2)
    )
    first.wait()
    second.wait()
    now += 1.0
    first.wait()
    now += 9.0
    second.wait()
    assert waits == pytest.approx([3.0, 2.0])
