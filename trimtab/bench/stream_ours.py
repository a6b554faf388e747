"""The promise under drift on one stream: :class:`PromiseWindows` driven by recorded answers.

Between two alarms everything but audits and canaries is computed at once. Alarms and phases are
those of served traffic; the pool is the stream's own. n is the number of requests.
"""

from __future__ import annotations

from collections.abc import Iterator, MutableMapping
from dataclasses import dataclass, field

import numpy as np

from trimtab.agents.cascades import Candidate
from trimtab.agents.certify_pool import net_losses
from trimtab.agents.promise_windows import PromiseWindows
from trimtab.agents.slices import Slice, judge_slices
from trimtab.agents.window_plan import WindowPlan
from trimtab.bench.stream_draw import Bools, Draw, Ride
from trimtab.bench.stream_fit import Bets, Fitted, bet_window, fit_window
from trimtab.bench.stream_world import Floats, Rows, World
from trimtab.errors import InputError
from trimtab.release.drift import Alarms, DriftPlan, Predicted

CANARIES = 100
"""Questions of a window that the strong model got right, asked again to see whether it still is."""

Cache = MutableMapping[tuple[int, int, int, str, int], Fitted]
"""Fits by the stream's seed, the rows fitted on, the window's number, the kind of drift, and the
request that the window begins with."""


def ride(
    world: World,
    stream: Draw,
    *,
    plan: WindowPlan,
    drift: DriftPlan,
    cache: Cache | None = None,
    controllers: int = 0,
) -> Ride:
    """Return what the promise did on a stream.

    Args:
        world: the questions.
        stream: the requests.
        plan: of the windows.
        drift: of the alarms; without any the first certificate is served for ever.
        cache: fits, so that what differs in the alarms alone need not fit again.
        controllers: see :func:`trimtab.bench.stream_fit.fit_window`.
    """
    return _Rider(world, stream, PromiseWindows(plan, drift), cache, controllers).run()


