"""``trimtab bench research``: answers over the shipped papers, three ways, on the research set.

The ways: the cheap answer alone (sentences of the papers), routed (the LLM where the cheap answer
is not sure enough) and always the LLM. Without an outside LLM the last two are not measured; the
embedded one must not speak for a paper.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

import numpy as np

from trimtab.agents.answers import Answer
from trimtab.agents.citations import CitationChecker
from trimtab.agents.research_fit import load_fitted
from trimtab.app.research import Researcher, open_researcher
from trimtab.app.serving import open_ledger
from trimtab.bench.experts import PRICED_AS, expert_accuracy
from trimtab.bench.research_citations import check_figures
from trimtab.bench.research_expert import GoldExpert, serving
from trimtab.bench.research_scores import Citation, Shown, absent, figures
from trimtab.bench.result import Measure, bench_result
from trimtab.datasets.research import (
    LabelledCitation,
    ResearchQuestion,
    Split,
    labelled_citations,
    research_questions,
)
from trimtab.datasets.shipped_papers import shipped_papers
from trimtab.graphs.research_state import AskMode
from trimtab.protocols import Embedder
from trimtab.rag.embedders import open_embedder
from trimtab.rag.papers import Paper
from trimtab.settings import Settings, load_settings

WAYS: Mapping[str, AskMode] = {
    "extractive": "neural_only",
    "routed": "auto",
    "always_llm": "llm_only",
}
NEEDS_LLM = "needs an LLM"


def run(
    *,
    split: Split = "test",
    expert: str = "live",
    seed: int = 0,
    settings: Settings | None = None,
    progress: Callable[[str], None] = lambda line: None,
) -> dict[str, Any]:
    """Return support, citations, refusals and cost of each way, and how good the check is.

    Args:
        split: of the research set; ``dev`` is what thresholds were fitted on.
        expert: ``live`` asks the LLM of the settings; ``simulated:p`` a server that knows the gold
            and is right with probability p.
        seed: of the bootstrap draws.
        settings: where the LLM is, if any; the process's own if None.
        progress: told what is being done.
    """
    accuracy = expert_accuracy(expert)
    settings = settings or load_settings()
    questions = research_questions(split)
    embedder = open_embedder(settings)
    measures: dict[str, Measure] = {}
    with ExitStack() as stack:
        if accuracy is not None:
            gold = GoldExpert(questions, _papers(), accuracy=accuracy, seed=seed)
            settings = stack.enter_context(serving(gold, settings))
        # the answers of a benchmark are no traffic: they stay out of the ledger of the settings
        scratch = stack.enter_context(tempfile.TemporaryDirectory(prefix="trimtab-bench-"))
        ledger = stack.enter_context(closing(open_ledger(Path(scratch) / "ledger.sqlite")))
        researcher = stack.enter_context(
            open_researcher(settings, ledger=ledger, embedder=embedder)
        )
        for way in WAYS:
            if settings.uses_embedded_llm and way != "extractive":
                measures |= absent(prefix=f"{way}.", why=NEEDS_LLM)
                continue
            progress(f"asking {len(questions)} questions: {way}")
            measures |= measured(researcher, questions, way=way, rng=np.random.default_rng(seed))
    progress("checking labelled citations")
    measures |= checked(embedder, labelled_citations(split))
    llm = "no LLM" if settings.uses_embedded_llm else f"LLM {settings.llm_model}"
    if accuracy is not None:
        llm = f"expert {expert} at the price of {PRICED_AS}"
    return bench_result(
        "research",
        data=f"research set, {split}, over the shipped papers; {llm}",
        n=len(questions),
        seed=seed,
        measures=measures,
        packages=("numpy", "onnxruntime", "tokenizers", "langgraph"),
    )


def measured(
    researcher: Researcher,
    questions: Sequence[ResearchQuestion],
    *,
    way: str,
    rng: np.random.Generator,
) -> dict[str, Measure]:
    """Return the figures of one of ``WAYS`` on questions over the shipped papers."""
    answers = [_asked(researcher, question.question, mode=WAYS[way]) for question in questions]
    return figures(questions, answers, _papers(), prefix=f"{way}.", rng=rng)


def checked(embedder: Embedder, pairs: Sequence[LabelledCitation]) -> dict[str, Measure]:
    """Return the figures of the fitted check of citations on labelled pairs."""
    papers = _papers()
    checker = CitationChecker(embedder, load_fitted())

    def cosine(pair: LabelledCitation) -> float:
        claim, sentence = embedder.embed([pair.claim, pair.sentence])
        return float(claim @ sentence)

    def support(pair: LabelledCitation) -> float:
        paper = papers[pair.arxiv_id]
        return checker.support(pair.claim, pair.sentence, title=paper.title, passage=paper.abstract)

    def supports(pair: LabelledCitation) -> bool:
        paper = papers[pair.arxiv_id]
        return checker.supports(
            pair.claim, pair.sentence, title=paper.title, passage=paper.abstract
        )

    return check_figures(pairs, supports=supports, support=support, cosine=cosine)


def _asked(researcher: Researcher, question: str, *, mode: AskMode) -> Shown:
    wall, cpu = time.perf_counter(), time.process_time()
    answer = researcher.ask(question, mode=mode)
    cpu_s, latency_s = time.process_time() - cpu, time.perf_counter() - wall
    return shown(answer, cpu_s=cpu_s, latency_s=latency_s)


def shown(answer: Answer, *, cpu_s: float, latency_s: float) -> Shown:
    """Return what counts of an answer."""
    return Shown(
        answered=answer.answerable,
        text=answer.text,
        citations=tuple(
            Citation(arxiv_id=claim.source_id.split("#")[0], quote=claim.quote)
            for claim in answer.claims
        ),
        llm_calls=answer.calls["llm"],
        by_llm=answer.route.agent == "llm",
        cost_usd=answer.usage.cost_usd,
        cpu_s=cpu_s,
        latency_s=latency_s,
    )


def _papers() -> dict[str, Paper]:
    return {paper.arxiv_id: paper for paper in shipped_papers()}
