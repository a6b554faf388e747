"""The bars of ``trimtab bench stream``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from trimtab.bench.result import Bar, Measure
from trimtab.bench.stream_world import Kind


def bars(
    kinds: Sequence[Kind], measures: Mapping[str, Measure], *, promise: float, streams: int
) -> list[Bar]:
    """Return the bars; counts of streams are 15 of 200, in proportion for other numbers."""
    allowed = 15.0 * streams / 200.0
    found = [
        Bar(key="broken_before", at_most=allowed),
        Bar(key="false_alarms_calm", at_most=0.05),
        Bar(key="broken_calm", at_most=allowed),
        Bar(key="lifetime_broken", at_most=allowed),
        Bar(key="random_llm_share", at_least=1.0),
        Bar(key="random_no_saving", at_least=1.0),
    ]
    if "covariate" in kinds:
        found += [
            Bar(key="kept_after", at_least=0.9),
            Bar(key="loss_after", at_most=promise),
            Bar(key="delay", at_most=500.0),
            Bar(key="below_e_process", at_least=0.1),
            Bar(key="llm_llm_share_late", at_most=0.05),
        ]
    return [bar for bar in found if bar.key in measures]
