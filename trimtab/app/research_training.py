"""Refits the research agent on the development half of its labelled set."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np

from trimtab.agents.citations import MEASURES, measures, possible
from trimtab.agents.extractive import FEATURES, CheapAnswer, answer_from
from trimtab.agents.planning import PlanItem, is_about_it, plan_by_rules
from trimtab.agents.refine import first_draft
from trimtab.agents.research_fit import Fitted, fitted_to_json
from trimtab.agents.selection import Selector
from trimtab.datasets.research import (
    ResearchQuestion,
    Split,
    labelled_citations,
    research_questions,
)
from trimtab.datasets.shipped_papers import shipped_papers
from trimtab.domains.texts import normalise
from trimtab.graphs.research_nodes import FOUND, READ, whole
from trimtab.protocols import Embedder
from trimtab.rag.library import Library
from trimtab.records import Passage
from trimtab.training.research_fit import (
    FittedRows,
    accept_threshold,
    balanced_threshold,
    best_f_threshold,
    f_beta,
    fit_rows,
)

ACCEPT_SHARE = 0.9
"""Of what is shown without asking an LLM that could be asked, answers and refusals each, this share
was right on the development half."""
SUPPORT_BETA = 0.5
"""A claim wrongly kept weighs twice as much as one wrongly dropped."""
COMMAND = "trimtab train research"


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What the cheap answer to one sub-question looks like, and whether it is right."""

    question: int
    answer: CheapAnswer
    answerable: bool
    right: bool


def fit_research(library: Library, selector: Selector) -> Fitted:
    """Return what the labelled questions and citations of the development half give."""
    embedder = library.embedder
    support, held, hard, labels = _support(embedder, "dev")
    supported = held * hard
    found = [
        one
        for number, question in enumerate(research_questions("dev"))
        for one in found_for(question, number, library, selector)
    ]
    answerable = _fit_found(found, [one.answerable for one in found])
    right = _fit_found(found, [one.right for one in found])
    asked, p_answerable = by_question(found, answerable.held_out, "answerable")
    good, p_right = by_question(found, right.held_out, "right")
    silent_from = balanced_threshold(p_answerable, asked)
    # as many of the refusals that no LLM sees must be right as of the answers that none sees
    silence = 1.0 - accept_threshold(1.0 - p_answerable, ~asked, share=ACCEPT_SHARE)
    silence = min(silence, silent_from)
    fitted = Fitted(
        support=support,
        support_threshold=round(best_f_threshold(supported, labels, beta=SUPPORT_BETA), 6),
        answerable=answerable.logistic,
        answerable_threshold=round(silent_from, 6),
        silence_threshold=round(silence, 6),
        right=right.logistic,
        accept_threshold=round(accept_threshold(p_right, good, share=ACCEPT_SHARE), 6),
        embedder=embedder.name,
    )
    recipe = {
        "command": COMMAND,
        "selector": selector.name,
        "data": _hashes(),
        "dev_pairs": len(labels),
        "dev_questions": len(asked),
        "held_out": {
            "support": _figures(supported >= fitted.support_threshold, labels),
            "answerable": _figures(p_answerable >= fitted.answerable_threshold, asked),
            "silent_share": round(float((p_answerable < silence).mean()), 4),
            "accepted_share": round(float((p_right >= fitted.accept_threshold).mean()), 4),
        },
    }
    return replace(fitted, recipe=recipe)


def unseen_figures(fitted: Fitted, library: Library, selector: Selector) -> dict[str, Any]:
    """Return what the fit is worth on the test half, which it has not seen."""
    rows, hard, labels = _pairs(library.embedder, "test")
    supported = np.array([fitted.support.probability(row) for row in rows]) * hard
    found = [
        one
        for number, question in enumerate(research_questions("test"))
        for one in found_for(question, number, library, selector)
    ]
    p = np.array([fitted.answerable.probability(one.answer.features) for one in found])
    asked, p_answerable = by_question(found, p, "answerable")
    return {
        "test_pairs": len(labels),
        "test_questions": len(asked),
        "support": _figures(supported >= fitted.support_threshold, labels),
        "answerable": _figures(p_answerable >= fitted.answerable_threshold, asked),
    }


