"""Atom feeds as arXiv's API writes them, and a small PDF, made by hand."""

from __future__ import annotations

from collections.abc import Sequence
from urllib.parse import parse_qs, urlparse
from xml.sax.saxutils import escape

from tests.loopback import Reply, Request

XMLNS = (
    'xmlns:opensearch="http://a9.com/-/spec/opensearch/1.1/" '
    'xmlns:arxiv="http://arxiv.org/schemas/atom" xmlns="http://www.w3.org/2005/Atom"'
)


def arxiv_entry(number: int, *, version: int = 1, title: str = "", day: str = "") -> str:
    name = f"2401.{number:05d}"
    when = f"{day or f'2024-01-{number % 28 + 1:02d}'}T12:00:00Z"
    return f"""  <entry>
    <id>http://arxiv.org/abs/{name}v{version}</id>
    <title>{escape(title or f"Paper number {number}")}</title>
    <updated>{when}</updated>
    <link href="https://arxiv.org/abs/{name}v{version}" rel="alternate" type="text/html"/>
    <summary>Abstract of paper {number}, version {version}, &lt; 3 lines.
</summary>
    <category term="cs.LG" scheme="http://arxiv.org/schemas/atom"/>
    <category term="68T05" scheme="http://arxiv.org/schemas/atom"/>
    <published>{when}</published>
    <arxiv:primary_category term="cs.AI"/>
    <author><name>Ada Müller</name></author>
    <author><name>Bo  Li</name></author>
  </entry>
"""


def feed(entries: Sequence[str], *, start: int = 0, total: int | None = None) -> bytes:
    count = len(entries) if total is None else total
    return (
        f"<?xml version='1.0' encoding='UTF-8'?>\n<feed {XMLNS}>\n"
        "  <id>https://arxiv.org/api/x</id>\n  <title>arXiv Query</title>\n"
        f"  <opensearch:itemsPerPage>{len(entries)}</opensearch:itemsPerPage>\n"
        f"  <opensearch:totalResults>{count}</opensearch:totalResults>\n"
        f"  <opensearch:startIndex>{start}</opensearch:startIndex>\n"
        f"{''.join(entries)}</feed>\n"
    ).encode()


ERROR_FEED = feed(
    [
        "<entry><id>https://arxiv.org/api/errors#malformed</id><title>Error</title>"
        "<updated>2024-01-01T00:00:00Z</updated><summary>malformed query</summary></entry>"
    ]
)


def atom(content: bytes, *, status: int = 200, **headers: str) -> Reply:
    return Reply(
        status=status,
        body=content,
        headers={"content-type": "application/atom+xml", **headers},
    )


def paged(request: Request, entries: Sequence[str]) -> Reply:
    """Answer like arXiv: the page of the entries that ``start`` and ``max_results`` ask for."""
    asked = parse_qs(urlparse(request.path).query)
    start, size = int(asked["start"][0]), int(asked["max_results"][0])
    return atom(feed(entries[start : start + size], start=start, total=len(entries)))


def pdf(pages: Sequence[Sequence[str]]) -> bytes:
    """Return a PDF whose pages show lines of text in Helvetica."""
    objects = ["<< /Type /Catalog /Pages 2 0 R >>", ""]
    objects.append("<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>")
    kids = []
    for lines in pages:
        shown = "".join(f"({line}) Tj 0 -14 Td " for line in lines)
        stream = f"BT /F1 12 Tf 72 720 Td {shown}ET"
        objects.append(f"<< /Length {len(stream)} >>\nstream\n{stream}\nendstream")
        objects.append(
            "<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] "
            f"/Contents {len(objects)} 0 R /Resources << /Font << /F1 3 0 R >> >> >>"
        )
        kids.append(f"{len(objects)} 0 R")
    objects[1] = f"<< /Type /Pages /Kids [{' '.join(kids)}] /Count {len(kids)} >>"
    out, places = b"%PDF-1.4\n", []
    for number, body in enumerate(objects, start=1):
        places.append(len(out))
        out += f"{number} 0 obj\n{body}\nendobj\n".encode("latin-1")
    table = "".join(f"{place:010d} 00000 n \n" for place in places)
    size = len(objects) + 1
    tail = f"xref\n0 {size}\n0000000000 65535 f \n{table}trailer\n<< /Size {size} /Root 1 0 R >>\n"
    return out + f"{tail}startxref\n{len(out)}\n%%EOF\n".encode()
