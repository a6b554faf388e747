"""What answers over papers are worth: support, citations, refusals and cost, with intervals.

Citation precision and recall follow Gao et al. 2023, "Enabling large language models to generate
text with citations", §4, with gold papers in the place of a judge: a citation is right where the
question's gold names its paper, and recall counts the gold papers that are cited.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from trimtab.bench.result import Measure
from trimtab.datasets.research import REASONS, ResearchQuestion
from trimtab.rag.papers import Paper
from trimtab.stats import Estimate, bootstrap, interval, proportion
from trimtab.stats.intervals import Floats
from trimtab.stats.resampling import bootstrap_means


@dataclass(frozen=True, slots=True, kw_only=True)
class Citation:
    """A passage that an answer rests on: its paper and the words that are quoted."""

    arxiv_id: str
    quote: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """One answer as it is measured.

    Attributes:
        answered: False where the answer is that the corpus does not say.
        text: what a person reads.
        citations: of its claims, in order.
        llm_calls: calls to the LLM, failed ones too.
        by_llm: the LLM's answer is the one shown.
        cost_usd: price of tokens and local computation.
        cpu_s: computation of this process.
        latency_s: from question to answer, by the clock.
    """

    answered: bool
    text: str
    citations: tuple[Citation, ...]
    llm_calls: int
    by_llm: bool
    cost_usd: float
    cpu_s: float
    latency_s: float


NAMES = {
    "support": "share of gold facts in the cited passages",
    "stated": "share of gold facts, word for word, in the answer",
    "citation_precision": "share of citations that name a right paper",
    "citation_recall": "share of gold papers cited",
    "sentence_recall": "share of gold sentences quoted",
    "refusal_accuracy": "share of questions answered or refused rightly",
    "refused_answerable": "share of answerable questions",
    "answered_unanswerable": "share of unanswerable questions",
    "llm_share": "share of answers that are the LLM's",
    "llm_calls": "calls a question",
    "usd_per_1000": "USD per 1,000 questions",
    "cpu_s": "CPU-s a question",
    "latency_s": "s a question",
}


def figures(
    questions: Sequence[ResearchQuestion],
    answers: Sequence[Shown],
    papers: Mapping[str, Paper],
    *,
    prefix: str,
    rng: np.random.Generator,
) -> dict[str, Measure]:
    """Return the figures of one way to answer, by ``prefix + name``.

    Support, recall and what is stated are 0 where an answerable question is refused. Figures of
    quality other than refusals are over the answerable questions.

    Args:
        questions: what was asked; both kinds are needed.
        answers: to them, in order.
        papers: the corpus by id.
        prefix: of the keys.
        rng: source of bootstrap draws.
    """
    pairs = list(zip(questions, answers, strict=True))
    answerable = [pair for pair in pairs if pair[0].answerable]
    others = [pair for pair in pairs if not pair[0].answerable]
    found = {
        "support": _mean([support(*pair, papers) for pair in answerable]),
        "stated": _mean([stated(*pair) for pair in answerable]),
        "citation_precision": _ratio([rightly_cited(*pair) for pair in answerable], rng),
        "citation_recall": _mean([citation_recall(*pair) for pair in answerable]),
        "sentence_recall": _mean(
            [sentence_recall(*pair) for pair in answerable if has_sentences(pair[0])]
        ),
        "refusal_accuracy": _mean([q.answerable == a.answered for q, a in pairs]),
        "refused_answerable": _mean([not answer.answered for _, answer in answerable]),
        "answered_unanswerable": _mean([answer.answered for _, answer in others]),
        "llm_share": _mean([answer.by_llm for answer in answers]),
        "llm_calls": _amount([answer.llm_calls for answer in answers], rng),
        "usd_per_1000": _amount([1000 * answer.cost_usd for answer in answers], rng),
        "cpu_s": _amount([answer.cpu_s for answer in answers], rng),
        "latency_s": _amount([answer.latency_s for answer in answers], rng),
    }
    measures = {
        prefix + name: Measure(
            value=None if estimate is None else estimate.value,
            low=None if estimate is None else estimate.low,
            high=None if estimate is None else estimate.high,
            unit=NAMES[name],
        )
        for name, estimate in found.items()
    }
    return measures | _by_reason(others, prefix)


def absent(*, prefix: str, why: str) -> dict[str, Measure]:
    """Return the keys of a way that could not be measured, with the reason in place of a unit."""
    return {prefix + name: Measure(value=None, unit=why) for name in NAMES}


def support(question: ResearchQuestion, answer: Shown, papers: Mapping[str, Paper]) -> float:
    """Return the share of the gold facts that stand in what is cited: quotes and records."""
    texts = [_plain(citation.quote) for citation in answer.citations]
    texts += [
        _plain(record(papers[name]))
        for name in sorted({citation.arxiv_id for citation in answer.citations})
        if name in papers
    ]
    return _share([any(_plain(fact) in text for text in texts) for fact in question.facts])


def stated(question: ResearchQuestion, answer: Shown) -> float:
    """Return the share of the gold facts that stand word for word in the answer itself."""
    text = _plain(answer.text) if answer.answered else ""
    return _share([_plain(fact) in text for fact in question.facts])


def rightly_cited(question: ResearchQuestion, answer: Shown) -> tuple[int, int]:
    """Return how many citations name a right paper, and how many there are."""
    right = {*question.gold_ids, *question.also}
    return sum(c.arxiv_id in right for c in answer.citations), len(answer.citations)


def citation_recall(question: ResearchQuestion, answer: Shown) -> float:
    """Return the share of the gold papers that are cited."""
    cited = {citation.arxiv_id for citation in answer.citations}
    return _share([name in cited for name in question.gold_ids])


def sentence_recall(question: ResearchQuestion, answer: Shown) -> float:
    """Return the share of the gold sentences that a citation quotes, whole or within more."""
    quotes = [_plain(citation.quote) for citation in answer.citations]
    gold = [_plain(text) for item in question.gold for text in item.sentences]
    return _share([any(text in quote for quote in quotes) for text in gold])


def has_sentences(question: ResearchQuestion) -> bool:
    """Return whether the gold names sentences, and not fields of records alone."""
    return any(item.sentences for item in question.gold)


def record(paper: Paper) -> str:
    """Return what the record of a paper says, in one line."""
    lists = [", ".join(names) for names in (paper.authors, paper.categories) if names]
    return ". ".join((paper.title, *lists, paper.published or ""))


def _by_reason(others: Sequence[tuple[ResearchQuestion, Shown]], prefix: str) -> dict[str, Measure]:
    measures = {}
    for reason in REASONS:
        rows = [answer.answered for question, answer in others if question.reason == reason]
        if rows:
            found = proportion(sum(rows), len(rows))
            measures[f"{prefix}answered_unanswerable.{reason}"] = Measure(
                value=found.value, low=found.low, high=found.high, unit=f"share of {len(rows)}"
            )
    return measures


def _mean(scores: Sequence[float]) -> Estimate | None:
    # scores lie in [0, 1]: the score interval is conservative for their mean
    return proportion(float(sum(scores)), len(scores)) if scores else None


def _amount(values: Sequence[float], rng: np.random.Generator) -> Estimate | None:
    if not values:
        return None
    draws = bootstrap_means(np.array(values, dtype=np.float64)[:, None], rng=rng)
    low, high = interval(draws[:, 0])
    return Estimate(value=float(np.mean(values)), low=low, high=high, n=len(values))


def _ratio(counts: Sequence[tuple[int, int]], rng: np.random.Generator) -> Estimate | None:
    # a question without a citation says nothing about precision
    rows = [row for row in counts if row[1] > 0]
    return bootstrap(rows, _precision, rng=rng) if rows else None


def _precision(rows: Floats) -> float:
    right, all_ = rows.sum(axis=0)
    return float(right / all_)


def _share(found: Sequence[bool]) -> float:
    return sum(found) / len(found)


def _plain(text: str) -> str:
    """Return a text for comparison: small letters, single blanks, "5%" as "5 %"."""
    return " ".join(
        text.casefold().replace("%", " %").replace("\N{RIGHT SINGLE QUOTATION MARK}", "'").split()
    )
