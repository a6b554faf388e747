from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace

import numpy as np
import pytest

from tests.support import LetterEmbedder
from trimtab.agents.planning import plan_from_json
from trimtab.agents.research_fit import load_fitted
from trimtab.app.research import Researcher
from trimtab.app.serving import open_ledger
from trimtab.bench.research import checked, measured
from trimtab.bench.research_expert import GoldExpert, serving
from trimtab.bench.research_scores import NAMES
from trimtab.datasets.research import labelled_citations, research_questions
from trimtab.datasets.shipped_papers import shipped_papers
from trimtab.settings import Settings, load_settings

PAPERS = {paper.arxiv_id: paper for paper in shipped_papers()}
NUMBERS = [row for row in research_questions("dev") if row.kind == "number"]
ASKED = [
    *[row for row in NUMBERS if row.answerable][:3],
    *[row for row in NUMBERS if not row.answerable][:1],
]


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    return load_settings({"TRIMTAB_HOME": str(tmp_path_factory.mktemp("home"))})


def _researcher(settings: Settings) -> Researcher:
    # the thresholds are MiniLM's; what they do with letters is no matter here
    embedder = LetterEmbedder()
    return Researcher(
        settings,
        ledger=open_ledger(settings.ledger),
        embedder=embedder,
        fitted=replace(load_fitted(), embedder=embedder.name),
    )


@pytest.fixture
def right(settings: Settings) -> Iterator[Settings]:
    expert = GoldExpert(ASKED, PAPERS, accuracy=1.0, seed=0)
    with serving(expert, settings) as served:
        yield served


def test_the_cheap_way_has_all_figures_and_asks_no_llm(settings: Settings) -> None:
    with _researcher(settings) as researcher, closing(researcher.kit.ledger):
        measures = measured(researcher, ASKED, way="extractive", rng=np.random.default_rng(0))
    assert {f"extractive.{name}" for name in NAMES} <= set(measures)
    assert measures["extractive.llm_calls"].value == 0.0
    assert measures["extractive.llm_share"].value == 0.0


def test_an_expert_that_knows_the_gold_is_shown_where_it_is_always_asked(right: Settings) -> None:
    with _researcher(right) as researcher, closing(researcher.kit.ledger):
        measures = measured(researcher, ASKED, way="always_llm", rng=np.random.default_rng(0))
    assert measures["always_llm.llm_share"].value == 1.0
    assert measures["always_llm.answered_unanswerable"].value == 0.0
    assert measures["always_llm.citation_precision"].value == 1.0
    cost = measures["always_llm.usd_per_1000"].value
    assert cost is not None
    assert cost > 0.1


def test_the_check_is_measured_on_labelled_pairs() -> None:
    measures = checked(LetterEmbedder(), labelled_citations("dev")[:40])
    assert measures["check.precision"].unit.startswith("pairs called supported")
    accuracy = measures["check.accuracy"]
    assert accuracy.value is not None
    assert accuracy.low is not None
    assert 0.0 < accuracy.low < accuracy.value
    # a number that its sentence lacks is refused whatever the embedder
    changed = measures["check.right.changed_number"].value
    assert changed is not None
    assert changed >= 0.75


def test_a_wrong_expert_says_what_is_false_or_has_no_answer() -> None:
    number = next(row for row in ASKED if row.answerable)
    (gold,) = number.gold
    passage = f'<passage id="{gold.arxiv_id}#0">\nTitle\n(record)\n{gold.sentences[0]}\n</passage>'
    other = next(row for row in ASKED if not row.answerable)
    wrong = GoldExpert(ASKED, PAPERS, accuracy=0.0, seed=0)
    assert wrong.reply(f"{passage}\n<question>\n{number.question}\n</question>") != GoldExpert(
        ASKED, PAPERS, accuracy=1.0, seed=0
    ).reply(f"{passage}\n<question>\n{number.question}\n</question>")
    reply = wrong.reply(f"{passage}\n<question>\n{other.question}\n</question>")
    assert reply["answerable"] is True
    assert reply["claims"][0]["passages"] == [f"{gold.arxiv_id}#0"]


def test_an_expert_says_no_where_the_gold_was_not_sent() -> None:
    right = GoldExpert(ASKED, PAPERS, accuracy=1.0, seed=0)
    reply = right.reply(f"<question>\n{ASKED[0].question}\n</question>")
    assert reply == {"answerable": False, "claims": []}


def test_an_expert_plans_the_question_as_it_is() -> None:
    right = GoldExpert(ASKED, PAPERS, accuracy=1.0, seed=0)
    plan = right.plan("<question>\nWhat is open?\n</question>")
    assert plan_from_json(plan).items[0].goal == "What is open?"
