"""What ``trimtab bench routing`` must reach, on the data and with the arguments it is meant for."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

from trimtab.bench.result import Bar
from trimtab.datasets.recorded import RecordedTable
from trimtab.stats import binomial_cdf

ROUTELLM_GSM8K = "RouteLLM GSM8K"
ZEROEVAL_GSM8K = "ZeroEval GSM8K"
ZEROEVAL_CRUX = "ZeroEval CRUX"
# sha256 of the sorted ids and texts: a table is known by what it holds, not by its file's name
_KNOWN = {
    "442f4ec5d422b449a44ddf4ad6f043b85442b07098b7cccfbc0938ec29baee61": ROUTELLM_GSM8K,
    "bbb5de58deb9875d876da3a747fc73f69265c46f106a602219e40117917a7a49": ZEROEVAL_GSM8K,
    "7e74c68f9d0f61a2872116433c1f04ee7dde66862cc898bcff77256077efb6e0": ZEROEVAL_CRUX,
}
_PAIR = ("Meta-Llama-3.1-8B-Instruct", "gpt-4o-2024-08-06")
_WITNESSES = {"gemma-2-9b-it", "gpt-4o-mini-2024-07-18"}
_SAVED = {
    (ZEROEVAL_GSM8K, 0.01): 0.55,
    (ZEROEVAL_GSM8K, 0.02): 0.70,
    (ZEROEVAL_GSM8K, 0.03): 0.85,
    (ZEROEVAL_CRUX, 0.03): 0.15,
}


def known_name(table: RecordedTable) -> str:
    """Return the name of a table whose questions are known, else its file's."""
    return _KNOWN.get(table.content_hash, table.name)


def bars(
    data: str,
    *,
    cheap: str,
    strong: str,
    agree: Sequence[str],
    promise: float,
    confidence: float,
    splits: int,
) -> list[Bar]:
    """Return the bars that hold for this data and these arguments."""
    if data == ROUTELLM_GSM8K and (cheap, strong) == ("mixtral", "gpt4") and not agree:
        return [
            Bar(key="apgr", at_least=0.61),
            Bar(key="apgr_over_length", at_least=0.0),
            Bar(key="promise_broken", at_most=allowed_breaks(splits, confidence=confidence)),
        ]
    pooled = (cheap, strong) == _PAIR and set(agree) == _WITNESSES
    if not pooled or data not in (ZEROEVAL_GSM8K, ZEROEVAL_CRUX):
        return []
    found = [
        Bar(key="promise_broken", at_most=allowed_breaks(splits, confidence=confidence)),
        Bar(key="labels_per_1000", at_most=120.0),
        Bar(key="certificate_gap", at_most=1e-12),
    ]
    if data == ZEROEVAL_GSM8K:
        found.append(Bar(key="apgr", at_least=0.92))
    saved = _SAVED.get((data, round(promise, 6)))
    if saved is not None and confidence >= 0.95:
        found.append(Bar(key="saved", at_least=saved))
    return found


def allowed_breaks(splits: int, *, confidence: float) -> int:
    """Return the fewest broken promises that chance exceeds with at most 5 % probability."""
    return next(
        k for k in itertools.count() if 1.0 - binomial_cdf(k, splits, 1.0 - confidence) <= 0.05
    )
