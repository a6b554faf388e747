from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from trimtab.bench.research_citations import check_figures
from trimtab.bench.research_scores import (
    NAMES,
    Citation,
    Shown,
    absent,
    citation_recall,
    figures,
    rightly_cited,
    sentence_recall,
    stated,
    support,
)
from trimtab.datasets.research import Gold, LabelledCitation, ResearchQuestion
from trimtab.rag.papers import Paper

PAPERS = {
    paper.arxiv_id: paper
    for paper in (
        Paper(arxiv_id="2505.00001", title="Alpha", abstract="It gains 5 %.", authors=("A. Bee",)),
        Paper(arxiv_id="2505.00002", title="Beta", abstract="It loses nothing."),
    )
}


def _question(**changes: Any) -> ResearchQuestion:
    plain: dict[str, Any] = {
        "question_id": "q1",
        "question": "What does Alpha gain, and what does Beta lose?",
        "kind": "comparison",
        "split": "test",
        "answerable": True,
        "reason": None,
        "gold": (
            Gold(arxiv_id="2505.00001", sentences=("It gains 5 %.",), fields=()),
            Gold(arxiv_id="2505.00002", sentences=("It loses nothing.",), fields=()),
        ),
        "also": (),
        "facts": ("5 %", "loses nothing"),
    }
    return ResearchQuestion(**plain | changes)


UNANSWERABLE = _question(
    question_id="q2", answerable=False, reason="missing_fact", gold=(), facts=()
)


def _shown(*citations: tuple[str, str], text: str = "", answered: bool = True) -> Shown:
    return Shown(
        answered=answered,
        text=text,
        citations=tuple(Citation(arxiv_id=name, quote=quote) for name, quote in citations),
        llm_calls=2,
        by_llm=True,
        cost_usd=0.003,
        cpu_s=0.1,
        latency_s=0.5,
    )


REFUSED = _shown(answered=False, text="The corpus does not say.")


def test_a_fact_is_supported_where_a_cited_passage_holds_it() -> None:
    one = _shown(("2505.00001", "It  gains 5% here."), text="Alpha gains five percent.")
    assert support(_question(), one, PAPERS) == 0.5
    assert stated(_question(), one) == 0.0
    assert stated(_question(), _shown(text="Beta loses nothing.")) == 0.5
    assert support(_question(), REFUSED, PAPERS) == 0.0


def test_a_fact_of_the_record_is_supported_by_citing_the_paper() -> None:
    who = _question(
        gold=(Gold(arxiv_id="2505.00001", sentences=(), fields=("authors",)),), facts=("A. Bee",)
    )
    assert support(who, _shown(("2505.00001", "")), PAPERS) == 1.0
    assert support(who, _shown(("2505.00002", "It loses nothing.")), PAPERS) == 0.0


def test_a_citation_is_right_where_gold_or_also_names_its_paper() -> None:
    answer = _shown(("2505.00001", "x"), ("2505.00003", "y"), ("2505.00004", "z"))
    assert rightly_cited(_question(), answer) == (1, 3)
    assert rightly_cited(_question(also=("2505.00003",)), answer) == (2, 3)
    assert citation_recall(_question(also=("2505.00003",)), answer) == 0.5


def test_sentences_count_where_a_quote_holds_them_whole() -> None:
    assert sentence_recall(_question(), _shown(("2505.00001", "So. It gains 5 %. Good."))) == 0.5
    assert sentence_recall(_question(), _shown(("2505.00001", "It gains"))) == 0.0


def test_refusals_count_both_kinds_of_error() -> None:
    wrong = _shown(("2505.00001", "It gains 5 %."))
    measures = figures(
        [_question(), UNANSWERABLE],
        [REFUSED, wrong],
        PAPERS,
        prefix="way.",
        rng=np.random.default_rng(0),
    )
    assert measures["way.refusal_accuracy"].value == 0.0
    assert measures["way.refused_answerable"].value == 1.0
    assert measures["way.answered_unanswerable"].value == 1.0
    assert measures["way.answered_unanswerable.missing_fact"].value == 1.0
    assert measures["way.citation_precision"].value is None
    assert measures["way.usd_per_1000"].value == pytest.approx(3.0)
    assert {f"way.{name}" for name in NAMES} <= set(measures)


def test_precision_is_over_citations_and_lies_in_its_interval() -> None:
    answers = [_shown(("2505.00001", "a"), ("2505.00009", "b")), _shown(("2505.00002", "c"))]
    measures = figures(
        [_question(), _question()], answers, PAPERS, prefix="", rng=np.random.default_rng(0)
    )
    precision = measures["citation_precision"]
    assert precision.value == pytest.approx(2 / 3)
    assert precision.low is not None
    assert precision.high is not None
    assert precision.low <= 2 / 3 <= precision.high


def test_a_way_that_was_not_measured_says_why() -> None:
    measures = absent(prefix="llm.", why="needs an LLM")
    assert set(measures) == {f"llm.{name}" for name in NAMES}
    assert {(measure.value, measure.unit) for measure in measures.values()} == {
        (None, "needs an LLM")
    }


def _pair(name: str, kind: str, *, supports: bool) -> LabelledCitation:
    return LabelledCitation(
        pair_id=name,
        claim=name,
        arxiv_id="2505.00001",
        sentence="It gains 5 %.",
        supports=supports,
        kind=kind,
        split="test",
    )


def test_the_check_is_judged_by_both_its_errors() -> None:
    pairs = [
        _pair("a", "paraphrase", supports=True),
        _pair("b", "part", supports=True),
        _pair("c", "negation", supports=False),
        _pair("d", "over_claim", supports=False),
    ]
    scores = {"a": 0.9, "b": 0.2, "c": 0.6, "d": 0.1}
    measures = check_figures(
        pairs,
        supports=lambda pair: scores[pair.claim] >= 0.5,
        support=lambda pair: scores[pair.claim],
        cosine=lambda pair: 0.5,
    )
    assert measures["check.precision"].value == 0.5
    assert measures["check.recall"].value == 0.5
    assert measures["check.auroc"].value == 0.75
    assert measures["check.cosine_auroc"].value == 0.5
    assert measures["check.right.negation"].value == 0.0
    assert measures["check.right.over_claim"].value == 1.0
    assert measures["check.right.wrong_paper"].value is None
