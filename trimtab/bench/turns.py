"""Contestants that take turns on one core, so that what else the machine does falls on all."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np

from trimtab.bench.result import Measure
from trimtab.stats import quantile

Turn = Callable[[], int]
"""Does some work and returns how many units of it were done."""


@dataclass(frozen=True, slots=True)
class Rates:
    """What was measured of some contestants.

    Attributes:
        per_s: units per second of each round, by contestant.
        first_s: seconds of the first turn, compilation included, by contestant.
    """

    per_s: Mapping[str, Sequence[float]]
    first_s: Mapping[str, float]

    def rate(self, name: str, unit: str) -> Measure:
        """Return the median rate of a contestant; None where it did not take part."""
        return _median(self.per_s.get(name, ()), unit)

    def ratio(self, name: str, other: str) -> Measure:
        """Return the median over the rounds of one rate over the other's."""
        if name not in self.per_s or other not in self.per_s:
            return Measure(value=None, unit="times")
        return _median(np.array(self.per_s[name]) / np.array(self.per_s[other]), "times")


def take_turns(
    turns: Mapping[str, Turn], *, rounds: int, clock: Callable[[], float] = time.process_time
) -> Rates:
    """Return the rates of contestants that take one turn each in every round.

    The first turn of each is made before and apart: it compiles and fills caches.

    Args:
        turns: by name.
        rounds: turns of each.
        clock: seconds; by default the processor time of all threads of this process.
    """
    first_s = {}
    for name, turn in turns.items():
        started = clock()
        turn()
        first_s[name] = clock() - started
    per_s: dict[str, list[float]] = {name: [] for name in turns}
    for _ in range(rounds):
        for name, turn in turns.items():
            started = clock()
            done = turn()
            per_s[name].append(done / (clock() - started))
    return Rates(per_s, first_s)


@contextmanager
def one_core() -> Iterator[None]:
    """Keep this thread, and those that it starts, on one core; does nothing where the OS cannot.

    Libraries that size their thread pools by the cores that they may use then make one thread.
    """
    if not hasattr(os, "sched_setaffinity"):
        yield
        return
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {max(before)})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def _median(values: Sequence[float], unit: str) -> Measure:
    if not len(values):
        return Measure(value=None, unit=unit)
    middle = quantile(values, 0.5)
    return Measure(value=middle.value, low=middle.low, high=middle.high, unit=unit)
