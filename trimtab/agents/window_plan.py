"""How the windows of a promise are planned, what they spend, and what is kept of them."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise

from trimtab.agents.promise import check_promise
from trimtab.errors import ConfigError


@dataclass(frozen=True, slots=True, kw_only=True)
class WindowPlan:
    """How windows are collected.

    Attributes:
        loss: the promised paired net loss.
        confidence: of the promise, over the whole lifetime.
        cold_start: rows of the first window at most; at least 1,000, or what a labelled table has.
        recollect: rows of a later window at most; it ends as soon as something is certified that is
            not worth waiting beyond.
        fits: rows of a window after which the candidates are fitted and put in orders; those of the
            first fit soon succeed or were badly chosen, the next one is surer. Each gets an equal
            part of the window's error and bets on the rows after its own. Without any the
            candidates are fixed beforehand, and all rows are bet on.
        every: rows between two looks at the bets.
        retry: requests after a window without a certificate until the next window begins.
    """

    loss: float
    confidence: float = 0.95
    cold_start: int = 2000
    recollect: int = 2000
    fits: tuple[int, ...] = (200, 600)
    every: int = 50
    retry: int = 5000

    @property
    def first_fit(self) -> int:
        """Return the rows before the first that is bet on; 0 where nothing is fitted."""
        return self.fits[0] if self.fits else 0

    def __post_init__(self) -> None:
        check_promise(loss=self.loss, confidence=self.confidence)
        rises = all(a < b for a, b in pairwise(self.fits))
        if not rises or any(rows < 1 for rows in self.fits):
            raise ConfigError(f"fits={list(self.fits)} do not rise from 1 or more; give rows")
        for name in ("every", "retry"):
            value = getattr(self, name)
            if value < 1:
                raise ConfigError(f"{name}={value} is not a number of rows; give 1 or more")
        for name in ("cold_start", "recollect"):
            value = getattr(self, name)
            if value <= max(self.fits, default=0):
                raise ConfigError(
                    f"{name}={value} leaves no rows to bet on after fits={list(self.fits)}; give "
                    f"more"
                )


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """One window that ended.

    Attributes:
        number: k, from 1.
        opened_by: the alarm that opened it; ``cold start`` or ``retry`` otherwise.
        rows: requests that it collected.
        candidate: what it certified; empty if nothing.
        llm_share: share of the window on which that candidate asks the LLM; 1 if nothing.
    """

    number: int
    opened_by: str
    rows: int
    candidate: str
    llm_share: float


def window_delta(delta: float, number: int) -> float:
    """Return the part of an error δ that window k, from 1, may spend: δ·6/(π²k²).

    All windows together spend δ, however many there will be.

    Raises:
        ConfigError: δ is not in (0, 1), or k is below 1.
    """
    if not 0.0 < delta < 1.0 or number < 1:
        raise ConfigError(f"delta={delta} must be in (0, 1) and number={number} at least 1")
    return delta * 6.0 / (math.pi**2 * number**2)
