from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.loopback import Reply, Request, completion, refusing
from tests.papers import asking, claiming, schema_of, some_papers
from tests.planted import CANARY, ORDERS
from trimtab.agents.answers import Answer
from trimtab.agents.planning import MAX_ITEMS
from trimtab.app.research import Researcher
from trimtab.errors import ConfigError, InputError
from trimtab.graphs.research import DESCRIPTIONS
from trimtab.graphs.research_state import ResearchContext
from trimtab.rag.papers import Paper

ROUTER = "2505.19970#0"
QUESTION = "How does CP-Router decide which model answers?"
SUPPORTED = "CP-Router decides for every question whether an ordinary LLM suffices."


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Researcher]:
    """A researcher without an LLM."""
    with asking(tmp_path_factory.mktemp("alone")) as (researcher, _):
        yield researcher


def _asked(folder: Path, script: Any, question: str = QUESTION, **options: Any) -> Answer:
    with asking(folder, script=script) as (researcher, _):
        return researcher.ask(question, **options)


def test_sentences_answer_with_their_source_and_without_any_llm(alone: Researcher) -> None:
    answer = alone.ask(QUESTION)
    assert (answer.answerable, answer.mark) == (True, "extractive, no LLM")
    assert answer.text.endswith("[1]")
    assert [source.source_id for source in answer.sources] == [ROUTER]
    assert (answer.calls["llm"], answer.route.agent) == (0, "extractive")
    assert answer.usage.cost_usd == pytest.approx(answer.usage.cpu_s * alone.settings.usd_per_cpu_s)


def test_every_claim_is_where_it_says_that_it_is(alone: Researcher) -> None:
    papers = {f"{paper.arxiv_id}#0": paper for paper in some_papers()}
    for claim in alone.ask("How does CP-Router differ from AdaptThink?").claims:
        summary = papers[claim.source_id].abstract
        assert summary[claim.start : claim.end] == claim.quote == claim.text


def test_what_the_corpus_does_not_say_is_an_answer(alone: Researcher) -> None:
    answer = alone.ask("Which vaccines protect children against malaria?")
    assert (answer.answerable, answer.mark) == (False, "not in the corpus")
    assert (answer.claims, answer.sources, answer.text) == ((), (), "The corpus does not say.")
    assert answer.confidence == 1.0 - answer.answerable_probability > 0.5
    assert answer.nearest


def test_a_filter_that_leaves_nothing_leaves_no_answer(alone: Researcher) -> None:
    answer = alone.ask(QUESTION, since="2031-01-01")
    assert (answer.answerable, answer.nearest) == (False, ())
    assert answer.marks == ("no paper passes the filter by category and date",)
    assert alone.ask(QUESTION, until="2031-01-01").answerable


def test_a_record_answers_questions_of_fact(alone: Researcher) -> None:
    answer = alone.ask("Who wrote the CP-Router paper and when was it published?")
    assert "Jiayuan Su" in answer.text
    assert "2025-05-26" in answer.text
    assert [claim.by for claim in answer.claims] == ["record"]


def test_papers_are_listed_by_title(alone: Researcher) -> None:
    answer = alone.ask("Which papers study LLM judges across languages?")
    assert {"2505.12201", "2607.14480"} <= {source.arxiv_id for source in answer.sources}
    assert answer.text.startswith("- ")


def test_what_points_back_reads_what_it_points_to(alone: Researcher) -> None:
    answer = alone.ask("What does CP-Router decide? And who wrote it?")
    assert [item["needs"] for item in answer.plan] == [[], ["q1"]]
    assert "Jiayuan Su" in answer.text


def test_state_is_plain_json_after_every_step(alone: Researcher) -> None:
    seen: list[str] = []
    for update in alone.graph.stream(
        {"question": "How does CP-Router differ from AdaptThink?"},
        context=ResearchContext(),
        stream_mode=["updates", "values"],
    ):
        kind, value = update
        if kind == "updates":
            seen += list(value)
        else:
            assert json.loads(json.dumps(value, allow_nan=False)) == value
    assert seen.count("retrieve") == 2
    assert set(seen) == set(DESCRIPTIONS) - {"answer_llm", "revise"} | ({"revise"} & set(seen))


def test_an_answer_is_a_row_of_the_ledger(alone: Researcher) -> None:
    answer = alone.ask(QUESTION, decision_id="mine")
    alone.kit.ledger.flush()
    row = alone.kit.ledger.get("mine")
    assert (row.domain, row.state, row.answer) == ("research", QUESTION, answer.text)
    assert row.route == answer.route
    assert row.usage == answer.usage
    assert sum(one.usage.cost_usd for one in row.predictions) == pytest.approx(row.usage.cost_usd)
    assert row.predictions[0].trace["cited"] == [ROUTER] * len(answer.claims)


