"""The full text of a paper: its PDF from arXiv, read by pypdf, cut at its headings.

Most full texts may be read but not passed on: they stay in the user's own store.
"""

from __future__ import annotations

import importlib
import io
import re
from dataclasses import replace

from trimtab.errors import MissingExtra, SourceError
from trimtab.rag.arxiv_session import ArxivSession, check_status
from trimtab.rag.chunking import Section
from trimtab.rag.paper_store import PaperStore
from trimtab.rag.papers import Paper

PDF_URL = "https://arxiv.org/pdf"
MAX_PDF_BYTES = 40 * 2**20
MAX_PAGES = 400
_NUMBERED = re.compile(r"(?:\d{1,2}(?:\.\d{1,2}){0,2}\.?|[IVX]{1,5}\.)\s+[A-Z]\D{2,70}")
_NAMED = re.compile(
    r"(?i:abstract|introduction|related work|background|methods?|experiments|results|discussion|"
    r"conclusions?|limitations|acknowledge?ments|references|bibliography|appendix)\.?"
)
_END = re.compile(r"(?i)(?:[\dIVXA-H.]+\s+)?(?:references|bibliography)\.?")


def with_full_text(paper: Paper, session: ArxivSession, *, pdf_url: str = PDF_URL) -> Paper:
    """Return the paper with the sections of its PDF; one request.

    Raises:
        SourceError: it cannot be had, is too large, is no PDF or holds no text.
        MissingExtra: pypdf is not installed.
    """
    version = f"v{paper.version}" if paper.version is not None else ""
    url = f"{pdf_url}/{paper.arxiv_id}{version}"
    response, content = session.bounded(url, MAX_PDF_BYTES)
    check_status(response, url)
    if not content.startswith(b"%PDF-"):
        kind = response.headers.get("content-type", "unknown")
        raise SourceError(f"{url} is no PDF (content type {kind}); its abstract stays")
    return replace(paper, sections=sections_of(content, name=url))


def add_full_texts(
    store: PaperStore, session: ArxivSession, *, pdf_url: str = PDF_URL
) -> dict[str, str]:
    """Fetch the full text of every paper that has none, one after the other.

    Each is stored as it comes, so that a killed run fetches none twice.

    Returns:
        Why a paper has none, by id; the others have one.
    """
    failures: dict[str, str] = {}
    for paper in store.papers():
        if paper.sections:
            continue
        try:
            store.put([with_full_text(paper, session, pdf_url=pdf_url)])
        except SourceError as error:
            failures[paper.arxiv_id] = str(error)
    return failures


def sections_of(pdf: bytes, *, name: str) -> tuple[Section, ...]:
    """Return the sections of a PDF up to its references.

    Raises:
        SourceError: it cannot be read, has too many pages, or holds no text (scanned pages).
        MissingExtra: pypdf is not installed.
    """
    try:
        importlib.import_module("pypdf")
    except ModuleNotFoundError as error:
        raise MissingExtra("pypdf", "rag") from error
    from pypdf import PdfReader
    from pypdf.errors import PyPdfError

    try:
        reader = PdfReader(io.BytesIO(pdf))
        if len(reader.pages) > MAX_PAGES:
            raise SourceError(f"{name} has {len(reader.pages)} pages, more than {MAX_PAGES}")
        text = "\n".join(page.extract_text() for page in reader.pages)
    except (PyPdfError, ValueError, KeyError, TypeError, RecursionError) as error:
        # a broken file makes the reader stumble in many places
        raise SourceError(
            f"{name} cannot be read as a PDF ({error}); its abstract stays"
        ) from error
    # a broken font table gives halves of characters, which no file can hold
    sections = split_sections(text.encode("utf-8", "replace").decode("utf-8"))
    if not sections:
        raise SourceError(f"{name} holds no text; its abstract stays")
    return sections


def split_sections(text: str) -> tuple[Section, ...]:
    """Return the sections of a text by their headings, without the abstract and the references.

    What stands before the first heading (title, authors) and under ``Abstract`` is left out where
    there are headings: the paper's record has it.
    """
    names = [""]
    bodies: list[list[str]] = [[]]
    for line in text.splitlines():
        stripped = line.strip()
        if _END.fullmatch(stripped):
            break
        if _NUMBERED.fullmatch(stripped) or _NAMED.fullmatch(stripped):
            names.append(" ".join(stripped.split()))
            bodies.append([])
        else:
            bodies[-1].append(line)
    joined = [
        Section(name=name, text="\n".join(body).strip())
        for name, body in zip(names, bodies, strict=True)
    ]
    kept = [part for part in joined if part.text and part.name.lower().strip(".") != "abstract"]
    headed = [part for part in kept if part.name]
    return tuple(headed or (Section(name="text", text=part.text) for part in kept))
