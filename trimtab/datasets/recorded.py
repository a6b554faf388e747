"""Recorded answers of several models to the same questions: what routing is replayed on."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from trimtab.datasets.tables import table_rows
from trimtab.domains.questions import RecordedAnswer, RecordedQuestions
from trimtab.domains.tables import RecordedSteps, answer_codes
from trimtab.domains.texts import listed, short
from trimtab.errors import ConfigError, InputError

COLUMNS = (
    "question_id",
    "category",
    "text",
    "model",
    "answer",
    "correct",
    "cost_usd",
)
OPTIONAL = ("out_tokens", "latency_s")
"""Columns that a table may have; what is not recorded is 0."""
MOST_UNNAMED = 8
"""Models of a table that all take part where none are named."""
_TRUTH = {"true": True, "1": True, "1.0": True, "false": False, "0": False, "0.0": False}


Row = tuple[str | None, bool, float, float, float]
"""An answer, whether right, its price in US dollars (NaN: not recorded), tokens and seconds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Recorded:
    """One model's answers, in the order of the questions; n is the number of questions.

    Attributes:
        model: its name.
        answers: `[n]` canonical answers; None where none could be read, or none was recorded.
        correct: `[n]` whether each is right.
        cost_usd: `[n]` price of each call.
        out_tokens: `[n]` length of each answer.
    """

    model: str
    answers: tuple[str | None, ...]
    correct: NDArray[np.bool_]
    cost_usd: NDArray[np.float64]
    out_tokens: NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordedTable:
    """Questions and what each model answered; rows by model and place of the question.

    ``untimed`` names the models with an answer whose seconds are not recorded, and count as 0.
    """

    name: str
    ids: tuple[str, ...]
    texts: tuple[str, ...]
    categories: tuple[str, ...]
    rows: dict[str, dict[int, Row]]
    untimed: frozenset[str] = frozenset()

    @property
    def models(self) -> tuple[str, ...]:
        """Return the names of the models, sorted."""
        return tuple(sorted(self.rows))

    @property
    def content_hash(self) -> str:
        """Return the sha256 of the sorted ids and texts, whatever the order of the rows."""
        digest = hashlib.sha256()
        for pair in sorted(zip(self.ids, self.texts, strict=True)):
            digest.update("\0".join(pair).encode())
            digest.update(b"\1")
        return digest.hexdigest()

    def select(self, models: Sequence[str]) -> tuple[tuple[int, ...], tuple[Recorded, ...]]:
        """Return the questions that all these models answered, and their answers to them.

        Raises:
            InputError: a model is unknown or named twice, or no question has all, or a price lacks.
        """
        unknown = [model for model in models if model not in self.rows]
        if unknown:
            raise InputError(
                f"{self.name} holds no model {listed(unknown)}; use some of {list(self.models)}"
            )
        if len(set(models)) < len(models):
            raise InputError(f"models {list(models)} name one twice; give each model one part")
        common = tuple(
            i for i in range(len(self.ids)) if all(i in self.rows[model] for model in models)
        )
        if not common:
            raise InputError(f"{self.name}: no question has answers of all of {list(models)}")
        for model in models:
            unpriced = [i for i in common if math.isnan(self.rows[model][i][2])]
            if unpriced:
                raise InputError(
                    f"{self.name}: column 'cost_usd': {len(unpriced)} answers of {model!r} have no "
                    f"price, the first to question {self.ids[unpriced[0]]!r}; fill it, or leave "
                    f"the model out of --models"
                )
        return common, tuple(self._recorded(model, common) for model in models)

    def restricted(self, models: Sequence[str]) -> RecordedTable:
        """Return these models alone, on the questions that all of them answered.

        Raises:
            InputError: as :meth:`select`.
        """
        common, _ = self.select(models)
        return RecordedTable(
            name=self.name,
            ids=tuple(self.ids[i] for i in common),
            texts=tuple(self.texts[i] for i in common),
            categories=tuple(self.categories[i] for i in common),
            rows={
                model: {place: self.rows[model][i] for place, i in enumerate(common)}
                for model in models
            },
            untimed=self.untimed & frozenset(models),
        )

    def _recorded(self, model: str, questions: Sequence[int]) -> Recorded:
        answers, correct, usd, tokens, _ = zip(
            *(self.rows[model][i] for i in questions), strict=True
        )
        return Recorded(
            model=model,
            answers=answers,
            correct=np.array(correct, dtype=np.bool_),
            cost_usd=np.array(usd, dtype=np.float64),
            out_tokens=np.array(tokens, dtype=np.float64),
        )


def recorded_steps(models: Sequence[Recorded]) -> RecordedSteps:
    """Return the models' answers as the steps of a controller, in the order given.

    The one signal of an answer is its length, log(1 + tokens).
    """
    return RecordedSteps(
        names=tuple(one.model for one in models),
        codes=answer_codes([one.answers for one in models]),
        correct=np.stack([one.correct for one in models]),
        cost_usd=np.stack([one.cost_usd for one in models]),
        signals=np.log1p(np.stack([one.out_tokens for one in models]))[None],
    )


