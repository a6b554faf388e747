"""Fits a pool on the first rows of a window and bets on the rest: one window of a stream."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from trimtab.agents.cascades import Candidate
from trimtab.agents.certify_pool import (
    WARM_PART,
    Rung,
    choose,
    net_losses,
    order_of,
    reached,
    rung_of,
)
from trimtab.bench.stream_world import Rows
from trimtab.domains.tables import RecordedSteps
from trimtab.training.cascade_pool import fit_candidates


@dataclass(frozen=True, slots=True, kw_only=True)
class Fitted:
    """A pool fitted on the first rows of a window.

    Attributes:
        pool: those to bet on, by name.
        order: the same, dear to cheap.
    """

    pool: dict[str, Candidate]
    order: tuple[Rung, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Bets:
    """How the bets of one window came out.

    Attributes:
        rungs: the candidates of both orders.
        at: by candidate, the row of the window after which it is certified.
        since: by candidate, the row of the window from which on it is bet on.
        pool: those candidates.
    """

    rungs: tuple[Rung, ...]
    at: dict[str, int]
    since: dict[str, int]
    pool: dict[str, Candidate]

    def pick(self, row: int, *, planned: int) -> str | None:
        """Return the candidate to serve after so many rows, None to go on collecting.

        What is fitted later in the window is not known yet.
        """
        certified = [name for name, at in self.at.items() if at <= row]
        known = [rung for rung in self.rungs if self.since[rung.name] <= row]
        return choose(certified, known, row=row, planned=planned)

    def hopeless(self, planned: int) -> bool:
        """Return whether no bet is expected to succeed even in twice the rows of the window.

        To be asked once everything is fitted.
        """
        return all(rung.rows > 2.0 * planned for rung in self.rungs)


def fit_window(
    first: RecordedSteps,
    *,
    strong: str,
    loss: float,
    delta: float,
    planned: int,
    seed: int,
    controllers: int = 0,
) -> Fitted:
    """Return the pool and its order, from the first rows of a window.

    The pool holds single steps, agreement chains and so many controllers by value of computation,
    one for each price λ; what those do on these rows is measured out of fold.
    """
    place = first.index(strong)
    tried, _ = fit_candidates(
        first, strong=strong, rng=np.random.default_rng(seed), prices=controllers
    )
    pool = {one.candidate.name: one for one in tried[1:]}  # without the strong step alone
    order = order_of(
        {name: one.outcomes for name, one in pool.items()},
        first.correct[place],
        first.cost_usd[place],
        loss=loss,
        delta=delta,
        planned=planned,
    )
    return Fitted(pool={rung.name: pool[rung.name].candidate for rung in order}, order=order)


def bet_window(
    steps: RecordedSteps,
    rows: Rows,
    fits: Mapping[int, Fitted],
    *,
    strong: str,
    planned: int,
    loss: float,
    delta: float,
    warm: Candidate | None = None,
) -> Bets:
    """Return how bets on a window come out, if it is collected to the end.

    Args:
        steps: the universe.
        rows: at most ``planned`` rows of the window, in the order in which they came.
        fits: what was fitted, by the number of first rows that it was fitted on; not empty.
        strong: the strong model.
        planned: rows of the whole window.
        loss: the promise.
        delta: allowed error of the window.
        warm: the candidate that was certified last, if there is one.
    """
    window = _Window(steps.take(rows), steps.index(strong), planned, loss)
    part = 0.0 if warm is None else WARM_PART
    rungs: list[Rung] = []
    pool: dict[str, Candidate] = {}
    at: dict[str, int] = {}
    since: dict[str, int] = {}
    parts = delta * (1.0 - part) / len(fits)
    for first, fitted in fits.items():
        found = [replace(rung, name=f"{rung.name} @{first}") for rung in fitted.order]
        kept = {
            new.name: fitted.pool[rung.name] for new, rung in zip(found, fitted.order, strict=True)
        }
        at |= window.reached(kept, first=first, delta=parts)
        since |= dict.fromkeys(kept, first)
        pool |= kept
        rungs += found
    # judged as it was: its predictions need only be compared with themselves
    old: dict[str, Candidate] = {}
    if warm is not None:
        old[f"{warm.name} (kept)"] = warm
        at |= window.reached(old, first=0, delta=delta * part)
        rungs += window.expected(old, first=min(fits), delta=delta * part)
    since |= dict.fromkeys(old, 0)
    return Bets(rungs=tuple(rungs), at=at, since=since, pool=pool | old)


@dataclass(frozen=True, slots=True)
class _Window:
    """The rows of a window, with what bets on them need."""

    steps: RecordedSteps
    strong: int
    planned: int
    loss: float

    def reached(
        self, order: Mapping[str, Candidate], *, first: int, delta: float
    ) -> dict[str, int]:
        rest = self.steps.take(np.arange(first, self.steps.n))
        right = rest.correct[self.strong]
        return reached(
            [(name, net_losses(one.run(rest), right)) for name, one in order.items()],
            loss=self.loss,
            delta=delta,
            planned=self.planned - first,
            first=first,
        )

    def expected(self, order: Mapping[str, Candidate], *, first: int, delta: float) -> list[Rung]:
        known = self.steps.take(np.arange(first))
        right = known.correct[self.strong]
        found = []
        for name, one in order.items():
            did = one.run(known)
            share = float(did.asked_strong.mean())
            losses = net_losses(did, right)
            found.append(rung_of(name, losses, llm_share=share, loss=self.loss, delta=delta))
        return found
