"""Agreement chains that compete in a pool, and which trails they can reach.

Chains climb in price. Up to ``LARGEST_FULL`` steps every subset is a chain; beyond, there are too
many, and those are kept that serve some price of a dollar best on the training questions. M is the
number of steps.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np

from trimtab.agents.cascades import AgreementChain, paid
from trimtab.domains.tables import Floats, RecordedSteps

LARGEST_FULL = 8
"""Up to so many steps every trail is fitted; beyond, only those that the kept chains reach."""
MOST_CHAINS = 30
LONGEST = 6
"""Steps of a kept chain where not every subset is one."""


def agreement_chains(steps: RecordedSteps, *, lambdas: Sequence[float]) -> list[AgreementChain]:
    """Return the agreement chains of recorded steps, cheapest step first in each.

    Args:
        steps: training questions; beyond ``LARGEST_FULL`` steps they choose the chains.
        lambdas: values of a dollar that the chains are chosen for.
    """
    climb = np.argsort(steps.cost_usd.mean(axis=1), kind="stable").tolist()
    if len(climb) <= LARGEST_FULL:
        orders = [
            order
            for size in range(2, len(climb) + 1)
            for order in itertools.combinations(climb, size)
        ]
    else:
        orders = _kept_orders(steps, climb, lambdas)
    return [
        chain(steps.names, order, needed, last_decides=last)
        for order in orders
        for needed in range(2, len(order) + 1)
        # where two suffice, nobody agrees once the last is asked: it decides in any case
        for last in ((False, True) if 2 < needed < len(order) else (False,))
    ]


def all_trails(steps: int) -> tuple[int, ...]:
    """Return every trail of so many steps, the empty one included, smaller ones first."""
    return tuple(sorted(range(1 << steps), key=lambda trail: (trail.bit_count(), trail)))


def reachable_trails(steps: RecordedSteps, chains: Sequence[AgreementChain]) -> tuple[int, ...]:
    """Return the trails to fit: all where they are few, else those that the chains reach.

    The empty one and all single steps are always among them; smaller ones come first.
    """
    count = len(steps.names)
    if count <= LARGEST_FULL:
        return all_trails(count)
    found = {0, *(1 << step for step in range(count))}
    for one in chains:
        prefixes = {int(trail) for trail in np.cumsum([1 << step for step in one.order])}
        found |= prefixes | {trail | 1 << one.order[-1] for trail in prefixes}
    return tuple(sorted(found, key=lambda trail: (trail.bit_count(), trail)))


def chain(
    names: Sequence[str], order: Sequence[int], needed: int, *, last_decides: bool = False
) -> AgreementChain:
    """Return an agreement chain with a name that spells it."""
    voters = order[:-1] if last_decides else order
    spelled = f"{needed} agree of {', '.join(names[step] for step in voters)}"
    return AgreementChain(
        order=tuple(order),
        needed=needed,
        name=f"{spelled}, else {names[order[-1]]}" if last_decides else spelled,
        last_decides=last_decides,
    )


def _kept_orders(
    steps: RecordedSteps, climb: Sequence[int], lambdas: Sequence[float]
) -> list[tuple[int, ...]]:
    """Return at most ``MOST_CHAINS`` orders, grown step by step from the best of each λ."""
    values = np.asarray(lambdas, dtype=np.float64)
    rows = np.arange(steps.n)
    kept: dict[tuple[int, ...], Floats] = {}
    grown: list[tuple[int, ...]] = [(step,) for step in climb]
    for _ in range(LONGEST):
        for order in grown:
            trail, shown = chain(steps.names, order, min(2, len(order))).run(steps)
            quality = steps.correct[shown, rows].mean()
            kept[order] = quality - values * paid(steps, trail).mean()
        best = _leaders(kept, MOST_CHAINS)
        grown = [
            (*order, step)
            for order in best
            for step in climb[climb.index(order[-1]) + 1 :]
            if (*order, step) not in kept
        ]
        kept = {order: kept[order] for order in best}
    return [order for order in kept if len(order) > 1]


def _leaders(scores: dict[tuple[int, ...], Floats], most: int) -> list[tuple[int, ...]]:
    """Return the orders that stand first for some λ, then second, …, at most so many."""
    orders = list(scores)
    ranking = np.argsort(-np.stack([scores[order] for order in orders]), axis=0, kind="stable")
    found: dict[tuple[int, ...], None] = {}
    for place in ranking.ravel().tolist():  # all leaders, then all seconds, …
        found.setdefault(orders[place])
        if len(found) == most:
            break
    return list(found)
