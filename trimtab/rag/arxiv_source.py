"""Papers from arXiv's API into a store, page by page, so that a killed fetch goes on where it was.

arXiv asks for at most one request in three seconds over all of its interfaces
(info.arxiv.org/help/api/tou.html); :class:`trimtab.rag.pace.Pace` keeps that over processes.
"""

from __future__ import annotations

import contextlib
import importlib
import logging
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlparse

import tenacity

from trimtab.errors import ConfigError, InputError, MissingExtra, SourceError
from trimtab.rag.arxiv_session import API_URL, ArxivSession, PageEnd, TransientFault
from trimtab.rag.pace import Pace
from trimtab.rag.paper_store import PaperStore, Progress
from trimtab.rag.papers import Paper, check_category, one_line, split_version

if TYPE_CHECKING:
    import arxiv

MAX_PAGE = 2_000
MIN_DELAY_S = 3.0
_LAST_DAY = "209912312359"
_logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class ArxivQuery:
    """What to ask for; all parts that are given must hold.

    Attributes:
        query: in arXiv's language, such as ``ti:routing AND abs:"language model"``.
        categories: any of these.
        since: first day of submission, ``YYYY-MM-DD``.
        ids: these papers, and nothing else then.
    """

    query: str = ""
    categories: tuple[str, ...] = ()
    since: str | None = None
    ids: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for name in self.ids:
            split_version(name)
        if self.ids and (self.query or self.categories or self.since):
            raise InputError("ids are fetched alone; give either ids or a query")
        if not (self.ids or self.query.strip() or self.categories):
            raise InputError("nothing is asked for; give a query, categories or ids")
        for category in self.categories:
            # arXiv reads cs.* as any category of cs
            check_category(category.removesuffix(".*"))
        if self.since is not None:
            _check_day(self.since)

    @property
    def text(self) -> str:
        """Return the query as arXiv reads it; also the key under which progress is kept."""
        parts = [f"({self.query.strip()})"] if self.query.strip() else []
        if self.categories:
            joined = " OR ".join(f"cat:{category}" for category in self.categories)
            parts.append(f"({joined})")
        if self.since is not None:
            first = self.since.replace("-", "") + "0000"
            parts.append(f"submittedDate:[{first} TO {_LAST_DAY}]")
        return " AND ".join(parts)

    @property
    def key(self) -> str:
        """Return the name under which the store keeps how far this query came."""
        return self.text or f"ids {','.join(self.ids)}"


def _check_day(text: str) -> None:
    try:
        if date.fromisoformat(text).isoformat() != text:
            raise ValueError("not in this form")
    except ValueError as error:
        raise InputError(f"since={text!r:.80} is no day; write it like 2024-05-01") from error


@dataclass(frozen=True, slots=True, kw_only=True)
class ArxivConfig:
    """How arXiv is asked.

    Attributes:
        api_url: of the API, or of a mirror.
        page_size: papers of one request.
        delay_s: between two requests; at least 3 at arXiv itself.
        attempts: of one request before the fetch gives up.
        timeout_s: of one request.
    """

    api_url: str = API_URL
    page_size: int = 100
    delay_s: float = MIN_DELAY_S
    attempts: int = 5
    timeout_s: float = 30.0

    def __post_init__(self) -> None:
        if not 1 <= self.page_size <= MAX_PAGE:
            raise ConfigError(f"page_size={self.page_size} lies outside 1 to {MAX_PAGE:,}")
        host = urlparse(self.api_url).hostname or ""
        if not host or not self.api_url.startswith(("http://", "https://")):
            raise ConfigError(f"api_url={self.api_url!r} is no address; leave it out for arXiv's")
        if host.endswith("arxiv.org") and self.delay_s < MIN_DELAY_S:
            raise ConfigError(f"delay_s={self.delay_s}: arXiv asks for {MIN_DELAY_S:g} s or more")
        if self.attempts < 1 or self.timeout_s <= 0 or self.delay_s < 0:
            raise ConfigError("attempts, timeout_s and delay_s must be positive")


@dataclass(frozen=True, slots=True, kw_only=True)
class Fetched:
    """What a fetch brought.

    Attributes:
        counts: papers ``added``, ``replaced``, ``unchanged``, ``older``, and entries ``skipped``
            because facts were missing.
        position: results of the query taken so far, by all fetches.
        total: results that arXiv counts.
        failure: why it stopped early; None where it came to its end.
    """

    counts: Counter[str]
    position: int
    total: int | None
    failure: SourceError | None


