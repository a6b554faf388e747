from __future__ import annotations

import time
from datetime import date

import pytest
from langchain_core.messages import AIMessage

from trimtab.agents.meter import Meter
from trimtab.agents.replies import RECORDED_LATENCY
from trimtab.errors import UsageMissing
from trimtab.pricing import ModelPrice, PriceTable

PRICES = PriceTable(
    [
        ModelPrice(
            model="tokens",
            unit="token",
            usd_per_1m_input=1.0,
            usd_per_1m_cached_input=None,
            usd_per_1m_output=2.0,
            as_of=date(2026, 1, 1),
            source="this test",
        ),
        ModelPrice(
            model="local",
            unit="cpu_s",
            usd_per_1m_input=None,
            usd_per_1m_cached_input=None,
            usd_per_1m_output=None,
            as_of=date(2026, 1, 1),
            source="this test",
        ),
    ],
    usd_per_cpu_s=0.01,
)


def _reply(*, seconds: float | None = None) -> AIMessage:
    message = AIMessage(
        "x", usage_metadata={"input_tokens": 30, "output_tokens": 10, "total_tokens": 40}
    )
    if seconds is not None:
        message.response_metadata[RECORDED_LATENCY] = seconds
    return message


def test_tokens_of_all_replies_are_billed() -> None:
    meter = Meter(started=time.perf_counter())
    meter.add(_reply())
    meter.add(_reply())
    bill = meter.bill(PRICES, "tokens")
    assert (bill.prompt_tokens, bill.completion_tokens, bill.cpu_s) == (60, 20, 0.0)
    assert bill.cost_usd == pytest.approx((60 + 2 * 20) / 1e6)


def test_a_local_model_is_billed_by_the_time_it_was_busy_then() -> None:
    meter = Meter(started=time.perf_counter(), busy_s=5.0)
    assert meter.bill(PRICES, "local").cost_usd == pytest.approx(0.05)
    meter.add(_reply(seconds=2.0))
    replayed = meter.bill(PRICES, "local")
    assert (replayed.latency_s, replayed.cpu_s) == (2.0, 2.0)


def test_a_reply_without_counts_has_no_price() -> None:
    with pytest.raises(UsageMissing):
        Meter(started=0.0).add(AIMessage("x"))