@dataclass(slots=True)
class _Rider:
    """The requests of one stream, served one phase after another; `at` is the next request.

    ``alone`` marks those that the strong model answers while no window is open; ``drawn`` keeps
    those with an audit or a canary, by the two rates.
    """

    world: World
    stream: Draw
    windows: PromiseWindows
    cache: Cache | None
    controllers: int
    at: int = 0
    warm: Candidate | None = None
    canaries: Rows = field(default_factory=lambda: np.zeros(0, np.intp))
    alarms: list[tuple[int, str]] = field(default_factory=list)
    served: list[tuple[int, str, float]] = field(default_factory=list)
    slices: list[tuple[Slice, ...]] = field(default_factory=list)
    nothing: bool = False
    drawn: dict[tuple[float, float], Rows] = field(default_factory=dict)
    alone: Bools = field(init=False)

    def __post_init__(self) -> None:
        self.alone = np.zeros(len(self.stream.requests), np.bool_)

    def run(self) -> Ride:
        """Return the ride."""
        n = len(self.stream.requests)
        steps = self.world.steps
        strong_usd = steps.cost_usd[steps.index(self.world.strong)][self.stream.requests]
        loss, calls = np.zeros(n), np.ones(n)
        usd = steps.cost_usd[:, self.stream.requests].sum(axis=0)
        chosen: Candidate | None = None
        while self.at < n:
            if chosen is None:
                chosen = self._collect()
                continue
            outcomes = chosen.run(steps)
            begun = self.at
            losses = net_losses(outcomes, steps.correct[steps.index(self.world.strong)])
            extra = np.zeros(n)
            self._serve(1.0 - outcomes.confidence, losses, outcomes.asked_strong, extra)
            rows = self.stream.requests[begun : self.at]
            span = slice(begun, self.at)
            loss[span] = losses[rows]
            calls[span] = outcomes.asked_strong[rows] + extra[span]
            usd[span] = outcomes.cost_usd[rows] + extra[span] * strong_usd[span]
            chosen = None
        return Ride(
            loss=loss,
            calls=calls,
            usd=np.where(self.alone, strong_usd, usd),
            alarms=tuple(self.alarms),
            served=tuple(self.served),
            nothing=self.nothing,
            slices=tuple(self.slices),
        )

    def _collect(self) -> Candidate | None:
        """Collect a window until something is certified that is served now, or it ends."""
        windows, n = self.windows, len(self.stream.requests)
        if windows.phase == "no saving":
            step = min(windows.plan.retry, n - self.at)
            windows.collected(step)
            self.alone[self.at : self.at + step] = True
            self.at += step
            return None
        number, planned = windows.number, windows.planned
        known = self.stream.table[:planned] if number == 1 else self.stream.table[:0]
        fresh = self.stream.requests[self.at : self.at + planned - len(known)]
        rows: Rows = np.concatenate([known, fresh])
        fits = {
            first: self._fit(rows[:first], number)
            for first in windows.plan.fits
            if first < len(rows)
        }
        if not fits:
            self.at = n
            return None
        bets = bet_window(
            self.world.steps,
            rows,
            fits,
            strong=self.world.strong,
            planned=planned,
            loss=windows.plan.loss,
            delta=windows.delta,
            warm=self.warm,
        )
        return self._look(bets, rows, len(known))

    def _look(self, bets: Bets, rows: Rows, known: int) -> Candidate | None:
        """Look at the bets as the window fills, from the rows known at once on."""
        windows = self.windows
        row = 0
        step = max(known, windows.plan.fits[0] + 1)
        while row < len(rows):
            step = min(step, len(rows) - row)
            due = windows.collected(step)
            row, step = row + step, windows.plan.every
            name = bets.pick(row, planned=windows.planned)
            if name is not None:
                self.at += row - known
                return self._certify(name, bets, rows[:row])
            if due == "end" or (row >= windows.plan.fits[-1] and bets.hopeless(windows.planned)):
                windows.give_up()
                self.nothing = True
                self.at += row - known
                return None
        self.at += len(rows) - known
        return None

    def _fit(self, first: Rows, number: int) -> Fitted:
        # a table is the same for every kind of drift, a window is its stream's
        known = number == 1 and len(first) <= len(self.stream.table)
        place = ("table", 0) if known else (self.world.kind, self.at)
        key = (self.stream.seed, len(first), number, *place)
        if self.cache is not None and key in self.cache:
            return self.cache[key]
        fitted = fit_window(
            self.world.steps.take(first),
            strong=self.world.strong,
            loss=self.windows.plan.loss,
            delta=self.windows.delta,
            planned=self.windows.planned,
            seed=self.stream.seed + number,
            controllers=self.controllers,
        )
        if self.cache is not None:
            self.cache[key] = fitted
        return fitted

    def _certify(self, name: str, bets: Bets, rows: Rows) -> Candidate:
        """Serve a candidate from the next request on."""
        steps, world = self.world.steps, self.world
        chosen = bets.pool[name]
        unseen = rows[bets.since[name] :]
        outcomes = chosen.run(steps.take(unseen))
        right = steps.correct[steps.index(world.strong)]
        losses = net_losses(outcomes, right[unseen])
        self.windows.certify(
            name,
            llm_share=float(outcomes.asked_strong.mean()),
            predicted=Predicted(
                mean=float(outcomes.confidence.mean()),
                spread=float(outcomes.confidence.std()),
                n=len(unseen),
                gains=float((losses < 0.0).mean()),
            ),
        )
        self.slices.append(
            judge_slices(
                losses,
                [world.categories[row] for row in unseen.tolist()],
                loss=self.windows.plan.loss,
                delta=self.windows.delta,
            )
        )
        self.canaries = rows[right[rows]][:CANARIES]
        self.warm = chosen
        late = self.at >= self.stream.drift_at
        drawn = np.unique(
            self.stream.requests[self.stream.drift_at :]
            if late
            else self.stream.requests[: self.stream.drift_at]
        )
        everywhere = chosen.run(steps.take(drawn))
        truth = float(net_losses(everywhere, right[drawn]).mean())
        self.served.append((self.at, name, truth))
        return chosen

    def _serve(self, doubt: Floats, losses: Floats, asked: Bools, extra: Floats) -> None:
        """Serve until an alarm sounds or the stream ends; count audits and canaries in `extra`.

        Args:
            doubt: `[universe]` 1 - the predicted probability that the shown answer is right.
            losses: `[universe]` net losses.
            asked: `[universe]` whether the strong model is asked anyway.
            extra: `[n]` calls beside; gains this phase's.
        """
        stream, alarms = self.stream, self.windows.alarms
        if alarms is None:
            raise InputError("no certificate is in force; certify before serving")
        heard = None
        if "A1" in alarms.rules:
            heard = alarms.rules["A1"].first_alarm(doubt[stream.requests[self.at :]])
        end = len(stream.requests) if heard is None else self.at + heard + 1
        for i in self._drawn(alarms, end):
            row = int(stream.requests[i])
            alarm = None
            if stream.audit[i] < alarms.audit_rate:
                extra[i] += not asked[row]
                alarm = self.windows.audited(float(losses[row]))
            # a window that showed the strong model right nowhere leaves nothing to ask again
            if alarm is None and len(self.canaries) and stream.canary[i] < alarms.canary_rate:
                extra[i] += 1.0
                alarm = self.windows.canary(right=self._canary(i))
            if alarm is not None:
                self._stop(i, alarm)
                return
        self.at = end
        if heard is not None:
            self.windows.recollect("A1")
            self._stop(end - 1, "A1")

    def _drawn(self, alarms: Alarms, end: int) -> Iterator[int]:
        """Yield the requests before ``end`` with an audit or a canary, by the rates of then."""
        at = self.at
        while at < end:
            rates = alarms.audit_rate, alarms.canary_rate
            if rates not in self.drawn:
                audited, asked = self.stream.audit < rates[0], self.stream.canary < rates[1]
                self.drawn[rates] = np.flatnonzero(audited | asked)
            places = self.drawn[rates]
            place = int(np.searchsorted(places, at))
            if place == len(places) or places[place] >= end:
                return
            at = int(places[place]) + 1
            yield at - 1

    def _canary(self, i: int) -> bool:
        """Return whether the strong model answers the canary of request i rightly then."""
        steps = self.world.steps
        row = int(self.canaries[i % len(self.canaries)])
        if i >= self.stream.drift_at:
            row = int(self.world.later[row])
        return bool(steps.correct[steps.index(self.world.strong), row])

    def _stop(self, i: int, alarm: str) -> None:
        self.alarms.append((i, alarm))
        self.at = i + 1