def found_for(
    question: ResearchQuestion, number: int, library: Library, selector: Selector
) -> list[Found]:
    """Return the cheap answer to each sub-question, as the graph would find it."""
    made: dict[str, CheapAnswer] = {}
    read: dict[str, list[Passage]] = {}
    rows: list[Found] = []
    items = plan_by_rules(question.question).items
    for item in items:
        if item.tool == "combine":
            continue
        chosen = selector.select(item.goal, library.find(item.goal, k=FOUND), k=READ).passages
        ahead = [one for need in item.needs for one in _first(read[need], made[need])]
        chosen = () if ahead and is_about_it(item.goal) else chosen
        read[item.id] = list({one.source_id: one for one in [*ahead, *chosen]}.values())[:READ]
        about = " ".join(one.goal for one in items if one.id in item.needs)
        made[item.id] = answer_from(
            item, read[item.id], library.embedder, library.rarity, about=about
        )
        rows.append(
            Found(
                question=number,
                answer=made[item.id],
                answerable=question.answerable,
                right=_is_right(question, item, made[item.id], read[item.id]),
            )
        )
    return rows


def by_question(found: Sequence[Found], probabilities: Any, label: str) -> tuple[Any, Any]:  # noqa: ANN401 - arrays
    """Return `[Q]` labels and probabilities of whole questions, from those of their parts."""
    labels: list[bool] = []
    joined: list[float] = []
    for number in sorted({one.question for one in found}):
        mine = [place for place, one in enumerate(found) if one.question == number]
        labels.append(all(getattr(found[place], label) for place in mine))
        joined.append(whole([float(probabilities[place]) for place in mine]))
    return np.array(labels), np.array(joined)


def write_fit(fitted: Fitted, path: Path) -> None:
    """Write the file that ``load_fitted`` reads."""
    text = json.dumps(fitted_to_json(fitted), indent=1, ensure_ascii=False, sort_keys=True)
    path.write_text(text + "\n", "utf-8")


def _is_right(
    question: ResearchQuestion, item: PlanItem, answer: CheapAnswer, read: Sequence[Passage]
) -> bool:
    """Return whether the sentences shown hold what the answer rests on; any of it for a part."""
    titles = {one.source_id: one.metadata.get("title", "") for one in read}
    claims = first_draft(item.tool, item.id, answer.candidates)
    said = normalise(" ".join(f"{titles[one.source_id]} {one.text}" for one in claims))
    held = [normalise(fact) in said for fact in question.facts]
    whole_question = item.goal.rstrip("?") == " ".join(question.question.split()).rstrip("?")
    return question.answerable and bool(held) and (all(held) if whole_question else any(held))


def _first(read: Sequence[Passage], answer: CheapAnswer) -> list[Passage]:
    best = answer.candidates[0].source_id if answer.candidates else None
    return [one for one in read if one.source_id == best]


def _fit_found(found: Sequence[Found], labels: Sequence[bool]) -> FittedRows:
    parts = [one.question for one in found]
    return fit_rows(
        FEATURES,
        np.array([one.answer.features for one in found]),
        np.array(labels, dtype=bool),
        parts,
        np.array([1.0 / parts.count(number) for number in parts]),
    )


def _support(embedder: Embedder, split: Split) -> tuple[Any, Any, Any, Any]:
    rows, hard, labels = _pairs(embedder, split)
    papers = [pair.arxiv_id for pair in labelled_citations(split)]
    fit = fit_rows(MEASURES, rows, labels, [sorted(set(papers)).index(name) for name in papers])
    return fit.logistic, fit.held_out, hard, labels


def _pairs(embedder: Embedder, split: Split) -> tuple[Any, Any, Any]:
    """Return `[R, F]` measures, `[R]` whether numbers and names fit, and `[R]` labels."""
    papers = {paper.arxiv_id: paper for paper in shipped_papers()}
    pairs = labelled_citations(split)
    rows, hard = [], []
    for pair in pairs:
        paper = papers[pair.arxiv_id]
        rows.append(measures(embedder, pair.claim, pair.sentence, title=paper.title))
        hard.append(possible(pair.claim, pair.sentence, title=paper.title, passage=paper.abstract))
    labels = [pair.supports for pair in pairs]
    return np.array(rows), np.array(hard, dtype=bool), np.array(labels, dtype=bool)


def _figures(chosen: Any, labels: Any) -> dict[str, float]:  # noqa: ANN401 - arrays
    hit = chosen & labels
    return {
        "precision": round(float(hit.sum() / max(1, chosen.sum())), 4),
        "recall": round(float(hit.sum() / max(1, labels.sum())), 4),
        "specificity": round(float((~chosen[~labels]).mean()), 4),
        "f_half": round(f_beta(hit, chosen, labels, beta=0.5), 4),
    }


def _hashes() -> Mapping[str, str]:
    folder = resources.files("trimtab") / "shipped" / "research"
    names = ("questions.jsonl", "citations.jsonl")
    return {name: hashlib.sha256((folder / name).read_bytes()).hexdigest()[:16] for name in names}
