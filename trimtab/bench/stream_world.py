"""The world of a stream: questions before and after a drift, with every model's recorded answer.

A universe holds the table's questions and, for the drifts that change answers, a changed copy of
each behind them; so any stream is a list of rows of the universe. Q is the number of questions in
the tables, M of models.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from trimtab.datasets.recorded import chosen_models, read_recorded, recorded_steps
from trimtab.domains.tables import RecordedSteps, join
from trimtab.domains.texts import listed
from trimtab.errors import ConfigError, InputError

Floats = NDArray[np.float64]
Rows = NDArray[np.intp]
Kind = Literal["none", "covariate", "label", "llm", "random"]

LABEL_SHARE = 0.1
"""Questions of which the cheap models' right answers turn into one and the same wrong answer."""
LLM_SHARE = 0.3
"""Questions of which the strong model's right answer turns wrong: it is then worse than the others
together."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Questions:
    """Questions of one or several tables that all models answered.

    Attributes:
        name: of the tables.
        steps: `[M, Q]` the models' answers.
        categories: `[Q]` by question; of a table without categories its own name.
    """

    name: str
    steps: RecordedSteps
    categories: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """A universe of questions and where the stream draws from.

    Attributes:
        kind: of the drift.
        steps: the universe.
        strong: name of the strong model.
        before: rows of the questions that come first.
        after: rows of those that come after the drift.
        later: `[rows of the universe]` by row, the same question as it is after the drift.
        categories: `[rows of the universe]` of each question.
    """

    kind: Kind
    steps: RecordedSteps
    strong: str
    before: Rows
    after: Rows
    later: Rows
    categories: tuple[str, ...]


def read_questions(tables: Sequence[Path], models: Sequence[str]) -> Questions:
    """Return the questions of all tables that every model answered; see ``chosen_models``.

    Raises:
        InputError: a table or a model cannot be used.
        ConfigError: no table or one named twice, or models that leave no choice.
    """
    if not tables:
        raise ConfigError("table is missing; give at least one --table")
    if len({path.resolve() for path in tables}) < len(tables):
        raise ConfigError(
            f"table={[str(path) for path in tables]} names one twice, so that questions to certify "
            f"on would come again as requests; give each once"
        )
    read = [read_recorded(path) for path in tables]
    chosen = chosen_models(read, models)
    parts: list[RecordedSteps] = []
    categories: list[str] = []
    for table in read:
        rows, recorded = table.select(chosen)
        parts.append(recorded_steps(recorded))
        categories += [table.categories[i] or table.name for i in rows]
    return Questions(
        name=" + ".join(table.name for table in read),
        steps=join(parts),
        categories=tuple(categories),
    )


def split_categories(
    questions: Questions, *, strong: str, after: Sequence[str] = ()
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the categories that come before the drift, and those that come after it.

    Without ``after`` these are the third of the categories (at least one) in which the cheap models
    are right least often, on the average over models; ties go to the first name.

    Raises:
        InputError: a category is unknown, or one side would be empty.
    """
    names = sorted(set(questions.categories))
    unknown = [name for name in after if name not in names]
    if unknown:
        raise InputError(f"after={listed(unknown)} is no category; use some of {listed(names)}")
    if len(names) < 2 or set(after) == set(names):
        raise InputError(
            f"categories {listed(names)} leave nothing on one side of the drift; add a --table, "
            f"name fewer in --after, or use --drift label,llm"
        )
    if after:
        late = tuple(name for name in names if name in after)
    else:
        of = np.array(questions.categories)
        cheap = [m for m, name in enumerate(questions.steps.names) if name != strong]
        right = {
            name: float(questions.steps.correct[cheap][:, of == name].mean()) for name in names
        }
        worst = sorted(names, key=lambda name: (right[name], name))
        late = tuple(sorted(worst[: max(1, len(names) // 3)]))
    return tuple(name for name in names if name not in late), late


def open_world(
    questions: Questions,
    kind: Kind,
    *,
    strong: str,
    before: Sequence[str],
    after: Sequence[str],
    rng: np.random.Generator,
) -> World:
    """Return the world of one kind of drift.

    ``covariate``: the categories ``after`` replace those ``before``. ``label``: of ``LABEL_SHARE``
    of the questions every cheap model's right answer becomes one wrong answer, so that they agree
    as before. ``llm``: of ``LLM_SHARE`` the strong model's right answer becomes wrong. ``none``:
    nothing changes. ``random``: nothing changes, and the cheap models answer other questions than
    they were asked, each its own.
    """
    steps = questions.steps
    place = steps.index(strong)
    of = np.array(questions.categories)
    early: Rows = np.flatnonzero(np.isin(of, before))
    same: Rows = np.arange(steps.n)
    if kind == "covariate":
        late: Rows = np.flatnonzero(np.isin(of, after))
        return _world(kind, steps, strong, early, late, same, questions)
    if kind == "none":
        return _world(kind, steps, strong, early, early, same, questions)
    if kind == "random":
        return _world(kind, _shuffled(steps, place, rng), strong, early, early, same, questions)
    share = LABEL_SHARE if kind == "label" else LLM_SHARE
    hit = rng.random(steps.n) < share
    changed = [m for m in range(len(steps.names)) if (m == place) == (kind == "llm")]
    copy = _wronged(steps, changed, hit)
    later: Rows = np.concatenate([same + steps.n, same + steps.n])
    return _world(kind, join([steps, copy]), strong, early, early + steps.n, later, questions)


def _world(
    kind: Kind,
    steps: RecordedSteps,
    strong: str,
    before: Rows,
    after: Rows,
    later: Rows,
    questions: Questions,
) -> World:
    return World(
        kind=kind,
        steps=steps,
        strong=strong,
        before=before,
        after=after,
        later=later,
        categories=questions.categories * (steps.n // questions.steps.n),
    )


def _wronged(steps: RecordedSteps, changed: Sequence[int], hit: NDArray[np.bool_]) -> RecordedSteps:
    """Return a copy in which right answers of these models to these questions are wrong."""
    correct, codes = steps.correct.copy(), steps.codes.copy()
    wrong = int(codes.max()) + 1  # an answer that nobody gave
    for m in changed:
        turned = hit & steps.correct[m]
        codes[m, turned] = wrong
        correct[m, turned] = False
    return RecordedSteps(
        names=steps.names,
        codes=codes,
        correct=correct,
        cost_usd=steps.cost_usd,
        signals=steps.signals,
        exact=steps.exact,
    )


def _shuffled(steps: RecordedSteps, place: int, rng: np.random.Generator) -> RecordedSteps:
    """Return a copy in which each cheap model's answers are dealt to other questions."""
    codes, correct = steps.codes.copy(), steps.correct.copy()
    for m in range(len(steps.names)):
        if m == place:
            continue
        codes[m] = steps.codes[m][rng.permutation(steps.n)]
        # right where any model that was right gave this answer
        known = (steps.codes == codes[m]) & steps.correct & (codes[m] >= 0)
        correct[m] = known.any(axis=0)
    return RecordedSteps(
        names=steps.names,
        codes=codes,
        correct=correct,
        cost_usd=steps.cost_usd,
        signals=steps.signals,
        exact=steps.exact,
    )
