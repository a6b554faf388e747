"""The expert behind a domain: made on first use, and what one of its answers may cost."""

from __future__ import annotations

import threading
from collections.abc import Callable

from trimtab.pricing import PriceTable
from trimtab.protocols import AnyAgent, AnyDomain

ExpertFactory = Callable[[AnyDomain], AnyAgent]

CHARS_PER_TOKEN = 3
"""Fewer characters than a token holds on average, so that an estimate errs on the dear side."""
EXAMPLE_TOKENS = 40
REPLY_TOKENS = 32
REPLY_CPU_S = 2.0


class OncePerDomain:
    """Calls a factory once, on first use; safe to call from several threads."""

    def __init__(self, factory: ExpertFactory, domain: AnyDomain) -> None:
        self._factory = factory
        self._domain = domain
        self._lock = threading.Lock()
        self._agent: AnyAgent | None = None

    @property
    def opened(self) -> AnyAgent | None:
        """Return the agent if it is in use already, without opening it."""
        return self._agent

    def __call__(self) -> AnyAgent:
        """Return the agent."""
        with self._lock:
            if self._agent is None:
                self._agent = self._factory(self._domain)
            return self._agent


def price_estimate(
    domain: AnyDomain,
    *,
    model_id: str,
    prices: PriceTable,
    examples: int = 0,
    prompt_tokens: int = 0,
    reply_tokens: int = REPLY_TOKENS,
) -> Callable[[], float]:
    """Return a function that gives an upper estimate of one answer's price in US dollars.

    Args:
        domain: its instructions are most of the prompt.
        model_id: the LLM, as the price table names it.
        prices: the table; read when the function is called.
        examples: labelled examples, or lines of a board, beside the instructions.
        prompt_tokens: what the prompt holds beside these.
        reply_tokens: of the longest reply; more than usual take more processor time, too.
    """
    fixed = len(domain.instructions) // CHARS_PER_TOKEN + examples * EXAMPLE_TOKENS

    def estimate() -> float:
        return prices.cost(
            model_id,
            prompt_tokens=fixed + prompt_tokens,
            cached_tokens=0,
            completion_tokens=reply_tokens,
            cpu_s=REPLY_CPU_S * reply_tokens / REPLY_TOKENS,
        )

    return estimate
