"""The bars of ``trimtab bench stream``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from trimtab.bench.result import Bar, Measure
from trimtab.bench.stream_world import Kind


def key_of(kind: Kind, kinds: Sequence[Kind], name: str) -> str:
    """Return the key of a figure: those of the first kind of drift have no prefix."""
    return name if kind == kinds[0] else f"{kind}_{name}"


def bars(
    kinds: Sequence[Kind], measures: Mapping[str, Measure], *, promise: float, streams: int
) -> list[Bar]:
    """Return the bars; counts of streams are 15 of 200, in proportion for other numbers."""
    allowed = 15.0 * streams / 200.0
    found = [
        Bar(key="false_alarms_calm", at_most=0.05),
        Bar(key="broken_calm", at_most=allowed),
        Bar(key="lifetime_broken", at_most=allowed),
        Bar(key="random_llm_share", at_least=1.0),
        Bar(key="random_no_saving", at_least=1.0),
    ]
    for kind in kinds:
        found += [
            Bar(key=key_of(kind, kinds, "broken_before"), at_most=allowed),
            Bar(key=key_of(kind, kinds, "kept_after"), at_least=0.9),
            Bar(key=key_of(kind, kinds, "loss_after"), at_most=promise),
            Bar(key=key_of(kind, kinds, "delay"), at_most=500.0),
        ]
        if kind == "covariate":
            found.append(Bar(key=key_of(kind, kinds, "below_e_process"), at_least=0.1))
        if kind == "llm":
            found.append(Bar(key=key_of(kind, kinds, "llm_share_late"), at_most=0.05))
    return [bar for bar in found if bar.key in measures]
