"""The demo's row on papers: questions over the shipped ones, answered with citations or refused."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

from trimtab.agents.answers import Answer
from trimtab.app.demo_figures import rate
from trimtab.app.demo_folder import Track
from trimtab.app.research import Researcher
from trimtab.datasets.research import ResearchQuestion, research_questions
from trimtab.datasets.shipped_papers import shipped_papers
from trimtab.graphs.research_state import AskMode

SHOWN = (
    "How does CP-Router differ from AdaptThink?",
    "Who wrote the CP-Router paper, and when?",
    "How does AlphaGo choose its moves?",
)
"""Printed with their answers; the last one is about a paper that is not there."""


def papers_row(
    researcher: Researcher, *, ask_llm: bool, track: Track, count: int | None = None
) -> dict[str, Any]:
    """Return how the test half of the research set was answered, and a few answers as they are.

    Args:
        researcher: over the shipped papers.
        ask_llm: an outside LLM may be asked; the embedded one never is.
        track: wraps the questions in a progress bar.
        count: of the questions, all if None.
    """
    mode: AskMode = "auto" if ask_llm else "neural_only"
    researcher.library()
    questions = research_questions("test")[:count]
    started, cpu = time.perf_counter(), time.process_time()
    answers = [
        researcher.ask(question.question, mode=mode)
        for question in track(questions, "questions", len(questions))
    ]
    seconds, cpu_s = time.perf_counter() - started, time.process_time() - cpu
    shown = [researcher.ask(question, mode=mode) for question in SHOWN]
    return {
        "papers": len(shipped_papers()),
        "n": len(questions),
        **_judged(questions, answers),
        "llm_share": sum(answer.route.agent == "llm" for answer in answers) / len(answers),
        "usd_per_1000": 1000 * sum(answer.usage.cost_usd for answer in answers) / len(answers),
        "cpu_ms": 1000 * cpu_s / len(answers),
        "wall_ms": 1000 * seconds / len(answers),
        "shown": [
            {
                "question": answer.question,
                "text": answer.text,
                "mark": answer.mark,
                "confidence": answer.confidence,
                "sources": [
                    f"[{source.number}] {source.title} (arXiv:{source.arxiv_id})"
                    for source in answer.sources
                ],
            }
            for answer in shown
        ],
    }


def _judged(questions: Sequence[ResearchQuestion], answers: Sequence[Answer]) -> dict[str, Any]:
    """Return what the set's labels say: right papers cited, and refusals where they are due."""
    both = list(zip(questions, answers, strict=True))
    return {
        "cited": rate(
            claim.source_id.split("#")[0] in (*question.gold_ids, *question.also)
            for question, answer in both
            for claim in answer.claims
        ),
        "answered": rate(answer.answerable for question, answer in both if question.answerable),
        "refused": rate(
            not answer.answerable for question, answer in both if not question.answerable
        ),
    }
