"""The HTTP session under the ``arxiv`` client: paced, bounded, and strict about what comes back.

The client reads broken XML leniently, so half a feed would pass for a short one and cut its last
abstract. Here a feed is whole or a fault.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import requests

from trimtab.errors import SourceError
from trimtab.rag.pace import Pace

if TYPE_CHECKING:
    from lxml.etree import _Element

API_URL = "https://export.arxiv.org/api/query"
MAX_FEED_BYTES = 64 * 2**20
_ATOM = "{http://www.w3.org/2005/Atom}"
_TOTAL = "{http://a9.com/-/spec/opensearch/1.1/}totalResults"
_MAX_RETRY_AFTER_S = 300.0


class TransientFault(SourceError):
    """A fault that may be gone at the next attempt; ``retry_after_s`` is the server's wish."""

    def __init__(self, message: str, *, retry_after_s: float | None = None) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class PageEnd(Exception):
    """The one feed that was allowed has been read."""


@dataclass(frozen=True, slots=True)
class Feed:
    """What a feed says of itself: its number of entries, and the query's total."""

    entries: int = 0
    total: int | None = None


class ArxivSession(requests.Session):
    """A session whose ``get`` returns only whole feeds; used by one thread at a time.

    Args:
        pace: waited for before each request.
        timeout_s: of connecting, and of each wait for bytes.
    """

    def __init__(self, pace: Pace, *, timeout_s: float) -> None:
        super().__init__()
        self._pace = pace
        self._timeout_s = timeout_s
        self.last_feed = Feed()
        self._allowed = 0

    def allow_one(self) -> None:
        """Let one ``get`` pass: the client would go on to further pages by itself."""
        self._allowed = 1

    def get(  # type: ignore[override]  # the client passes nothing but headers
        self, url: str | bytes, *, headers: Mapping[str, str] | None = None
    ) -> requests.Response:
        """Return a response with a whole feed, noted in ``last_feed``.

        Raises:
            PageEnd: no further ``get`` was allowed.
            TransientFault: no connection, 429, 5xx, or a feed that is not whole.
            SourceError: arXiv refuses the query.
        """
        if not self._allowed:
            raise PageEnd
        self._allowed = 0
        self.last_feed = Feed()
        response, content = self.bounded(str(url), MAX_FEED_BYTES, headers=headers)
        place = f"arXiv ({response.status_code})"
        try:
            root = _parsed(content)
        except SyntaxError as error:
            check_status(response, "arXiv")
            raise TransientFault(
                f"{place} sent a feed that is broken or cut off ({error}); try again later"
            ) from error
        complaint = _complaint(root)
        if complaint:
            raise SourceError(f"{place} refuses the query: {complaint}; correct it")
        check_status(response, "arXiv")
        total = root.findtext(_TOTAL, default="").strip()
        self.last_feed = Feed(
            entries=len(root.findall(f"{_ATOM}entry")),
            total=int(total) if total.isdecimal() else None,
        )
        return response

    def bounded(
        self, url: str, limit: int, *, headers: Mapping[str, str] | None = None
    ) -> tuple[requests.Response, bytes]:
        """Return a response and its body, at most ``limit`` bytes.

        Raises:
            TransientFault: no connection, or it broke off.
            SourceError: the body is larger.
        """
        self._pace.wait()
        try:
            with super().get(
                url, timeout=self._timeout_s, stream=True, headers=headers
            ) as response:
                content = b"".join(_within(response, limit, url))
        except requests.RequestException as error:
            raise TransientFault(f"{url} cannot be read ({error}); try again later") from error
        response._content = content  # the client reads it as if it had not been streamed
        return response, content


def check_status(response: requests.Response, name: str) -> None:
    """Raise for every status but 200: a fault that may pass, or a refusal."""
    code = response.status_code
    if code == requests.codes.ok:
        return
    if code == requests.codes.too_many_requests or code >= 500:
        wish = response.headers.get("retry-after", "")
        seconds = min(float(wish), _MAX_RETRY_AFTER_S) if wish.isdecimal() else None
        raise TransientFault(f"{name} answered {code}; try again later", retry_after_s=seconds)
    raise SourceError(f"{name} answered {code} to {response.url}; check the query")


def _within(response: requests.Response, limit: int, url: str) -> Iterator[bytes]:
    size = 0
    for part in response.iter_content(2**16):
        size += len(part)
        if size > limit:
            raise SourceError(f"{url} sends more than {limit:,} bytes; it was not read")
        yield part


def _parsed(content: bytes) -> _Element:
    from lxml import etree

    parser = etree.XMLParser(resolve_entities=False, no_network=True, huge_tree=False)
    root = etree.fromstring(content, parser=parser)
    if root.tag != f"{_ATOM}feed":
        raise SyntaxError(f"its root is {str(root.tag)[:60]}, not an Atom feed")
    return root


def _complaint(root: _Element) -> str:
    """Return what an error entry says, empty where there is none."""
    for entry in root.findall(f"{_ATOM}entry"):
        name = entry.findtext(f"{_ATOM}id", default="")
        if "/api/errors" in name:
            return str(entry.findtext(f"{_ATOM}summary", default=name)).strip()
    return ""
