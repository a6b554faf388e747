"""Asks a chat model for JSON of a schema, guarded, and adds up what that cost."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from trimtab.agents.chat_call import Reply, ask_once
from trimtab.agents.meter import Meter
from trimtab.agents.prompts import Turn
from trimtab.agents.resilience import CallGuard, CircuitBreaker, RetryPolicy
from trimtab.errors import ParseError
from trimtab.pricing import PriceTable
from trimtab.records import Usage

if TYPE_CHECKING:
    from langchain_core.language_models import BaseChatModel


class JsonModel:
    """A chat model that is asked for JSON; thread-safe.

    Args:
        model: any LangChain chat model that takes the OpenAI parameters.
        model_id: its name in the price table.
        prices: prices its tokens.
        max_concurrency: requests in flight at most.
        retry: the only retry layer; the model itself must not retry.
        breaker: own one if None; share one among all that ask the same server.

    Raises:
        PriceUnknown: the price table does not hold ``model_id``.
    """

    def __init__(
        self,
        model: BaseChatModel,
        *,
        model_id: str,
        prices: PriceTable,
        max_concurrency: int = 4,
        retry: RetryPolicy | None = None,
        breaker: CircuitBreaker | None = None,
    ) -> None:
        self.model_id = model_id
        prices.price(model_id)
        self._model = model
        self._prices = prices
        self._guard = CallGuard(
            retry=retry or RetryPolicy(),
            breaker=breaker or CircuitBreaker(),
            max_concurrency=max_concurrency,
        )
        self._lock = threading.Lock()
        self._counts = {"calls": 0, "retries": 0}

    @property
    def counts(self) -> Mapping[str, int]:
        """Return a copy of the totals: attempts and repetitions."""
        with self._lock:
            return dict(self._counts)

    def ask(self, turns: Sequence[Turn], schema: Mapping[str, Any], meter: Meter) -> Any:  # noqa: ANN401 - JSON; callers check its form
        """Return the parsed JSON of one reply, and add what it used to the meter.

        Raises:
            ParseError: the reply is not JSON.
            LLMError: as :func:`trimtab.agents.chat_call.ask_once`.
            ConfigError: the key is refused, or the server does not know the model.
        """
        runnable = self._model.with_structured_output(
            dict(schema), method="json_schema", strict=True, include_raw=True
        )

        def attempt() -> Reply:
            self._count("calls")
            started = time.perf_counter()
            try:
                return ask_once(runnable, turns, model_id=self.model_id)
            finally:
                meter.busy_s += time.perf_counter() - started

        reply = self._guard.call(attempt, on_retry=lambda: self._count("retries"))
        meter.add(reply.message)
        content = str(reply.message.text)
        try:
            return json.loads(content)
        except ValueError as error:
            raise ParseError(f"the reply is not JSON of the schema: {content[:120]!r}") from error

    def bill(self, meter: Meter) -> Usage:
        """Return what a meter holds, priced."""
        return meter.bill(self._prices, self.model_id)

    def _count(self, event: str) -> None:
        with self._lock:
            self._counts[event] += 1
