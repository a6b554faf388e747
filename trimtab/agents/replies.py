"""Reads an LLM's reply strictly: the action or whole answer, its probability, and the tokens.

Measured on the embedded model (llama.cpp): under a JSON schema the reply may open a code fence
that is cut from the content but present in the log-probabilities, and log-probabilities are taken
*before* the grammar. There a legal letter is sampled at, say, rank 10 while the other letters are
not among the 20 reported, so that renormalising gives 1.0 for any choice. Letters are therefore
asked for in a plain chat of few tokens, where all or most of them are among the 20.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from trimtab.agents.prompts import ACTION, GRID
from trimtab.errors import IllegalAction, ParseError, UsageMissing
from trimtab.records import Usage

if TYPE_CHECKING:
    from langchain_core.messages import AIMessage

TOP_LOGPROBS = 20
"""The most alternatives per token that the OpenAI API reports."""
RECORDED_LATENCY = "recorded_latency_s"
"""Key of a replayed message's ``response_metadata`` under which the live call's seconds stand."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LetterOdds:
    """How likely the chosen letter was among the legal ones.

    Attributes:
        confidence: probability of the chosen letter over that of all legal letters. A letter that
            is not among the reported ones counts as much as the least of those, an upper bound:
            confidence is never overstated.
        mass: probability of all reported legal letters; small where the model wanted to say
            something else.
        probs: by letter, or None where a legal letter was not reported.
    """

    confidence: float
    mass: float
    probs: Mapping[str, float] | None


def read_json_action(content: str, actions: Mapping[str, int]) -> int:
    """Return the action of a reply like ``{"action": "calculate"}``.

    Raises:
        ParseError: the reply is not complete JSON of that form, or names no legal action.
    """
    name = _only_text(content, ACTION)
    if name not in actions:
        raise ParseError(f"the reply names no legal action: {_short(content)}")
    return actions[name]


def read_json_grid(content: str, whole: Callable[[str], str]) -> str:
    """Return the whole answer of a reply like ``{"grid": "1234…"}``; it may well be wrong.

    Args:
        content: the reply.
        whole: a domain's, which spells whole answers.

    Raises:
        ParseError: the reply is not complete JSON of that form, or its text is no whole answer.
    """
    try:
        return whole(_only_text(content, GRID))
    except IllegalAction as error:
        raise ParseError(f"the reply holds no whole answer: {error}") from None


def read_letter(content: str, actions: Mapping[str, int]) -> str:
    """Return the letter of a reply like ``B`` or ``B.``.

    Raises:
        ParseError: the reply is anything else.
    """
    letter = content.strip().rstrip(".):")
    if letter not in actions:
        raise ParseError(f"the reply is not one of the letters: {_short(content)}")
    return letter


def letter_odds(
    logprobs: Mapping[str, Any] | None, letter: str, letters: Sequence[str]
) -> LetterOdds | None:
    """Return the odds of a letter, or None where its token carries no log-probabilities.

    Args:
        logprobs: as the API reports them: ``{"content": [{"token", "logprob", "top_logprobs"}]}``.
        letter: the letter that was chosen.
        letters: all legal letters.
    """
    for token in reversed((logprobs or {}).get("content") or []):
        if token["token"].strip() == letter:
            return _odds(token, letter, letters)
    return None


def read_usage(message: AIMessage) -> Usage:
    """Return the tokens of a reply.

    Raises:
        UsageMissing: the reply carries no token counts.
    """
    counts = message.usage_metadata
    if counts is None:
        raise UsageMissing(
            "the reply carries no token counts, so its price is unknown; "
            "use a server that reports usage (when streaming: stream_usage=True)"
        )
    return Usage(
        prompt_tokens=counts["input_tokens"],
        cached_tokens=counts.get("input_token_details", {}).get("cache_read") or 0,
        completion_tokens=counts["output_tokens"],
    )


def _only_text(content: str, key: str) -> str:
    """Return the text of a JSON object that has one key."""
    try:
        reply = json.loads(content)
    except ValueError:
        raise ParseError(f"the reply is not JSON: {_short(content)}") from None
    if not isinstance(reply, dict) or set(reply) != {key}:
        raise ParseError(f'the reply is not of the form {{"{key}": …}}: {_short(content)}')
    text = reply[key]
    if not isinstance(text, str):
        raise ParseError(f"the reply's {key!r} is no text: {_short(content)}")
    return text


def _odds(token: Mapping[str, Any], letter: str, letters: Sequence[str]) -> LetterOdds | None:
    reported: dict[str, float] = {}
    least = math.inf
    for entry in token.get("top_logprobs") or []:
        p = math.exp(entry["logprob"])
        least = min(least, p)
        key = entry["token"].strip()
        if key in letters:  # " B" and "B" are one letter
            reported[key] = reported.get(key, 0.0) + p
    if not reported:
        return None
    reported.setdefault(letter, math.exp(token["logprob"]))
    mass = sum(reported.values())
    unseen = [key for key in letters if key not in reported]
    confidence = reported[letter] / (mass + least * len(unseen))
    probs = None if unseen else {key: reported[key] / mass for key in letters}
    return LetterOdds(confidence=confidence, mass=min(1.0, mass), probs=probs)


def _short(content: str) -> str:
    return repr(content if len(content) <= 120 else content[:120] + " …")
