"""The LLM agent: asks any chat model behind the OpenAI API for an action, or a whole answer."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from trimtab.agents.chat_call import Reply, ask_once
from trimtab.agents.chat_models import OpenChatModel, open_chat_model, open_recording
from trimtab.agents.local_llm import EMBEDDED_MODEL
from trimtab.agents.meter import Meter
from trimtab.agents.prompts import Prompt, ask_again, build_prompt
from trimtab.agents.replies import (
    TOP_LOGPROBS,
    letter_odds,
    read_json_action,
    read_json_grid,
    read_letter,
)
from trimtab.agents.resilience import CallGuard, CircuitBreaker, RetryPolicy
from trimtab.errors import ConfigError, LLMError, LLMUnavailable, ParseError
from trimtab.pricing import PriceTable
from trimtab.protocols import AnyDomain
from trimtab.records import Passage, Prediction, Usage

if TYPE_CHECKING:
    from langchain_core.language_models import BaseChatModel
    from langchain_core.runnables import Runnable

__all__ = [
    "EMBEDDED_MODEL",
    "LLMAgent",
    "OpenChatModel",
    "UnreadableReply",
    "open_chat_model",
    "open_recording",
]

LETTER_TOKENS = 1
"""A letter is one token; more would let a small model run on into a sentence."""
_ASKS = 2


class UnreadableReply(ParseError):
    """No reply was readable; ``usage`` is what they cost all the same."""

    def __init__(self, message: str, *, usage: Usage) -> None:
        super().__init__(message)
        self.usage = usage


class LLMAgent:
    """Asks a chat model for a legal action, or a whole answer; an ``Agent`` of any domain.

    The reply must name a legal action. One that does not is counted, shown to the model and asked
    for once more; a second one raises: no action is ever made up. Confidence is None, except for
    ``letters``, where it is the probability of the chosen letter among the legal ones (not
    calibrated; ``signals["letter_mass"]`` is how much of the model's belief that covers). What the
    model says about its own confidence is never asked.

    A model that the price table bills by the CPU-second is asked one request at a time, whatever
    ``max_concurrency`` says: it works on one thread, and so the time of a request is its CPU time
    (an upper bound where the machine is busy). Thread-safe.

    Args:
        domain: gives instructions, legal actions and the text of a state.
        model: any LangChain chat model that takes the OpenAI parameters.
        model_id: its name in the price table.
        prices: prices its tokens or its CPU-seconds.
        letters: ask for letters instead of JSON; at most 26 legal actions.
        max_concurrency: requests in flight at most.
        retry: the only retry layer; the model itself must not retry.
        breaker: own one if None; share one among the agents that ask the same server.

    Raises:
        PriceUnknown: the price table does not hold ``model_id``.
    """

    name = "llm"
    reads_context = True

    def __init__(
        self,
        domain: AnyDomain,
        model: BaseChatModel,
        *,
        model_id: str,
        prices: PriceTable,
        letters: bool = False,
        max_concurrency: int = 4,
        retry: RetryPolicy | None = None,
        breaker: CircuitBreaker | None = None,
    ) -> None:
        self.domain = domain
        self.model_id = model_id
        self.breaker = breaker or CircuitBreaker()
        self._model = model
        self._prices = prices
        self._letters = letters
        self._billed_by_cpu = prices.price(model_id).unit == "cpu_s"
        self._width = 1 if self._billed_by_cpu else max_concurrency
        self._guard = CallGuard(
            retry=retry or RetryPolicy(), breaker=self.breaker, max_concurrency=self._width
        )
        self._lock = threading.Lock()
        self._runnables: dict[tuple[str, ...], Runnable[Any, Any]] = {}
        self._counts = {"calls": 0, "retries": 0, "parse_errors": 0, "unavailable": 0}

    @property
    def counts(self) -> Mapping[str, int]:
        """Return a copy of the totals: attempts, repetitions, unreadable replies, given up."""
        with self._lock:
            return dict(self._counts)

    def predict(
        self, states: Sequence[Any], *, context: Sequence[Sequence[Passage]] = ()
    ) -> list[Prediction]:
        """Return one prediction per state, in order.

        All states are asked; then the error of the first one that failed is raised. Use
        :meth:`attempt` to keep the answers beside the errors.

        Raises:
            ParseError: twice no legal action was named (:class:`UnreadableReply`).
            ContextOverflow: the prompt does not fit the model.
            LLMUnavailable: retries are used up or the breaker is open.
            UsageMissing: the reply carries no token counts.
            ConfigError: the key is refused, or the server does not know the model.
        """
        answers: list[Prediction] = []
        for outcome in self.attempt(states, context=context):
            if not isinstance(outcome, Prediction):
                raise outcome
            answers.append(outcome)
        return answers

    def attempt(
        self, states: Sequence[Any], *, context: Sequence[Sequence[Passage]] = ()
    ) -> list[Prediction | LLMError | ConfigError]:
        """Return, per state and in order, its prediction or the error that stands for it."""
        if context and len(context) != len(states):
            raise ConfigError(f"context holds {len(context)} entries for {len(states)} states")
        passages = context or [()] * len(states)
        if len(states) == 1 or self._width == 1:
            return [self._outcome(s, p) for s, p in zip(states, passages, strict=True)]
        with ThreadPoolExecutor(self._width, thread_name_prefix="trimtab-llm") as pool:
            return list(pool.map(self._outcome, states, passages))

    def _outcome(
        self, state: object, passages: Sequence[Passage]
    ) -> Prediction | LLMError | ConfigError:
        try:
            return self._predict_one(state, passages)
        except LLMUnavailable as error:
            self._count("unavailable")
            return error
        except (LLMError, ConfigError) as error:
            return error

    def _predict_one(self, state: object, passages: Sequence[Passage]) -> Prediction:
        prompt = build_prompt(self.domain, state, passages, letters=self._letters)
        meter = Meter(started=time.perf_counter())
        unreadable: ParseError | None = None
        for _ in range(_ASKS):
            content = ""
            try:
                reply = self._ask(prompt, meter)
                content = str(reply.message.text)
                answer = self._read(prompt, reply, content)
            except ParseError as error:
                self._count("parse_errors")
                unreadable = error
                prompt = ask_again(prompt, content)
            except LLMUnavailable as error:
                if meter.tokens == Usage():
                    raise
                self._count("unavailable")
                raise UnreadableReply(
                    f"{self.model_id} named no legal action ({unreadable}) and is gone: {error}",
                    usage=meter.bill(self._prices, self.model_id),
                ) from error
            else:
                signals = answer.signals
                if unreadable is not None:
                    signals = {**signals, "parse_errors": 1.0}
                return replace(
                    answer, usage=meter.bill(self._prices, self.model_id), signals=signals
                )
        raise UnreadableReply(
            f"{self.model_id} named no legal action in {_ASKS} replies; last: {unreadable}",
            usage=meter.bill(self._prices, self.model_id),
        )

    def _ask(self, prompt: Prompt, meter: Meter) -> Reply:
        """Return the reply to a prompt, and add what it used to the meter."""
        runnable = self._runnable(prompt)

        def attempt() -> Reply:
            self._count("calls")
            started = time.perf_counter()
            try:
                return ask_once(runnable, prompt.turns, model_id=self.model_id)
            finally:
                meter.busy_s += time.perf_counter() - started

        reply = self._guard.call(attempt, on_retry=lambda: self._count("retries"))
        meter.add(reply.message)
        return reply

    def _runnable(self, prompt: Prompt) -> Runnable[Any, Any]:
        keys = tuple(prompt.actions)
        # two threads may both build one: they are equal, and the last stays
        found = self._runnables.get(keys)
        if found is None:
            if prompt.schema is None:
                found = self._model.bind(
                    logprobs=True, top_logprobs=TOP_LOGPROBS, max_tokens=LETTER_TOKENS
                )
            else:
                found = self._model.with_structured_output(
                    dict(prompt.schema), method="json_schema", strict=True, include_raw=True
                )
            self._runnables[keys] = found
        return found

    def _read(self, prompt: Prompt, reply: Reply, content: str) -> Prediction:
        if prompt.schema is not None:
            if not reply.parsed:
                raise ParseError(f"the reply is not JSON of the schema: {content[:120]!r}")
            read: int | str = (
                read_json_action(content, prompt.actions)
                if prompt.whole is None
                else read_json_grid(content, prompt.whole)
            )
            return Prediction(agent=self.name, action=read, confidence=None, tier=self.model_id)
        letter = read_letter(content, prompt.actions)
        action = prompt.actions[letter]
        odds = letter_odds(
            reply.message.response_metadata.get("logprobs"), letter, tuple(prompt.actions)
        )
        if odds is None:
            return Prediction(agent=self.name, action=action, confidence=None, tier=self.model_id)
        probs = None
        if odds.probs is not None:
            by_action = {prompt.actions[key]: p for key, p in odds.probs.items()}
            probs = tuple(by_action.get(a, 0.0) for a in range(self.domain.num_actions))
        return Prediction(
            agent=self.name,
            action=action,
            confidence=odds.confidence,
            probs=probs,
            tier=self.model_id,
            signals={"letter_mass": odds.mass},
        )

    def _count(self, event: str) -> None:
        with self._lock:
            self._counts[event] += 1
