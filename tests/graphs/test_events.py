"""What the steps of a graph say to those who stream them."""

from typing import Any

import pytest

from trimtab.graphs.events import event


def _chosen(agent: str | None, gains: dict[str, float]) -> dict[str, Any]:
    step = {"agent": agent, "gains": gains, "prices": {"a": 0.001, "b": 0.5}}
    return event("meta_controller", {"steps": [step]}, canonical=str)


@pytest.mark.parametrize(
    ("agent", "gains", "text"),
    [
        ("a", {}, "Next: a, 0.001 USD."),
        (
            "a",
            {"b": -0.1, "a": 0.25},
            "Next: a, 0.001 USD; expected net gain: a +0.250, b -0.100.",
        ),
        (None, {}, "Stop: no further step is called for."),
        (
            None,
            {"a": -0.01, "b": -0.4},
            "Stop: no further step is worth its price; expected net gain: a -0.010, b -0.400.",
        ),
        (
            None,
            {"b": 0.1},
            "Stop: the budget forbids what is worth its price; expected net gain: b +0.100.",
        ),
    ],
)
def test_choice_says_why_it_went_on_or_stopped(
    agent: str | None, gains: dict[str, float], text: str
) -> None:
    told = _chosen(agent, gains)
    assert told["text"] == text
    assert told["gains"] == gains
    assert told["prices"] == {"a": 0.001, "b": 0.5}


def test_agent_without_an_answer_answers_nothing() -> None:
    made = {
        "agent": "a",
        "tier": "",
        "action": "",
        "confidence": None,
        "usage": {"cost_usd": 0.1, "latency_s": 0.0},
    }
    assert event("a", {"predictions": [made]}, canonical=int.__repr__)["text"] == (
        "a answers nothing, 0.1 USD."
    )
