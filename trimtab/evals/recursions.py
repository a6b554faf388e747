"""How a recursive net came to an answer: the grid after each recursion, out of a trace."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from trimtab.records import Decision, Outcome, Prediction

SAMPLED = 3
"""Decisions of a domain whose recursions a report shows."""
Look = Literal["", "given", "changed"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Recursion:
    """The recursions behind one answer.

    Attributes:
        decision_id: whose trail it is of.
        agent: that answered.
        question: the puzzle, row by row.
        grids: the answer after each recursion.
        q: the halting logit after each.
        kept: the recursion whose grid is the answer, 1 for the first.
        confidence: in that answer.
        right: whether that answer is right, None where that is not known.
    """

    decision_id: str
    agent: str
    question: str
    grids: tuple[str, ...]
    q: tuple[float, ...]
    kept: int
    confidence: float
    right: float | None


@dataclass(frozen=True, slots=True)
class Cell:
    """A cell of a drawn grid: a given, one that the recursion changed, or neither."""

    text: str
    look: Look


def recursions_of(decision: Decision, outcome: Outcome | None = None) -> list[Recursion]:
    """Return the recursions of a decision's predictions, one entry per net that ran."""
    return [
        _read(decision, prediction, outcome)
        for prediction in decision.predictions
        if "grids" in prediction.trace
    ]


def sampled_recursions(
    rows: Sequence[tuple[Decision, Outcome | None]], *, rng: np.random.Generator
) -> tuple[Recursion, ...]:
    """Return the first net's recursions of the decision with most of them, and of a few drawn."""
    traced = [
        (decision, outcome)
        for decision, outcome in rows
        if decision.predictions and "grids" in decision.predictions[0].trace
    ]
    if not traced:
        return ()
    found = [recursions_of(*row)[0] for row in traced]
    longest = max(range(len(found)), key=lambda place: len(found[place].grids))
    others = [place for place in rng.permutation(len(found)).tolist() if place != longest]
    return tuple(found[place] for place in [longest, *others][:SAMPLED])


def recursion_cells(shown: Recursion) -> list[tuple[int, list[list[Cell]]]]:
    """Return the rows of cells of each grid to draw, behind its recursion's number.

    These are the first grid, those in which a cell changed, and the kept one, which ends them:
    what the net made of it afterwards, it believed less.
    """
    drawn = []
    side = math.isqrt(len(shown.question))
    for place, grid in enumerate(shown.grids[: shown.kept]):
        before = shown.grids[place - 1] if place else grid
        if place and grid == before and place + 1 != shown.kept:
            continue
        cells = [
            Cell(now, _look(given, now, old))
            for given, now, old in zip(shown.question, grid, before, strict=True)
        ]
        rows = [cells[start : start + side] for start in range(0, len(cells), side)]
        drawn.append((place + 1, rows))
    return drawn


def _look(given: str, now: str, before: str) -> Look:
    if now != before:
        return "changed"
    return "given" if now == given else ""


def _read(decision: Decision, prediction: Prediction, outcome: Outcome | None) -> Recursion:
    trace = prediction.trace
    right = None
    if outcome is not None and prediction.action == decision.action:
        right = outcome.reward
    elif outcome is not None and outcome.reference is not None:
        right = float(prediction.action == outcome.reference)
    return Recursion(
        decision_id=decision.decision_id,
        agent=prediction.agent,
        question=decision.state.partition("/")[0],
        grids=tuple(trace["grids"]),
        q=tuple(trace["q"]),
        kept=trace["kept"],
        confidence=prediction.confidence or 0.0,
        right=right,
    )
