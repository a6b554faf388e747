from __future__ import annotations

import re
from html.parser import HTMLParser

import pytest

from tests.evals.goldens import assert_golden
from tests.evals.promised import promises
from tests.evals.test_report import mixed
from tests.evals.traffic import decision, llm, small, stream
from trimtab.evals.page import render_page
from trimtab.evals.report import build_report

EVIL = "<script>alert('x')</script>"
VOID = {"meta", "link", "br"}


class Outline(HTMLParser):
    """Collects tags and checks that they close in order."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[str] = []
        self.attributes: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [name for name, _ in attrs]
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [name for name, _ in attrs]

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def outline(page: str) -> Outline:
    found = Outline()
    found.feed(page)
    found.close()
    assert found.open == []
    return found


@pytest.fixture(scope="module")
def page() -> str:
    return render_page(build_report(mixed(), volume=100_000, certificates=promises()[1]))


def test_the_page_reads_as_reviewed(page: str) -> None:
    assert_golden("report.html", page)


def test_the_page_is_well_formed_and_titled(page: str) -> None:
    assert outline(page).tags.count("title") > 1
    assert "<title>trimtab report: assistant, losing, promised, quiet, refusing</title>" in page


def test_the_page_fetches_nothing_and_runs_nothing(page: str) -> None:
    found = outline(page)
    assert not {"script", "link", "img", "iframe"} & set(found.tags)
    assert not {"src", "href"} & set(found.attributes)
    assert "url(" not in page
    assert "@import" not in page


def test_plots_have_titles_and_labelled_axes(page: str) -> None:
    for words in (
        "US dollars per 1,000 decisions",
        "quality (mean reward)",
        "time per decision (log scale)",
        "stated confidence",
        "share of decisions",
        "time (UTC)",
    ):
        assert words in page
    figures = re.findall(r'<svg viewBox[^>]*role="img"[^>]*>', page)
    assert figures
    assert all("aria-label=" in tag for tag in figures)


def test_light_dark_and_paper_are_styled(page: str) -> None:
    assert "prefers-color-scheme: dark" in page
    assert "@media print" in page


def test_text_out_of_the_ledger_is_escaped() -> None:
    labels = (EVIL, "b")
    rows = stream(60, domain=EVIL, tier=f"{EVIL}&", labels=labels)
    made = decision(small(0, tier=f'"><img onerror={EVIL}>'), shown="policy", domain=EVIL)
    rendered = render_page(build_report([*rows, (made, None)]))
    assert not {"script", "img"} & set(outline(rendered).tags)
    assert EVIL not in rendered
    assert "&lt;script&gt;" in rendered


def test_losing_domains_say_so_in_words(page: str) -> None:
    assert re.search(r"Routing costs \d+ % more than always asking the simulated LLM expert", page)


def test_simulated_experts_are_marked_in_table_and_plot(page: str) -> None:
    assert page.count("always the LLM (simulated expert)") >= 2


def test_missing_outcomes_are_said_not_guessed(page: str) -> None:
    assert "no outcomes yet" in page
    assert "client.feedback" in page


def test_an_empty_ledger_says_what_to_do() -> None:
    rendered = render_page(build_report([]))
    outline(rendered)
    assert "holds no decisions yet" in rendered


def test_answers_that_took_no_time_are_marked_simulated() -> None:
    rows = [
        (decision(llm(1, latency_s=0.0, tier="simulated:0.95"), shown="llm", number=n), None)
        for n in range(3)
    ]
    assert "none: simulated" in render_page(build_report(rows))