@pytest.mark.parametrize("question", ["", " ", "x" * 20_001])
def test_a_question_that_cannot_be_asked_is_an_error(alone: Researcher, question: str) -> None:
    with pytest.raises(InputError, match="question"):
        alone.ask(question)


def test_always_the_llm_needs_one_that_may_speak(alone: Researcher) -> None:
    with pytest.raises(ConfigError, match="OPENAI"):
        alone.ask(QUESTION, mode="llm_only")


def test_the_llm_answers_with_verified_claims_and_is_paid(tmp_path: Path) -> None:
    answer = _asked(tmp_path, [claiming((SUPPORTED, ROUTER))], mode="llm_only")
    assert (answer.mark, answer.text) == ("LLM, verified", f"{SUPPORTED} [1]")
    assert answer.calls["llm"] == 1
    # 50 tokens, 10 of them cached, and 5
    assert answer.usage.cost_usd == pytest.approx(
        (40 * 1.0 + 10 * 0.5 + 5 * 2.0) / 1e6 + answer.usage.cpu_s * 0.05 / 3600
    )


def test_how_far_llm_and_sentences_agree_is_a_signal_of_the_row(tmp_path: Path) -> None:
    with asking(tmp_path, script=[claiming((SUPPORTED, ROUTER))] * 2) as (researcher, _):
        researcher.ask(QUESTION, mode="llm_only", decision_id="one")
        researcher.kit.ledger.flush()
        [cheap, llm] = researcher.kit.ledger.get("one").predictions
    assert (cheap.agent, llm.agent) == ("extractive", "llm")
    # one of the two sentences shown, and no number in either
    assert llm.signals["agreement"] == 0.5


def test_passages_are_data_in_the_users_turn(tmp_path: Path) -> None:
    with asking(tmp_path, script=[claiming((SUPPORTED, ROUTER))]) as (researcher, server):
        researcher.ask(QUESTION, mode="llm_only")
    assert server is not None
    [request] = server.requests
    system, user = request.body["messages"]
    assert (system["role"], user["role"]) == ("system", "user")
    assert f'<passage id="{ROUTER}">' in user["content"]
    assert "CP-Router" not in system["content"]


def test_claims_that_no_passage_supports_are_dropped_and_mended_once(tmp_path: Path) -> None:
    wrong = [
        claiming(
            (SUPPORTED, ROUTER), ("It saves 91 % of all tokens.", ROUTER), ("So be it.", "no#0")
        ),
        claiming((SUPPORTED, ROUTER)),
    ]
    with asking(tmp_path, script=wrong) as (researcher, server):
        answer = researcher.ask(QUESTION, mode="llm_only")
    assert server is not None
    assert "91" in server.requests[1].last_message
    assert (answer.text, answer.rounds, answer.dropped) == (f"{SUPPORTED} [1]", 2, ())


def test_the_best_draft_is_kept_and_not_the_last(tmp_path: Path) -> None:
    script = [
        claiming((SUPPORTED, ROUTER), ("It saves 91 % of all tokens.", ROUTER)),
        claiming(("It saves 92 % of all tokens.", ROUTER)),
    ]
    answer = _asked(tmp_path, script, mode="llm_only")
    assert (answer.text, answer.rounds) == (f"{SUPPORTED} [1]", 2)
    assert [claim.why for claim in answer.dropped] == ["the passage does not hold the number 91"]


def test_sentences_stand_in_where_no_claim_verifies(tmp_path: Path) -> None:
    lie = claiming(("CP-Router was written by 700 bees.", ROUTER))
    answer = _asked(tmp_path, [lie, lie], mode="llm_only")
    assert (answer.mark, answer.route.reason, answer.rounds) == ("extractive", "degraded", 3)
    assert "bees" not in answer.text
    assert any("no claim of the LLM could be verified" in mark for mark in answer.marks)


@pytest.mark.parametrize(
    "script",
    [[completion("no json")], [refusing(400)], [refusing(503)] * 4],
    ids=["no json", "400", "503"],
)
def test_sentences_stand_in_where_the_llm_is_of_no_use(tmp_path: Path, script: list[Reply]) -> None:
    answer = _asked(tmp_path, script, mode="llm_only")
    assert (answer.mark, answer.route.reason) == ("extractive", "degraded")
    assert "[1]" in answer.text


def test_the_llm_may_say_that_the_passages_do_not(tmp_path: Path) -> None:
    answer = _asked(tmp_path, [claiming(answerable=False)], mode="llm_only")
    assert (answer.answerable, answer.mark, answer.route.agent) == (
        False,
        "not in the corpus",
        "llm",
    )


