"""Questions over papers: opens corpus, fit and LLM, and runs the graph ``research``."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING

from trimtab.agents.answers import Answer, answer_from_json
from trimtab.agents.chat_models import open_chat_model
from trimtab.agents.metered_call import JsonModel
from trimtab.agents.research_fit import Fitted, fitted_to_json, load_fitted
from trimtab.agents.research_llm import MAX_TOKENS, ResearchLLM
from trimtab.agents.resilience import CircuitBreaker, RetryPolicy
from trimtab.agents.selection import FusionSelector, Selector
from trimtab.datasets.shipped_papers import open_shipped_corpus
from trimtab.errors import ConfigError, InputError
from trimtab.graphs.ids import new_decision_id
from trimtab.graphs.nodes import utc_now
from trimtab.graphs.research_kit import ResearchKit
from trimtab.graphs.research_state import AskMode, ResearchContext
from trimtab.pricing import load_prices
from trimtab.protocols import Embedder, Ledger
from trimtab.rag.corpus import PAPERS, open_corpus
from trimtab.rag.embedders import open_embedder
from trimtab.rag.library import Library
from trimtab.rag.vector_service import service_of
from trimtab.records import Decision
from trimtab.settings import Settings

if TYPE_CHECKING:
    from trimtab.graphs.research import Graph


class Researcher:
    """Answers questions over one corpus; thread-safe. Use it as a context manager, or close it.

    Corpus and LLM are opened on first use.

    Args:
        settings: where files lie, and which LLM may be asked.
        ledger: keeps every answer; the caller closes it.
        corpus: folder of an own corpus; the papers of trimtab if None.
        selector: which passages are read.
        embedder: that of the corpus; MiniLM or wordllama, as the index says, if None.
        fitted: probabilities and thresholds; those of trimtab if None.
        breaker: of the LLM's server; share one among all that ask it.
        retry: of requests to the LLM.
        new_id: draws decision ids.
        now: gives the time, aware.
        told: is given each decision whose ledger row is queued; quick and silent.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        ledger: Ledger,
        corpus: Path | None = None,
        selector: Selector | None = None,
        embedder: Embedder | None = None,
        fitted: Fitted | None = None,
        breaker: CircuitBreaker | None = None,
        retry: RetryPolicy | None = None,
        new_id: Callable[[], str] = new_decision_id,
        now: Callable[[], datetime] = utc_now,
        told: Callable[[Decision], None] = lambda decision: None,
    ) -> None:
        self.settings = settings
        self._corpus = corpus
        self._embedder = embedder
        self._breaker = breaker
        self._retry = retry
        self._stack = ExitStack()
        self._lock = threading.Lock()
        self._library: Library | None = None
        self._llm: ResearchLLM | None = None
        self._graph: Graph | None = None
        fitted = fitted or load_fitted()
        chosen = selector or FusionSelector()
        self.kit = ResearchKit(
            library=self.library,
            fitted=fitted,
            selector=chosen,
            llm=None if settings.uses_embedded_llm else self._open_llm,
            ledger=ledger,
            usd_per_cpu_s=settings.usd_per_cpu_s,
            version=version_of(fitted, chosen),
            new_id=new_id,
            now=now,
            told=told,
        )

    @property
    def graph(self) -> Graph:
        """Return the compiled graph."""
        from trimtab.graphs.research import build

        with self._lock:
            if self._graph is None:
                self._graph = build(self.kit)
            return self._graph

    def ask(
        self,
        question: str,
        *,
        mode: AskMode = "auto",
        category: str = "",
        since: str = "",
        until: str = "",
        decision_id: str = "",
    ) -> Answer:
        """Return the answer to a question; its ledger row is queued.

        Args:
            question: in plain words.
            mode: ``auto`` asks the LLM where the sentences found are not sure enough,
                ``neural_only`` never, ``llm_only`` always.
            category: only papers of this arXiv category.
            since: first day, ``YYYY-MM-DD``.
            until: last day.
            decision_id: an id of the caller's own; drawn if empty.

        Raises:
            InputError: question or filter cannot be used.
            ConfigError: ``llm_only`` without an LLM, or a corpus of another embedder.
        """
        from trimtab.graphs.research import OUTPUT

        context = ResearchContext(
            mode=mode, category=category, since=since, until=until, decision_id=decision_id
        )
        done = self.graph.invoke({"question": question}, context=context, output_keys=OUTPUT)
        return answer_from_json(done["answer"])

    def library(self) -> Library:
        """Return the open corpus; the first call opens it, and indexes it where needed."""
        with self._lock:
            if self._library is None:
                with ExitStack() as opening:
                    opened = opening.enter_context(
                        open_library(self.settings, corpus=self._corpus, embedder=self._embedder)
                    )
                    if opened.embedder.name != self.kit.fitted.embedder:
                        raise ConfigError(
                            f"the thresholds were fitted for {self.kit.fitted.embedder!r}, the "
                            f"corpus holds vectors of {opened.embedder.name!r}; index it anew "
                            "with that embedder, or refit: trimtab train research"
                        )
                    # only what passed is kept: a second question must meet the same refusal
                    self._stack.push(opening.pop_all())
                    self._library = opened
            return self._library

    def close(self) -> None:
        """Close corpus and LLM, if they were opened."""
        with self._lock:
            self._stack.close()
            self._library = self._llm = self._graph = None

    def __enter__(self) -> Researcher:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _open_llm(self) -> ResearchLLM:
        with self._lock:
            if self._llm is None:
                opened = self._stack.enter_context(
                    open_chat_model(self.settings, max_tokens=MAX_TOKENS)
                )
                self._llm = ResearchLLM(
                    JsonModel(
                        opened.model,
                        model_id=opened.model_id,
                        prices=load_prices(self.settings),
                        max_concurrency=self.settings.llm_max_concurrency,
                        breaker=self._breaker,
                        retry=self._retry,
                    )
                )
            return self._llm