class ArxivSource:
    """Asks arXiv with the ``arxiv`` package.

    Args:
        config: how.
        pace: file shared by all processes that ask arXiv.
        sleep: waits before another attempt.

    Raises:
        MissingExtra: the package is not installed.
    """

    def __init__(
        self,
        config: ArxivConfig,
        *,
        pace: Path,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        try:
            importlib.import_module("arxiv")
        except ModuleNotFoundError as error:
            raise MissingExtra("arxiv", "rag") from error
        import arxiv

        self._config = config
        self._sleep = sleep
        self.session = ArxivSession(
            Pace(pace, interval_s=config.delay_s, sleep=sleep), timeout_s=config.timeout_s
        )
        # delay and retries are ours: the client's know neither other processes nor bad feeds
        self._client = arxiv.Client(page_size=config.page_size, delay_seconds=0.0, num_retries=0)
        self._client.query_url_format = f"{config.api_url}?{{}}"
        self._client._session = self.session

    def fetch(
        self,
        query: ArxivQuery,
        store: PaperStore,
        *,
        max_papers: int,
        refresh: bool = False,
        progress: Callable[[int, int | None], None] = lambda position, total: None,
    ) -> Fetched:
        """Bring results of a query into a store, oldest first, up to ``max_papers`` in all.

        Every page is stored with the position behind it in one step. Oldest first keeps positions
        stable: new papers come at the end. ``refresh`` begins at the start again, which also finds
        new versions of what is there.

        Raises:
            SourceError: nothing came, and no earlier fetch of the query brought anything.
        """
        if max_papers < 1:
            raise InputError(f"max={max_papers} asks for no paper; give at least 1")
        known = store.progress(query.key)
        position, total = (0 if refresh or query.ids else known.position), known.total
        counts: Counter[str] = Counter()
        failure: SourceError | None = None
        while position < max_papers:
            try:
                papers, entries, total = self._page(query, position, max_papers - position)
            except SourceError as error:
                failure = error
                break
            if not entries:
                break
            position += entries
            counts += store.put(
                papers, progress=Progress(query=query.key, position=position, total=total)
            )
            counts["skipped"] += entries - len(papers)
            progress(position, total)
            if total is not None and position >= total:
                break
        if not counts and not known.position:
            raise failure or SourceError(
                f"arXiv knows no paper for {query.key!r}; check ids, fields and categories"
            )
        return Fetched(counts=counts, position=position, total=total, failure=failure)

    def _page(
        self, query: ArxivQuery, position: int, wanted: int
    ) -> tuple[list[Paper], int, int | None]:
        """Return usable papers of one page, its number of entries, and the query's total."""
        attempts = tenacity.Retrying(
            stop=tenacity.stop_after_attempt(self._config.attempts),
            wait=_pause,
            retry=tenacity.retry_if_exception_type(TransientFault),
            sleep=self._sleep,
            reraise=True,
        )
        results, entries, total = attempts(self._ask, query, position, wanted)
        papers = [paper for result in results if (paper := _paper(result)) is not None]
        return papers, entries, total

    def _ask(
        self, query: ArxivQuery, position: int, wanted: int
    ) -> tuple[list[arxiv.Result], int, int | None]:
        import arxiv

        self._client.page_size = size = min(self._config.page_size, wanted)
        search = arxiv.Search(
            query=query.text,
            id_list=list(query.ids),
            max_results=position + size,
            sort_by=arxiv.SortCriterion.SubmittedDate,
            sort_order=arxiv.SortOrder.Ascending,
        )
        results: list[arxiv.Result] = []
        self.session.allow_one()
        with contextlib.suppress(PageEnd):
            for result in self._client.results(search, offset=position):
                results.append(result)
        feed = self.session.last_feed
        if not feed.entries and feed.total is not None and feed.total > position:
            raise TransientFault(
                f"arXiv sent an empty page at {position} of {feed.total}; try again later"
            )
        return results, feed.entries, feed.total


def _paper(result: arxiv.Result) -> Paper | None:
    try:
        arxiv_id, version = split_version(result.get_short_id())
        primary = [result.primary_category] if result.primary_category else []
        return Paper(
            arxiv_id=arxiv_id,
            version=version,
            title=one_line(result.title),
            abstract=result.summary.strip(),
            authors=tuple(one_line(author.name) for author in result.authors) or None,
            categories=tuple(dict.fromkeys([*primary, *_categories(result)])) or None,
            published=result.published.date().isoformat(),
            updated=result.updated.date().isoformat(),
        )
    except InputError as error:
        _logger.warning("an entry of arXiv cannot be used and is left out: %s", error)
        return None


def _categories(result: arxiv.Result) -> list[str]:
    # old records also list ACM and MSC classes, with blanks or digits, as categories
    return [name for name in result.categories if not any(c in " 0123456789," for c in name)]


def _pause(state: tenacity.RetryCallState) -> float:
    error = state.outcome.exception() if state.outcome else None
    asked = error.retry_after_s if isinstance(error, TransientFault) else None
    return float(asked if asked is not None else min(60.0, 3.0 * 2.0 ** (state.attempt_number - 1)))
