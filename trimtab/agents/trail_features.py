"""What a trail of answers tells: φ(S), the features that every judgement of a trail reads.

For the steps S that ran: whether each gave no answer, which pairs agree, how many steps support
each answer, the largest support and the number of answers that stand alone; where there are
questions enough, what the answers tell of themselves. n is the number of questions, s of steps in
S, J of signals.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from trimtab.domains.tables import Bools, Codes, Floats

SIGNALS_FROM = 1500
"""Training questions from which on the answers' own signals are read; they hurt below that."""


def members(trail: int) -> tuple[int, ...]:
    """Return the steps of a trail in ascending order."""
    return tuple(step for step in range(trail.bit_length()) if trail >> step & 1)


def agreements(codes: Codes) -> Bools:
    """Return `[M, M, n]` whether two steps gave the same answer; no answer agrees with nothing."""
    given = codes >= 0
    same: Bools = (codes[:, None] == codes[None]) & given[:, None] & given[None]
    return same


def trail_features(trail: int, codes: Codes, same: Bools, signals: Floats) -> Floats:
    """Return `[n, F]` features of one trail; the first column is 1.

    Args:
        trail: bit set S.
        codes: `[M, n]`; only rows in S are read.
        same: `[M, M, n]` from :func:`agreements`.
        signals: `[J, M, n]`, J = 0 where they are not read.
    """
    ran = list(members(trail))
    n = codes.shape[1]
    if not ran:
        return np.ones((n, 1))
    support = supports(ran, same)
    first, second = np.triu_indices(len(ran), k=1)
    places = np.array(ran)
    columns = [
        np.ones((1, n)),
        codes[ran] < 0,
        same[places[first], places[second]],
        support,
        support.max(axis=0, keepdims=True),
        (support == 1).sum(axis=0, keepdims=True),
        signals[:, ran].reshape(-1, n),
    ]
    return np.concatenate(columns).T.astype(np.float64)


def supports(ran: Sequence[int], same: Bools) -> Codes:
    """Return `[s, n]` how many steps of the trail gave each one's answer, 0 for no answer."""
    places = np.array(ran)
    counts: Codes = same[places[:, None], places[None]].sum(axis=1)
    return counts
