"""A lifetime of ten re-calibrations: how often any of its certificates is wrong.

Every window is certified on its own population of questions, alternately those before and those
after the drift, so that the truth of each certificate is known. W is the number of windows.
"""

from __future__ import annotations

import numpy as np

from trimtab.agents.cascades import Cascade, Outcomes, Single, paid
from trimtab.agents.certify_pool import choose, net_losses, order_of, reached
from trimtab.agents.window_plan import WindowPlan, window_delta
from trimtab.bench.stream_world import Rows, World
from trimtab.training.agreement_chains import agreement_chains
from trimtab.training.cascade_pool import price_grid


def broken_lifetimes(
    world: World, *, plan: WindowPlan, windows: int, lifetimes: int, seed: int
) -> tuple[int, int]:
    """Return how many lifetimes hold a wrong certificate, and how many certificates there were.

    A certificate is wrong if its candidate's mean net loss on the whole population of its window is
    above the promise. Rows are drawn with replacement. Each window is fitted once, after the first
    number of rows of the plan.

    Args:
        world: with the two populations.
        plan: of the windows.
        windows: W of each lifetime.
        lifetimes: number of lifetimes.
        seed: of the draws.
    """
    played = play_all(world)
    right = world.steps.correct[world.steps.index(world.strong)]
    broken = certificates = 0
    for life in range(lifetimes):
        rng = np.random.default_rng([seed, 1, life])
        wrong = False
        for number in range(1, windows + 1):
            population = world.before if number % 2 else world.after
            rows = rng.choice(population, size=plan.recollect)
            name = certified(world, played, rows, plan, number)
            if name is not None:
                certificates += 1
                truth = net_losses(take(played[name], population), right[population]).mean()
                wrong |= bool(truth > plan.loss)
        broken += wrong
    return broken, certificates


def play_all(world: World) -> dict[str, Outcomes]:
    """Return what singles and agreement chains do on the universe; they have no predictions."""
    steps = world.steps
    lambdas = price_grid(steps.cost_usd.mean(axis=1))
    plain: list[Cascade] = [
        Single(step=m, name=f"always {name}")
        for m, name in enumerate(steps.names)
        if name != world.strong
    ]
    place = steps.index(world.strong)
    every = np.arange(steps.n)
    found: dict[str, Outcomes] = {}
    for one in [*plain, *agreement_chains(steps, lambdas=lambdas)]:
        trail, shown = one.run(steps)
        found[one.name] = Outcomes(
            trail=trail,
            shown=shown,
            correct=steps.correct[shown, every],
            cost_usd=paid(steps, trail),
            asked_strong=(trail >> place & 1).astype(np.bool_),
            confidence=np.zeros(steps.n),
        )
    return found


def certified(
    world: World, played: dict[str, Outcomes], rows: Rows, plan: WindowPlan, number: int
) -> str | None:
    """Return the candidate that window ``number`` certifies and serves, None if nothing."""
    steps = world.steps
    place, first = steps.index(world.strong), plan.fits[0]
    known, rest = rows[:first], rows[first:]
    delta = window_delta(1.0 - plan.confidence, number)
    order = order_of(
        {name: take(one, known) for name, one in played.items()},
        steps.correct[place][known],
        steps.cost_usd[place][known],
        loss=plan.loss,
        delta=delta,
        planned=len(rows),
    )
    right = steps.correct[place][rest]
    at = reached(
        [(rung.name, net_losses(take(played[rung.name], rest), right)) for rung in order],
        loss=plan.loss,
        delta=delta,
        planned=len(rest),
        first=first,
    )
    for row in [*range(first + plan.every, len(rows), plan.every), len(rows)]:
        name = choose(
            [n for n, when in at.items() if when <= row], order, row=row, planned=len(rows)
        )
        if name is not None:
            return name
    return None


def take(outcomes: Outcomes, rows: Rows) -> Outcomes:
    """Return the outcomes of these rows."""
    return Outcomes(
        trail=outcomes.trail[rows],
        shown=outcomes.shown[rows],
        correct=outcomes.correct[rows],
        cost_usd=outcomes.cost_usd[rows],
        asked_strong=outcomes.asked_strong[rows],
        confidence=outcomes.confidence[rows],
    )