def recorded_questions(table: RecordedTable) -> RecordedQuestions:
    """Return the questions of a table as a domain.

    Raises:
        InputError: two questions have one text, or one answer is both right and wrong.
    """
    rewards: dict[str, dict[str, bool]] = {}
    for place, text in enumerate(table.texts):
        if text in rewards:
            raise InputError(f"{table.name}: two questions read {short(text)}; keep one of them")
        given = rewards[text] = {}
        for model in table.models:
            answer, correct, *_ = table.rows[model].get(place, (None, False))
            if answer is not None and given.setdefault(answer, correct) != correct:
                raise InputError(
                    f"{table.name}: the answer {short(answer)} to {short(text)} is right in one "
                    f"row and wrong in another; mend 'correct'"
                )
    return RecordedQuestions(name=table.name, rewards=rewards)


def recorded_answers(table: RecordedTable, model: str) -> dict[str, RecordedAnswer]:
    """Return a model's answers by question; raises ``InputError`` for an unknown model."""
    table.select([model])
    return {
        table.texts[place]: RecordedAnswer(
            answer=answer, cost_usd=usd, out_tokens=tokens, latency_s=seconds
        )
        for place, (answer, _, usd, tokens, seconds) in table.rows[model].items()
    }


def read_recorded(path: Path) -> RecordedTable:
    """Return a table with the columns ``COLUMNS``, one row for each model and question.

    It may have the columns ``OPTIONAL`` too; an empty cell of theirs counts as 0.

    A question id may be a whole number or a text; a category may come from a dictionary with
    unused entries (only those of the rows count). Category and answer may be missing, and so may
    the prices of models that are not selected.

    Raises:
        InputError: the file, a column or a row cannot be used; the message names it.
        MissingExtra: a Parquet file without pyarrow.
    """
    path = Path(path)
    places: dict[str, int] = {}
    texts: list[str] = []
    categories: list[str] = []
    rows: dict[str, dict[int, Row]] = {}
    untimed: set[str] = set()
    remedy = f"A table of recorded answers has the columns {', '.join(COLUMNS)}; rename or add it"
    for where, cells in table_rows(path, COLUMNS, optional=OPTIONAL, remedy=remedy):
        at = f"{path}: {where}: column"
        key = _word(cells[0], f"{at} 'question_id'")
        category = "" if _missing(cells[1]) else _word(cells[1], f"{at} 'category'")
        text = _word(cells[2], f"{at} 'text'")
        model = _word(cells[3], f"{at} 'model'")
        place = places.setdefault(key, len(places))
        if place == len(texts):
            texts.append(text)
            categories.append(category)
        elif texts[place] != text:
            raise InputError(f"{at} 'text' differs from that of question {key!r} before; mend it")
        of_model = rows.setdefault(model, {})
        if place in of_model:
            raise InputError(f"{at} 'model': {model!r} answers {key!r} twice; keep one row")
        of_model[place] = (
            None if _missing(cells[4]) else str(cells[4]),
            _truth(cells[5], f"{at} 'correct'"),
            math.nan if _missing(cells[6]) else _number(cells[6], f"{at} 'cost_usd'"),
            0.0 if _missing(cells[7]) else _number(cells[7], f"{at} 'out_tokens'"),
            0.0 if _missing(cells[8]) else _number(cells[8], f"{at} 'latency_s'"),
        )
        if _missing(cells[8]):
            untimed.add(model)
    if not texts:
        raise InputError(f"{path} holds no rows; give one row per model and question")
    return RecordedTable(
        name=path.name,
        ids=tuple(places),
        texts=tuple(texts),
        categories=tuple(categories),
        rows=rows,
        untimed=frozenset(untimed),
    )


def chosen_models(tables: Sequence[RecordedTable], models: Sequence[str]) -> tuple[str, ...]:
    """Return the models to use: those named, or all that every table holds if they are few.

    Raises:
        ConfigError: none are named and there are too many to take all, one is named twice, or fewer
            than two are left.
    """
    names = " + ".join(table.name for table in tables)
    common = [model for model in tables[0].models if all(model in one.rows for one in tables)]
    if not models and len(common) > MOST_UNNAMED:
        raise ConfigError(
            f"{names} holds {len(common)} models; name those to use with --models, comma "
            f"separated: {', '.join(common)}"
        )
    chosen = tuple(models) or tuple(common)
    if len(chosen) < 2 or len(set(chosen)) < len(chosen):
        raise ConfigError(
            f"models={list(chosen)} of {names}: give at least two to choose among, each once; "
            f"there are {', '.join(common)}"
        )
    return chosen


def _missing(value: object) -> bool:
    return value is None or value == "" or (isinstance(value, float) and math.isnan(value))


def _word(value: object, place: str) -> str:
    if isinstance(value, bool) or not isinstance(value, int | str) or not str(value).strip():
        raise InputError(f"{place}: {short(value)} is no text or whole number; fill it")
    return str(value)


def _truth(value: object, place: str) -> bool:
    found = value if isinstance(value, bool) else _TRUTH.get(str(value).strip().lower())
    if found is None:
        raise InputError(f"{place}: {short(value)} is neither true nor false; write true or false")
    return found


def _number(value: object, place: str) -> float:
    try:
        if isinstance(value, bool) or not isinstance(value, int | float | str):
            raise ValueError
        number = float(value)
    except ValueError:
        number = math.nan
    if not math.isfinite(number) or number < 0.0:
        raise InputError(f"{place}: {short(value)} is no number of at least 0; fill it")
    return number
