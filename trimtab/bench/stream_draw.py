"""One stream: halves of the questions, the requests drawn from them, and what is recorded of it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from trimtab.agents.slices import Slice
from trimtab.bench.stream_world import Floats, Rows, World

Bools = NDArray[np.bool_]


@dataclass(frozen=True, slots=True, kw_only=True)
class Draw:
    """A stream of n requests.

    Attributes:
        table: rows of the universe to fit and certify on; none of them is drawn as a request.
        requests: `[n]` rows of the universe.
        drift_at: requests before the drift; n if there is none.
        audit: `[n]` uniform numbers that decide audits.
        canary: `[n]` uniform numbers that decide canaries.
        seed: of the fits' folds, the same for every kind of drift.
    """

    table: Rows
    requests: Rows
    drift_at: int
    audit: Floats
    canary: Floats
    seed: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Ride:
    """What a method did on a stream of n requests.

    Attributes:
        loss: `[n]` right(strong) - right(shown answer).
        calls: `[n]` calls of the strong model, audits and canaries among them.
        usd: `[n]` price of all calls.
        alarms: when an alarm sounded, and which.
        served: when a candidate began to be served, its name, and its mean net loss on all
            questions that the stream draws from at that time.
        nothing: whether a window ended without a certificate.
        slices: the categories of each certificate's window.
    """

    loss: Floats
    calls: Floats
    usd: Floats
    alarms: tuple[tuple[int, str], ...] = ()
    served: tuple[tuple[int, str, float], ...] = ()
    nothing: bool = False
    slices: tuple[tuple[Slice, ...], ...] = ()


def draw(world: World, *, n: int, drift_at: int, seed: int, stream: int) -> Draw:
    """Return stream number ``stream``: halves, requests and coins, from its own seed.

    The questions before the drift are halved at random; one half is the table, the requests are
    drawn from the other with replacement. After a drift of the categories half of those questions
    is drawn from; after one of the answers the same half as before, as it is then.
    """
    rng = np.random.default_rng([seed, stream])
    order = rng.permutation(world.before)
    half = len(order) // 2
    table, early = order[:half], order[half:]
    if world.kind == "covariate":
        other = rng.permutation(world.after)
        late = other[len(other) // 2 :]
    else:
        late = early if world.kind in ("none", "random") else world.later[early]
    requests = np.concatenate(
        [rng.choice(early, size=drift_at), rng.choice(late, size=n - drift_at)]
    )
    return Draw(
        table=table,
        requests=requests,
        drift_at=drift_at,
        audit=rng.random(n),
        canary=rng.random(n),
        seed=int(rng.integers(2**31)),
    )
