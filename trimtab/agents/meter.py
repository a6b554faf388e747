"""What the replies to one request used, and what that costs."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from trimtab.agents.replies import RECORDED_LATENCY, read_usage
from trimtab.pricing import PriceTable
from trimtab.records import Usage

if TYPE_CHECKING:
    from langchain_core.messages import AIMessage


@dataclass(slots=True, kw_only=True)
class Meter:
    """What one answer has used so far.

    Attributes:
        started: on ``time.perf_counter``.
        tokens: of all replies.
        busy_s: seconds in which a request was under way.
        recorded_s: seconds that the live calls took; only where replies are replayed.
    """

    started: float
    tokens: Usage = Usage()
    busy_s: float = 0.0
    recorded_s: float | None = None

    def add(self, message: AIMessage) -> None:
        """Add the tokens of a reply; raises ``UsageMissing`` where it carries none."""
        self.tokens += read_usage(message)
        recorded_s = message.response_metadata.get(RECORDED_LATENCY)
        if recorded_s is not None:
            self.recorded_s = (self.recorded_s or 0.0) + float(recorded_s)

    def bill(self, prices: PriceTable, model_id: str) -> Usage:
        """Return all of it, priced; a model billed by the CPU-second was busy on one thread."""
        busy_s = self.busy_s if self.recorded_s is None else self.recorded_s
        elapsed_s = time.perf_counter() - self.started
        usage = replace(
            self.tokens,
            latency_s=elapsed_s if self.recorded_s is None else self.recorded_s,
            cpu_s=busy_s if prices.price(model_id).unit == "cpu_s" else 0.0,
        )
        cost_usd = prices.cost(
            model_id,
            prompt_tokens=usage.prompt_tokens,
            cached_tokens=usage.cached_tokens,
            completion_tokens=usage.completion_tokens,
            cpu_s=usage.cpu_s,
        )
        return replace(usage, cost_usd=cost_usd)
