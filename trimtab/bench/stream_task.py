"""What all scenarios of one ``bench stream`` share: questions, sizes, seed and plan."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from trimtab.agents.window_plan import WindowPlan
from trimtab.bench.stream_draw import Draw, Ride, draw
from trimtab.bench.stream_ours import Cache, ride
from trimtab.bench.stream_world import Kind, Questions, World, open_world
from trimtab.release.drift import Alarm, DriftPlan


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """What all scenarios of one run share; the arguments of ``bench stream``."""

    questions: Questions
    strong: str
    before: tuple[str, ...]
    after: tuple[str, ...]
    n: int
    drift_at: int
    streams: int
    seed: int
    plan: WindowPlan
    audit_rate: float
    controllers: int

    def world(self, kind: Kind) -> World:
        """Return the world of a kind of drift; its changed answers follow from the seed."""
        rng = np.random.default_rng([self.seed, 2])
        return open_world(
            self.questions, kind, strong=self.strong, before=self.before, after=self.after, rng=rng
        )

    def draws(self, world: World, *, drift_at: int, streams: int) -> list[Draw]:
        """Return the streams of a world."""
        return [
            draw(world, n=self.n, drift_at=drift_at, seed=self.seed, stream=stream)
            for stream in range(streams)
        ]

    def rides(
        self, world: World, draws: Sequence[Draw], cache: Cache | None, watches: Sequence[Alarm]
    ) -> list[Ride]:
        """Return what the promise does on streams of a world, with these alarms on."""
        drift = DriftPlan(loss=self.plan.loss, audit_rate=self.audit_rate, watches=tuple(watches))
        return [
            ride(
                world,
                one,
                plan=self.plan,
                drift=drift,
                cache=cache,
                controllers=self.controllers,
            )
            for one in draws
        ]
