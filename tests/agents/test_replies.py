from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from langchain_core.messages import AIMessage

from trimtab.agents.replies import (
    letter_odds,
    read_json_action,
    read_json_grid,
    read_letter,
    read_usage,
)
from trimtab.domains.sudoku import Sudoku
from trimtab.errors import ParseError, UsageMissing

ACTIONS = {"delivery": 0, "refund": 1}
LETTERS = ("A", "B", "C")


def logprobs(*tokens: tuple[str, dict[str, float]]) -> dict[str, Any]:
    """Return what the API reports: the tokens of a reply with the odds of their alternatives."""
    return {
        "content": [
            {
                "token": token,
                "logprob": math.log(odds[token]),
                "top_logprobs": [{"token": t, "logprob": math.log(p)} for t, p in odds.items()],
            }
            for token, odds in tokens
        ]
    }


def test_an_action_is_read() -> None:
    assert read_json_action(' {"action": "refund"}\n', ACTIONS) == 1


@pytest.mark.parametrize(
    "content",
    [
        "",
        "refund",
        '{"action": "refu',
        '{"action": "refund"',
        '{"action": "weather"}',
        '{"action": "Refund"}',
        '{"action": 1}',
        '{"action": null}',
        '{"action": ["refund"]}',
        '{"action": "refund", "confidence": 1.0}',
        '{"answer": "refund"}',
        '["refund"]',
        '"refund"',
        'I choose {"action": "refund"}',
    ],
)
def test_anything_else_is_unreadable(content: str) -> None:
    with pytest.raises(ParseError):
        read_json_action(content, ACTIONS)


@given(st.text())
def test_no_text_becomes_an_action_by_chance(content: str) -> None:
    with pytest.raises(ParseError):
        read_json_action(content, ACTIONS)


def test_a_grid_is_read_right_or_wrong() -> None:
    grid = "1234" * 4
    assert read_json_grid(f'{{"grid": "{grid}"}}', Sudoku(4).whole) == grid


@pytest.mark.parametrize(
    "content",
    [
        '{"grid": "1234"}',
        '{"grid": "12341234123412349"}',
        '{"grid": "123412341234123."}',
        '{"grid": "r1c1=1"}',
        '{"grid": ["1234"]}',
        '{"action": "1234123412341234"}',
        "1234123412341234",
    ],
)
def test_what_is_no_whole_grid_is_unreadable(content: str) -> None:
    with pytest.raises(ParseError):
        read_json_grid(content, Sudoku(4).whole)


@pytest.mark.parametrize("content", ["B", " B", "B.", "B)\n"])
def test_a_letter_is_read(content: str) -> None:
    assert read_letter(content, {"A": 0, "B": 1}) == "B"


@pytest.mark.parametrize("content", ["", "b", "C", "AB", "The", "A or B"])
def test_no_letter_is_unreadable(content: str) -> None:
    with pytest.raises(ParseError):
        read_letter(content, {"A": 0, "B": 1})


def test_confidence_is_renormalised_over_the_letters() -> None:
    odds = letter_odds(logprobs(("A", {"A": 0.3, "B": 0.1, "C": 0.1, "The": 0.5})), "A", LETTERS)
    assert odds is not None
    assert odds.confidence == pytest.approx(0.6)
    assert odds.mass == pytest.approx(0.5)
    assert odds.probs == pytest.approx({"A": 0.6, "B": 0.2, "C": 0.2})


def test_spellings_of_one_letter_are_added() -> None:
    odds = letter_odds(logprobs(("A", {"A": 0.3, " A": 0.3, "B": 0.4})), "A", ("A", "B"))
    assert odds is not None
    assert odds.confidence == pytest.approx(0.6)


def test_a_letter_that_is_not_reported_lowers_confidence() -> None:
    odds = letter_odds(logprobs(("A", {"A": 0.6, "The": 0.2})), "A", LETTERS)
    assert odds is not None
    assert odds.confidence == pytest.approx(0.6 / (0.6 + 2 * 0.2))
    assert odds.probs is None


def test_the_last_token_with_the_letter_counts() -> None:
    said = logprobs(("B", {"B": 0.9, "A": 0.1}), (" ", {" ": 1.0}), ("B", {"B": 0.5, "A": 0.5}))
    odds = letter_odds(said, "B", ("A", "B"))
    assert odds is not None
    assert odds.confidence == pytest.approx(0.5)


@pytest.mark.parametrize(
    "said", [None, {}, {"content": None}, {"content": []}, logprobs(("The", {"The": 1.0}))]
)
def test_without_the_letters_token_there_is_no_confidence(said: dict[str, Any] | None) -> None:
    assert letter_odds(said, "A", LETTERS) is None


def test_cached_tokens_are_part_of_the_prompt() -> None:
    usage = read_usage(
        AIMessage(
            content="",
            usage_metadata={
                "input_tokens": 50,
                "output_tokens": 5,
                "total_tokens": 55,
                "input_token_details": {"cache_read": 40},
            },
        )
    )
    assert (usage.prompt_tokens, usage.cached_tokens, usage.completion_tokens) == (50, 40, 5)


def test_no_token_counts_is_an_error() -> None:
    with pytest.raises(UsageMissing, match="stream_usage=True"):
        read_usage(AIMessage(content="B"))