@contextmanager
def open_library(
    settings: Settings, *, corpus: Path | None = None, embedder: Embedder | None = None
) -> Iterator[Library]:
    """Open a corpus to ask; that of trimtab, indexed on first use, if none is named.

    Raises:
        RetrievalError: there is no corpus in that folder.
        EmbedderMissing: the weights of its embedder are not installed.
    """
    with ExitStack() as stack:
        if corpus is None:
            chosen = embedder or open_embedder(settings)
            service = service_of(settings)
            opened = stack.enter_context(
                open_shipped_corpus(settings.home, chosen, service=service)
            )
        else:
            opened = stack.enter_context(open_corpus(corpus, settings, create=False))
            chosen = embedder or open_embedder(settings, made_by=opened.embedder_name)
        index = stack.enter_context(opened.open_index(chosen))
        yield Library(index, chosen)


def corpus_folder(settings: Settings, *, corpus: Path | None, shipped: bool) -> Path | None:
    """Return the corpus to ask, None for that of trimtab; who keeps no papers asks those.

    Args:
        settings: name the folder of the own corpus.
        corpus: the folder that was asked for, if any.
        shipped: whether that of trimtab was asked for.

    Raises:
        InputError: both were asked for.
    """
    if shipped and corpus is not None:
        raise InputError(f"corpus={str(corpus)!r} and shipped name two corpora; give one of them")
    own = corpus or settings.home / "corpus"
    absent = corpus is None and not (own / PAPERS).is_file()
    return None if shipped or absent else own


@contextmanager
def open_researcher(
    settings: Settings,
    *,
    corpus: Path | None = None,
    ledger: Ledger | None = None,
    selector: Selector | None = None,
    embedder: Embedder | None = None,
) -> Iterator[Researcher]:
    """Open a researcher, with the ledger of the settings if none is given."""
    from trimtab.app.serving import open_ledger

    kept = ledger or open_ledger(settings.ledger)
    try:
        with Researcher(
            settings, ledger=kept, corpus=corpus, selector=selector, embedder=embedder
        ) as researcher:
            yield researcher
    finally:
        if ledger is None:
            kept.close()
        else:
            kept.flush()


def version_of(fitted: Fitted, selector: Selector) -> str:
    """Return what the ledger calls a fit with its selector."""
    plain = json.dumps([fitted_to_json(fitted), selector.name], sort_keys=True)
    return f"research-{hashlib.sha256(plain.encode()).hexdigest()[:12]}"
