"""The shipped papers opened once for all tests that ask them, and LLMs that answer by script."""

from __future__ import annotations

import functools
import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from tests.loopback import Loopback, Reply, Request, Script, completion, serving
from tests.support import minilm_path
from trimtab.agents.resilience import RetryPolicy
from trimtab.app.research import Researcher
from trimtab.datasets.shipped_papers import shipped_papers
from trimtab.embedding import load_embedder
from trimtab.ledger import SqliteLedger
from trimtab.protocols import Array, Embedder
from trimtab.rag.corpus import Corpus
from trimtab.rag.papers import Paper
from trimtab.settings import Settings, load_settings

MODEL = "scripted-1"


class KeptVectors:
    """MiniLM whose vectors are kept in memory for the session: papers are embedded once."""

    def __init__(self, embedder: Embedder) -> None:
        self.name = embedder.name
        self.dim = embedder.dim
        self._embedder = embedder
        self._kept: dict[str, Array] = {}

    def embed(self, texts: Sequence[str]) -> Array:
        missing = [text for text in dict.fromkeys(texts) if text not in self._kept]
        if missing:
            self._kept |= zip(missing, self._embedder.embed(missing), strict=True)
        return np.array([self._kept[text] for text in texts], dtype=np.float32)


@functools.cache
def minilm() -> KeptVectors:
    return KeptVectors(load_embedder("minilm", models=minilm_path().parent))


def some_papers(*, changed: Mapping[str, str] | None = None, most: int = 40) -> list[Paper]:
    """Return the first shipped papers; ``changed`` are new summaries by id."""
    papers = [paper for paper in shipped_papers() if paper.arxiv_id in ASKED]
    papers += [paper for paper in shipped_papers() if paper.arxiv_id not in ASKED]
    texts = changed or {}
    return [
        replace(paper, abstract=texts.get(paper.arxiv_id, paper.abstract))
        for paper in papers[:most]
    ]


ASKED = ("2505.19970", "2505.13379", "2505.13417", "2505.12201", "2607.14480", "2505.20776")
"""CP-Router, Thinkless, AdaptThink, two on judges and languages, SpecExtend."""


@contextmanager
def asking(
    folder: Path, *, papers: Sequence[Paper] | None = None, script: Script | None = None
) -> Iterator[tuple[Researcher, Loopback | None]]:
    """Open a researcher over papers, with an LLM that answers by script, or none."""
    home = folder / "home"
    home.mkdir(parents=True, exist_ok=True)
    settings = replace(load_settings({}), home=home, ledger=folder / "ledger.sqlite")
    with ExitStack() as stack:
        kept = stack.enter_context(Corpus(folder / "corpus"))
        kept.papers.put(some_papers() if papers is None else papers)
        kept.index(minilm())
        server = None
        if script is not None:
            server = stack.enter_context(serving(script))
            settings = scripted(settings, server, folder)
        ledger = SqliteLedger(settings.ledger)
        stack.callback(ledger.close)
        researcher = Researcher(
            settings,
            ledger=ledger,
            corpus=folder / "corpus",
            embedder=minilm(),
            retry=RetryPolicy(sleep=lambda _: None),
            now=lambda: datetime(2026, 1, 2, tzinfo=UTC),
        )
        yield stack.enter_context(researcher), server


def scripted(settings: Settings, server: Loopback, folder: Path) -> Settings:
    """Return settings whose LLM is the server, with a price."""
    prices = folder / "prices.csv"
    prices.write_text(
        "model,usd_per_1m_input,usd_per_1m_cached_input,usd_per_1m_output,unit,as_of,source\n"
        f"{MODEL},1,0.5,2,token,2026-01-01,this test\n"
    )
    return replace(
        settings, openai_base_url=server.url, llm_model=MODEL, prices=prices, llm_timeout_s=20.0
    )


def claiming(*claims: tuple[str, str], answerable: bool = True) -> Reply:
    """Return a reply of claims, each a text and the passage that it cites."""
    rows = [{"text": text, "passages": [cited]} for text, cited in claims]
    return completion(json.dumps({"answerable": answerable, "claims": rows}))


def schema_of(request: Request) -> str:
    """Return the title of the schema that a request asks for."""
    asked: dict[str, Any] = request.body["response_format"]["json_schema"]
    return str(asked["name"])
