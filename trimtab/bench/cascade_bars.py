"""What ``trimtab bench cascade`` must reach, on the data and with the arguments it is meant for."""

from __future__ import annotations

from collections.abc import Sequence

from trimtab.bench.result import Bar
from trimtab.bench.routing_bars import ZEROEVAL_CRUX, ZEROEVAL_GSM8K

MODELS = frozenset(
    {
        "Meta-Llama-3.1-8B-Instruct",
        "gemma-2-9b-it",
        "gpt-4o-mini-2024-07-18",
        "Meta-Llama-3.1-70B-Instruct",
        "gpt-4o-2024-08-06",
        "claude-3-5-sonnet-20241022",
    }
)
# area, points above cascade routing, cost at 98 % of the best single model
_REACHED = {ZEROEVAL_GSM8K: (0.962, 0.0, 0.065), ZEROEVAL_CRUX: (0.815, 0.8, 0.62)}


def bars(
    data: str,
    *,
    models: Sequence[str],
    train_size: int,
    promise: float,
    confidence: float,
    streams: int,
) -> list[Bar]:
    """Return the bars that hold for this data and these arguments."""
    if data not in _REACHED or set(models) != MODELS or train_size != 500:
        return []
    least, above, cost = _REACHED[data]
    found = [
        Bar(key="area", at_least=least),
        Bar(key="vs_agreement", at_least=-0.3),
        Bar(key="vs_cascade_routing", at_least=above),
        Bar(key="cost_at_98", at_most=cost),
        Bar(key="act_ms", at_most=0.5),
        Bar(key="train_s", at_most=30.0),
    ]
    if streams and (promise, confidence) == (0.02, 0.95):
        found.append(Bar(key="promise_broken", at_most=0.075 * streams))
        found.append(Bar(key="saving_streams", at_least=0.8))
    return found
