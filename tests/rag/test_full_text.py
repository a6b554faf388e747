from __future__ import annotations

from pathlib import Path

import pytest

from tests.loopback import Reply, serving
from tests.rag.feeds import pdf
from trimtab.rag.arxiv_session import ArxivSession
from trimtab.rag.chunking import Section
from trimtab.rag.full_text import MAX_PDF_BYTES, add_full_texts, split_sections
from trimtab.rag.pace import Pace
from trimtab.rag.paper_store import PaperStore
from trimtab.rag.papers import Paper

PAGES = [
    ["A Title", "Ada Bee", "Abstract", "What we did.", "1 Introduction", "We begin here."],
    ["2.1 Method of work", "It has", "two lines.", "References", "[1] Somebody."],
]
SECTIONS = (
    Section(name="1 Introduction", text="We begin here."),
    Section(name="2.1 Method of work", text="It has\ntwo lines."),
)


def _store(folder: Path, *names: str) -> PaperStore:
    store = PaperStore(folder / "papers.sqlite")
    store.put([Paper(arxiv_id=name, title="t", abstract="a", version=2) for name in names])
    return store


def test_full_texts_are_fetched_once_each_and_keep_their_sections(tmp_path: Path) -> None:
    session = ArxivSession(Pace(tmp_path / "pace.sqlite", interval_s=0.0), timeout_s=5.0)
    with _store(tmp_path, "2401.00001", "2401.00002") as store:
        with serving([Reply(body=pdf(PAGES)), Reply(status=404, body=b"gone")]) as server:
            failures = add_full_texts(store, session, pdf_url=server.url)
        assert [each.path for each in server.requests] == ["/v1/2401.00001v2", "/v1/2401.00002v2"]
        assert list(failures) == ["2401.00002"]
        assert "404" in failures["2401.00002"]
        with serving([Reply(body=pdf(PAGES))]) as server:
            assert add_full_texts(store, session, pdf_url=server.url) == {}
        assert len(server.requests) == 1
        for paper in store.papers():
            assert paper.sections == SECTIONS
    session.close()


@pytest.mark.parametrize(
    ("reply", "message"),
    [
        (Reply(body=b"<html>a login page</html>"), "no PDF"),
        (Reply(body=b"%PDF-1.4 and then nothing"), "as a PDF"),
        (Reply(body=pdf([[]])), "no text"),
        (Reply(body=b"%PDF-" + bytes(MAX_PDF_BYTES)), "more than"),
        (Reply(status=503, body=b""), "503"),
    ],
    ids=["html", "broken", "scanned", "large", "503"],
)
@pytest.mark.filterwarnings("ignore")  # pypdf warns of broken files before it gives up
def test_what_is_no_readable_pdf_says_why(tmp_path: Path, reply: Reply, message: str) -> None:
    session = ArxivSession(Pace(tmp_path / "pace.sqlite", interval_s=0.0), timeout_s=5.0)
    with _store(tmp_path, "2401.00001") as store, serving([reply]) as server:
        failures = add_full_texts(store, session, pdf_url=server.url)
    session.close()
    assert message in failures["2401.00001"]


def test_a_text_without_headings_is_one_section() -> None:
    assert split_sections("just words\nof a note") == (
        Section(name="text", text="just words\nof a note"),
    )
