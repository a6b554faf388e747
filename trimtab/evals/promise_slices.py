"""The promise by slices of the traffic: by category, or by what the small models answer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from trimtab.agents.issued import Issued
from trimtab.agents.slices import Slice, judge_slices
from trimtab.evals.pairs import Pair
from trimtab.evals.terms import measured_gains, shown_cheap

UNNAMED = "none"
"""Slice of the requests without a category, where others have one."""


def by_category(pairs: Sequence[Pair]) -> bool:
    """Return whether callers say what requests are about."""
    return any(pair.decision.category for pair in pairs)


def promise_slices(pairs: Sequence[Pair], issued: Issued) -> tuple[Slice, ...]:
    """Return what each slice loses under a certificate's rule, withdrawn or not.

    A slice is a category where callers give any, the small models' answer where nobody does. Only
    requests that were drawn uniformly after the window count: those within chose the rule. A
    missing label counts against whatever would be said, so that what is said holds whatever the
    label is.

    Args:
        pairs: uniform pairs of one domain and bundle.
        issued: its certificate.
    """
    later = [pair for pair in pairs if pair.decision.created_at > issued.last]
    certificate = issued.certificate
    if not certificate.certified or not later or certificate.loss >= 0.5 or issued.is_controller:
        return ()
    shown = shown_cheap(later, replace(issued, withdrawals=()))
    losses = np.where(shown, measured_gains(later, issued), 0.0)
    names = [pair.said for pair in later]
    if by_category(pairs):
        names = [pair.decision.category or UNNAMED for pair in later]
    delta = 1.0 - issued.asked
    least, most = (
        judge_slices(
            np.where(np.isnan(losses), unknown, losses), names, loss=certificate.loss, delta=delta
        )
        for unknown in (-1.0, 1.0)
    )
    return tuple(_both(low, high) for low, high in zip(least, most, strict=True))


def _both(least: Slice, most: Slice) -> Slice:
    """Return the verdict that holds whatever the missing labels are."""
    if least.verdict == "loses" or most.verdict in ("kept", "too few"):
        return least if least.verdict == "loses" else most
    return replace(most, verdict="open")
