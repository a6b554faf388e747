"""One request to a chat model: what comes back, and what its client raises, in trimtab's words."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any

from trimtab.agents.prompts import Turn
from trimtab.agents.resilience import TransientFailure
from trimtab.errors import ConfigError, ContextOverflow, LLMError, LLMUnavailable, ParseError

if TYPE_CHECKING:
    import openai
    from langchain_core.messages import AIMessage
    from langchain_core.runnables import Runnable

MALFORMED = (ValueError, KeyError, TypeError, IndexError, AttributeError)
"""What langchain-openai raises for a reply without choices, without a message, or not JSON."""

_OVERFLOW = (
    "context_length_exceeded",
    "exceed_context_size_error",
    "maximum context length",
    "exceeds the context window",
    "exceeds the available context size",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """A message, and whether the structured output that was asked for could be parsed."""

    message: AIMessage
    parsed: bool


def ask_once(runnable: Runnable[Any, Any], turns: Sequence[Turn], *, model_id: str) -> Reply:
    """Return the reply to one request, made without retries.

    A reply that was cut at the token limit is returned too, marked as not parsed: it was paid for.

    Raises:
        TransientFailure: the next attempt may succeed.
        LLMError: the request was refused, or the reply carries no message (``ParseError``).
        ConfigError: the key is refused, or the server does not know the model.
    """
    import openai

    try:
        output = runnable.invoke(list(turns))
    except openai.LengthFinishReasonError as error:
        return Reply(message=_cut_message(error), parsed=False)
    except (openai.OpenAIError, TimeoutError, *MALFORMED) as error:
        raise translate(error, model_id=model_id) from error
    if isinstance(output, Mapping):  # of with_structured_output(include_raw=True)
        return Reply(message=output["raw"], parsed=output["parsed"] is not None)
    return Reply(message=output, parsed=True)


def utc_now() -> datetime:
    """Return the time to which an HTTP date is compared."""
    return datetime.now(UTC)


def translate(
    error: Exception, *, model_id: str, now: Callable[[], datetime] = utc_now
) -> LLMError | ConfigError:
    """Return the error that a caller of trimtab should see for one failed attempt.

    429, 5xx, 408, 409, time-outs and broken connections are transient. An error that this does
    not know is returned as an ``LLMError`` that names it.
    """
    import openai

    if isinstance(error, openai.APIStatusError):
        return _of_status(error, model_id=model_id, now=now)
    if isinstance(error, openai.APITimeoutError | TimeoutError):
        return TransientFailure("the request timed out; TRIMTAB_LLM_TIMEOUT_S sets the limit")
    if isinstance(error, openai.APIConnectionError):
        cause = error.__cause__ or error
        return TransientFailure(f"no connection ({cause}); check OPENAI_BASE_URL")
    if _overflows(error):
        return ContextOverflow(f"the prompt does not fit the context of {model_id}: {error}")
    if isinstance(error, MALFORMED):
        return ParseError(f"{model_id} sent a reply without a message: {_short(error)}")
    return LLMError(f"{model_id} refused the request: {_short(error)}")


def retry_after_s(headers: Mapping[str, str], *, now: Callable[[], datetime]) -> float | None:
    """Return the seconds that ``Retry-After`` asks to wait (a number or an HTTP date), or None.

    A value that is neither is ignored: the policy's own wait is then the better guess.
    """
    text = headers.get("retry-after")
    if text is None:
        return None
    try:
        seconds = float(text)
    except ValueError:
        try:
            moment = parsedate_to_datetime(text)
        except ValueError:
            return None
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=UTC)
        seconds = (moment - now()).total_seconds()
    return max(0.0, seconds) if math.isfinite(seconds) else None


def _cut_message(error: openai.LengthFinishReasonError) -> AIMessage:
    from langchain_core.messages import AIMessage

    completion = error.completion
    message = AIMessage(content=completion.choices[0].message.content or "")
    if completion.usage is not None:
        details = completion.usage.prompt_tokens_details
        message.usage_metadata = {
            "input_tokens": completion.usage.prompt_tokens,
            "output_tokens": completion.usage.completion_tokens,
            "total_tokens": completion.usage.total_tokens,
            "input_token_details": {"cache_read": (details and details.cached_tokens) or 0},
        }
    return message


def _of_status(
    error: openai.APIStatusError, *, model_id: str, now: Callable[[], datetime]
) -> LLMError | ConfigError:
    status = error.status_code
    if status in (401, 403):
        return ConfigError(
            f"the LLM server refuses the key (HTTP {status}: {_short(error)}); "
            "set OPENAI_API_KEY to a key that may use the model"
        )
    if status == 404:
        return ConfigError(
            f"the LLM server does not know {model_id!r} (HTTP 404: {_short(error)}); "
            "set TRIMTAB_LLM_MODEL to a model it serves, or correct OPENAI_BASE_URL"
        )
    if status == 413 or (status < 500 and _overflows(error)):
        return ContextOverflow(
            f"the prompt does not fit the context of {model_id}: {_short(error)}"
        )
    if status == 429 and "insufficient_quota" in _said(error):
        return LLMUnavailable(f"the account behind OPENAI_API_KEY is used up: {_short(error)}")
    if status in (408, 409, 429) or status >= 500:
        wished_s = retry_after_s(error.response.headers, now=now)
        return TransientFailure(f"HTTP {status}: {_short(error)}", retry_after_s=wished_s)
    return LLMError(f"{model_id} refused the request (HTTP {status}: {_short(error)})")


def _overflows(error: Exception) -> bool:
    return any(mark in _said(error) for mark in _OVERFLOW)


def _said(error: Exception) -> str:
    """Return the message with the body, in which the server's own error code stands."""
    return f"{error} {getattr(error, 'body', '')}"


def _short(error: Exception) -> str:
    text = " ".join(str(error).split()) or type(error).__name__
    return text if len(text) <= 300 else text[:300] + " …"
