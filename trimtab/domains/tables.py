"""Recorded answers of several steps to the same questions, as arrays: what controllers replay.

A step is whatever answers a question at a price: a model, a search, a person. A *trail* is the set
of steps that ran, as a bit set: bit m is step m. M is the number of steps, n of questions.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from trimtab.errors import InputError

Bools = NDArray[np.bool_]
Codes = NDArray[np.int64]
Floats = NDArray[np.float64]
Rows = NDArray[np.intp]

MAX_STEPS = 62
"""A trail is a bit set in a signed 64-bit word."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordedSteps:
    """What each step answered to each question, whether that was right, and what it cost.

    Attributes:
        names: of the M steps.
        codes: `[M, n]` answers as whole numbers, see :func:`answer_codes`; only codes of one
            question are ever compared.
        correct: `[M, n]` whether each answer is right.
        cost_usd: `[M, n]` price of each call.
        signals: `[J, M, n]` what each answer tells of itself (its length, a confidence); J may be
            0.
        exact: names of the steps that check what they answer: an answer of theirs is right, and
            where they fail they give none.
        questions: `[n, D]` what each question says, as a vector; None where nobody reads it.

    Raises:
        InputError: the arrays do not fit each other, a step is named twice, or a price is below 0.
    """

    names: tuple[str, ...]
    codes: Codes
    correct: Bools
    cost_usd: Floats
    signals: Floats
    exact: frozenset[str] = frozenset()
    questions: Floats | None = None

    def __post_init__(self) -> None:
        shape = (len(self.names), self.n)
        shapes = (self.codes.shape, self.correct.shape, self.cost_usd.shape, self.signals.shape[1:])
        if any(found != shape for found in shapes):
            raise InputError(
                f"codes, correct, cost_usd and signals are {shapes}, not all {shape}: one row per "
                f"step, one column per question"
            )
        if self.questions is not None and self.questions.shape[:1] != (self.n,):
            raise InputError(
                f"questions are {self.questions.shape}, not {self.n} rows: one per question"
            )
        if not 1 <= len(self.names) <= MAX_STEPS or len(set(self.names)) < len(self.names):
            raise InputError(
                f"names={list(self.names)}: give 1 to {MAX_STEPS} steps, each with its own name"
            )
        if not np.isfinite(self.cost_usd).all() or (self.cost_usd < 0.0).any():
            raise InputError("cost_usd holds a price below 0 or none; fill it")
        if not self.exact <= set(self.names):
            raise InputError(
                f"exact={sorted(self.exact)} names a step that is not among {list(self.names)}"
            )

    @property
    def n(self) -> int:
        """Return the number of questions."""
        return int(self.codes.shape[-1])

    def index(self, name: str) -> int:
        """Return the place of a step; raises ``InputError`` for an unknown name."""
        if name not in self.names:
            raise InputError(f"no step is named {name!r}; use one of {list(self.names)}")
        return self.names.index(name)

    def take(self, rows: Rows) -> RecordedSteps:
        """Return the questions of these rows, in their order; a row may occur several times."""
        return RecordedSteps(
            names=self.names,
            codes=self.codes[:, rows],
            correct=self.correct[:, rows],
            cost_usd=self.cost_usd[:, rows],
            signals=self.signals[:, :, rows],
            exact=self.exact,
            questions=None if self.questions is None else self.questions[rows],
        )


def join(tables: Sequence[RecordedSteps]) -> RecordedSteps:
    """Return the questions of all tables, one after the other.

    Raises:
        InputError: no table, or tables whose steps or signals differ.
    """
    if not tables:
        raise InputError("tables is empty; give at least one")
    vectors = [table.questions for table in tables if table.questions is not None]
    kinds = {(table.names, table.exact, table.signals.shape[0]) for table in tables}
    if len(kinds) > 1 or len(vectors) not in (0, len(tables)):
        raise InputError(
            f"tables to join differ in steps, exact steps, signals or having vectors of their "
            f"questions: {sorted(kinds, key=str)}"
        )
    return RecordedSteps(
        names=tables[0].names,
        codes=np.concatenate([table.codes for table in tables], axis=1),
        correct=np.concatenate([table.correct for table in tables], axis=1),
        cost_usd=np.concatenate([table.cost_usd for table in tables], axis=1),
        signals=np.concatenate([table.signals for table in tables], axis=2),
        exact=tables[0].exact,
        questions=np.concatenate(vectors) if vectors else None,
    )


def answer_codes(answers: Sequence[Sequence[str | None]]) -> Codes:
    """Return `[M, n]` whole numbers that are equal exactly where two steps' answers are.

    A missing answer is below 0 and equals no other, that of another step included.

    Args:
        answers: for each of the M steps its n canonical answers, None where there is none.
    """
    numbers: dict[str, int] = {}
    rows = [
        [
            -1 - step if answer is None else numbers.setdefault(answer, len(numbers))
            for answer in of_step
        ]
        for step, of_step in enumerate(answers)
    ]
    return np.array(rows, dtype=np.int64)
