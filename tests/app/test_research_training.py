from __future__ import annotations

from pathlib import Path

import numpy as np

from tests.papers import asking
from trimtab.agents.extractive import FEATURES
from trimtab.agents.research_fit import load_fitted
from trimtab.agents.selection import FusionSelector
from trimtab.app.research_training import by_question, found_for, write_fit
from trimtab.datasets.research import research_questions


def test_what_is_fitted_on_is_what_the_graph_finds(tmp_path: Path) -> None:
    questions = {one.question: one for one in research_questions("dev")}
    answered = questions["Which papers examine LLM judges across several languages?"]
    refused = questions["Which vaccines protect children against malaria?"]
    with asking(tmp_path) as (researcher, _):
        library = researcher.library()
        found = [
            *found_for(answered, 0, library, FusionSelector()),
            *found_for(refused, 1, library, FusionSelector()),
        ]
        fitted = researcher.kit.fitted
        p = np.array([fitted.answerable.probability(one.answer.features) for one in found])
        labels, joined = by_question(found, p, "answerable")
        asked = [researcher.ask(one.question) for one in (answered, refused)]
    assert all(len(one.answer.features) == len(FEATURES) for one in found)
    assert [one.right for one in found] == [True, False]
    assert labels.tolist() == [True, False]
    assert joined.tolist() == [one.answerable_probability for one in asked]


def test_a_fit_returns_from_its_file(tmp_path: Path) -> None:
    fitted = load_fitted()
    write_fit(fitted, tmp_path / "fit.json")
    again = load_fitted(tmp_path / "fit.json")
    assert (again.support, again.right, again.answerable) == (
        fitted.support,
        fitted.right,
        fitted.answerable,
    )
    assert dict(again.recipe) == dict(fitted.recipe)