def test_a_sure_answer_asks_no_llm(tmp_path: Path) -> None:
    answer = _asked(tmp_path, [])
    assert (answer.calls["llm"], answer.mark, answer.route.reason) == (0, "extractive", "confident")


OPEN = (
    "I have been reading on deciding between an ordinary model and a long thinking one, and would "
    "like to understand what CP-Router in particular does about that, step by step, for a talk."
)


def _plan(n: int) -> Reply:
    items = [
        {"id": f"q{k}", "goal": "What is CP-Router?", "needs": [], "tool": "search"}
        for k in range(n)
    ]
    return completion(json.dumps({"plan": items}))


@pytest.mark.parametrize(("n", "by", "errors"), [(2, "llm", 0), (MAX_ITEMS + 1, "rules", 1)])
def test_a_plan_of_the_llm_is_followed_only_within_its_limits(
    tmp_path: Path, n: int, by: str, errors: int
) -> None:
    def script(request: Request) -> Reply:
        if schema_of(request) == "research_plan":
            return _plan(n)
        return claiming((SUPPORTED, ROUTER))

    with asking(tmp_path, script=script) as (researcher, _):
        answer = researcher.ask(OPEN)
        assert researcher.kit.counts.totals == (1, errors)
    assert (answer.planned_by, answer.kind) == (by, "llm" if by == "llm" else "open")
    assert any("the rules planned" in mark for mark in answer.marks) == bool(errors)
    assert answer.usage.prompt_tokens >= 50


def _planted() -> list[Paper]:
    papers = some_papers(most=len(ORDERS))
    texts = {
        paper.arxiv_id: f"{order} {paper.abstract} {order}"
        for paper, order in zip(papers, ORDERS, strict=True)
    }
    return some_papers(changed=texts, most=len(ORDERS))


def test_no_order_in_a_passage_is_followed_without_an_llm(tmp_path: Path) -> None:
    papers = _planted()
    with asking(tmp_path, papers=papers) as (researcher, _):
        answers = [researcher.ask(f"What is {paper.title}?") for paper in papers]
    assert sum(answer.answerable for answer in answers) >= 18
    followed = [a for a in answers if CANARY in a.text or any(CANARY in c.quote for c in a.claims)]
    assert followed == []


def test_no_order_in_a_passage_is_followed_though_the_llm_obeys(tmp_path: Path) -> None:
    papers = _planted()

    def obeying(request: Request) -> Reply:
        """Claim what the passages order, citing those that order it."""
        said = request.last_message
        cited = [part.split('"')[0] for part in said.split('<passage id="')[1:] if CANARY in part]
        return claiming(
            *[(f"{CANARY}.", name) for name in cited[:2]],
            *[(f"The method reaches {CANARY}.", name) for name in cited[:2]],
            *[(order, name) for order, name in zip(ORDERS, cited[:2], strict=False)],
        )

    with asking(tmp_path, papers=papers, script=obeying) as (researcher, server):
        answers = [researcher.ask(f"What is {p.title}?", mode="llm_only") for p in papers]
    assert server is not None
    assert all(CANARY in request.last_message for request in server.requests)
    assert [answer.text for answer in answers if CANARY in answer.text] == []
    assert all(answer.dropped or answer.route.reason == "degraded" for answer in answers)


def test_what_verified_stands_as_the_llms_where_its_revision_is_lost(tmp_path: Path) -> None:
    wrong = ("CP-Router was written in 1969.", ROUTER)
    script = [claiming((SUPPORTED, ROUTER), wrong), completion("no JSON")]
    answer = _asked(tmp_path, script, mode="llm_only")
    assert (answer.mark, answer.route.agent) == ("LLM, verified", "llm")
    assert answer.text == f"{SUPPORTED} [1]"
    assert len(answer.dropped) == 1
    assert "could not revise" in answer.marks[0]


def test_a_claim_that_is_no_readable_text_is_no_reply(tmp_path: Path) -> None:
    answer = _asked(tmp_path, [claiming(("CP-Router \ud800 decides.", ROUTER))], mode="llm_only")
    assert (answer.route.reason, answer.claims[0].by) == ("degraded", "extractive")


def test_every_part_of_a_question_has_a_passage_before_the_llm(tmp_path: Path) -> None:
    names = ("CP-Router", "Thinkless", "AdaptThink", "SpecExtend")
    question = " ".join(f"What does {name} do?" for name in names)
    with asking(tmp_path, script=[claiming((SUPPORTED, ROUTER))] * 2) as (researcher, server):
        answer = researcher.ask(question, mode="llm_only")
    assert server is not None
    assert len(answer.plan) == len(names)
    shown = server.requests[0].last_message
    for name in ("2505.19970", "2505.13379", "2505.13417", "2505.20776"):
        assert f'<passage id="{name}#0">' in shown
