"""What the rivals of the promise read: one score per request for the cheap models' common answer.

All cheap models run; the likeliest of their answers is the cheap answer, and the predicted
probability that it is right is the score. Predictions are fitted on the first rows of the stream's
table, as ours are. S is the number of streams, n of requests, m of table rows left to calibrate on.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from trimtab.agents.trail_features import agreements, members
from trimtab.agents.trail_model import best_answer, see
from trimtab.bench.stream_draw import Bools, Draw
from trimtab.bench.stream_world import Floats, World
from trimtab.errors import InputError
from trimtab.training.controller import FOLDS, fit_judge


@dataclass(frozen=True, slots=True, kw_only=True)
class Scored:
    """Streams as a rule on a score sees them.

    Attributes:
        known: `[S, m]` scores of the table rows to calibrate on.
        known_losses: `[S, m]` right(strong) - right(cheap answer) there.
        fitted: `[S, f]` scores of the table rows that were fitted on.
        scores: `[S, n]` of the requests.
        losses: `[S, n]` net losses of their cheap answers.
        agree: `[S, n]` whether more than half of the cheap models gave one and the same answer.
        cheap_usd: `[S, n]` price of all cheap models.
        strong_usd: `[S, n]` price of the strong model.
        audit: `[S, n]` uniform numbers that decide audits.
    """

    known: Floats
    known_losses: Floats
    fitted: Floats
    scores: Floats
    losses: Floats
    agree: Bools
    cheap_usd: Floats
    strong_usd: Floats
    audit: Floats


def score_streams(world: World, streams: Sequence[Draw], *, fit: int) -> Scored:
    """Return the streams' scores.

    Args:
        world: the questions.
        streams: the requests, all of one length.
        fit: rows of each stream's table that predictions are fitted on; at most half of them.

    Raises:
        InputError: the tables are too small to fit on.
    """
    questions = min(len(one.table) for one in streams)
    if questions < 4 * FOLDS:
        raise InputError(
            f"{questions} questions before the drift to fit and certify on are too few; give a "
            f"table with at least {8 * FOLDS} before the drift"
        )
    fit = min(fit, questions // 2)
    steps = world.steps
    place = steps.index(world.strong)
    trail = sum(1 << m for m in range(len(steps.names)) if m != place)
    cheap = list(members(trail))
    prices = steps.cost_usd.mean(axis=1)
    universe = see(steps, signals=False)
    votes = agreements(steps.codes[cheap]).sum(axis=1).max(axis=0)
    majority = votes > len(cheap) / 2
    columns: dict[str, list[np.ndarray]] = {name: [] for name in Scored.__slots__}
    for one in streams:
        first, rest = one.table[:fit], one.table[fit:]
        judged = fit_judge(steps.take(first), trails=[trail], rng=np.random.default_rng(one.seed))
        q = judged.model.judge(trail, universe)
        shown, score = best_answer(q, trail, prices)
        right = steps.correct[shown, np.arange(steps.n)]
        loss = steps.correct[place].astype(np.float64) - right
        rows = one.requests
        for name, values in (
            ("known", score[rest]),
            ("known_losses", loss[rest]),
            ("fitted", score[first]),
            ("scores", score[rows]),
            ("losses", loss[rows]),
            ("agree", majority[rows]),
            ("cheap_usd", steps.cost_usd[cheap].sum(axis=0)[rows]),
            ("strong_usd", steps.cost_usd[place][rows]),
            ("audit", one.audit),
        ):
            columns[name].append(values)
    return Scored(**{name: np.stack(values) for name, values in columns.items()})
