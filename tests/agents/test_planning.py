from __future__ import annotations

import pytest

from trimtab.agents.planning import (
    MAX_ITEMS,
    PlanError,
    PlanItem,
    asked_facts,
    check_plan,
    plan_by_rules,
    plan_from_json,
    plan_item,
    plan_to_json,
)


def _goals(question: str) -> list[tuple[str, str, tuple[str, ...]]]:
    return [(item.goal, item.tool, item.needs) for item in plan_by_rules(question).items]


@pytest.mark.parametrize(
    ("question", "kind"),
    [
        ("What is Chain of Computation?", "definition"),
        ("How much faster is SpecExtend?", "question"),
        ("Which papers train reasoning on puzzles?", "papers"),
        ("Who wrote the CP-Router paper?", "facts"),
        ("When was the paper on Thinkless published?", "facts"),
        ("AdaptThink vs. Thinkless", "comparison"),
        ("How does CP-Router differ from AdaptThink?", "comparison"),
        ("What does Memex keep in the context, and where do the rest go?", "several"),
        ("word " * 31, "open"),
    ],
)
def test_the_form_of_a_question_is_known(question: str, kind: str) -> None:
    assert plan_by_rules(question).kind == kind


def test_a_comparison_searches_both_sides_in_their_own_spelling_and_combines() -> None:
    assert _goals("Compare CP-Router with ARM in terms of cost.") == [
        ("CP-Router", "search", ()),
        ("ARM", "search", ()),
        ("Compare CP-Router with ARM in terms of cost.", "combine", ("q1", "q2")),
    ]


def test_a_part_that_points_back_needs_the_first_one() -> None:
    assert _goals("Which method exits early? And who wrote it?") == [
        ("Which method exits early", "search", ()),
        ("who wrote it", "facts", ("q1",)),
    ]


def test_two_facts_of_one_paper_are_one_look_at_its_record() -> None:
    question = "Who wrote the CP-Router paper and when was it published?"
    assert _goals(question) == [(question, "facts", ())]
    assert asked_facts(question) == ["authors", "published"]


def test_no_rule_makes_more_items_than_are_allowed() -> None:
    question = " and ".join(f"what is method{n}" for n in range(9))
    assert len(plan_by_rules(question).items) == MAX_ITEMS


def _items(*rows: tuple[str, tuple[str, ...], str]) -> list[PlanItem]:
    return [
        PlanItem(id=name, goal="find x", needs=needs, tool=tool)  # type: ignore[arg-type]
        for name, needs, tool in rows
    ]


@pytest.mark.parametrize(
    "items",
    [
        [],
        _items(*[(f"q{n}", (), "search") for n in range(7)]),
        _items(("q1", (), "search"), ("q1", (), "search")),
        _items(("q1", ("q9",), "search")),
        _items(("q1", (), "shell")),
        _items(("q1", (), "search"), ("q2", ("q1",), "search"), ("q3", ("q2",), "search")),
        _items(("q1", ("q2",), "search"), ("q2", ("q1",), "search")),
        _items(("q1", (), "combine")),
        [PlanItem(id="q1", goal=" ")],
        [PlanItem(id="q1", goal="x" * 501)],
    ],
    ids=["none", "seven", "id twice", "unknown need", "unknown tool", "depth three", "circle",
         "nothing searched", "no goal", "long goal"],
)  # fmt: skip
def test_a_plan_that_breaks_its_limits_is_an_error(items: list[PlanItem]) -> None:
    with pytest.raises(PlanError):
        check_plan(items)


@pytest.mark.parametrize(
    "reply",
    [
        "text",
        {"plan": "q1"},
        {"plan": [{"id": "q1"}]},
        {"plan": [{"id": "q1", "goal": "x", "needs": "q2", "tool": "search"}]},
        {"plan": [{"id": 1, "goal": "x", "needs": [], "tool": "search"}]},
    ],
)
def test_a_reply_that_is_no_plan_is_an_error(reply: object) -> None:
    with pytest.raises(PlanError):
        plan_from_json(reply)


def test_a_plan_returns_from_json_with_needs_behind_what_they_need() -> None:
    rows = [
        {"id": "b", "goal": "both", "needs": ["a"], "tool": "combine"},
        {"id": "a", "goal": "one", "needs": [], "tool": "search"},
    ]
    plan = plan_from_json({"plan": rows})
    assert [item.id for item in plan.items] == ["a", "b"]
    assert tuple(map(plan_item, plan_to_json(plan.items))) == plan.items


@pytest.mark.parametrize(
    "question",
    [
        "compare " + "routing and " * 60 + "search",
        "who wrote " + "very " * 120 + "long titles",
        "What is " + "very " * 120 + "long? And who wrote it?",
    ],
    ids=["comparison", "facts", "several"],
)
def test_a_question_too_long_for_its_form_is_one_search(question: str) -> None:
    plan = plan_by_rules(question)
    assert (plan.kind, [item.tool for item in plan.items]) == ("open", ["search"])


def test_a_goal_that_is_no_text_breaks_a_plan() -> None:
    with pytest.raises(PlanError, match="surrogate"):
        check_plan([PlanItem(id="q1", goal="half \ud800")])


@pytest.mark.parametrize(
    "question",
    [
        "Compare CP-Router, Thinkless and AdaptThink",
        "CP-Router vs Thinkless vs. AdaptThink",
        "How does CP-Router differ from Thinkless, and AdaptThink?",
    ],
)
def test_a_comparison_may_have_more_than_two_sides(question: str) -> None:
    plan = plan_by_rules(question)
    assert [item.goal for item in plan.items[:3]] == ["CP-Router", "Thinkless", "AdaptThink"]
    assert (plan.items[3].needs, plan.items[3].tool) == (("q1", "q2", "q3"), "combine")


def test_what_looks_into_the_corpus_cannot_build_on_a_combination() -> None:
    items = [
        PlanItem(id="a", goal="both", tool="combine"),
        PlanItem(id="b", goal="who wrote it", needs=("a",), tool="facts"),
    ]
    with pytest.raises(PlanError, match="only combines"):
        check_plan(items)
