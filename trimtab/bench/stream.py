"""``trimtab bench stream``: the promise while the world moves, beside its rivals.

Questions of one or several tables of recorded answers are halved for each stream: one half is the
labelled table that a cold start begins with, requests are drawn from the other with replacement.
At one request the world changes: other categories come (covariate), the cheap models' answers get
worse while they agree as before (label), or the strong model's do (llm). The figures without a
prefix are those of the first kind.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from trimtab.agents.window_plan import WindowPlan
from trimtab.bench.result import Measure, bench_result
from trimtab.bench.stream_bars import bars, key_of
from trimtab.bench.stream_checks import checks
from trimtab.bench.stream_draw import Ride
from trimtab.bench.stream_figures import stacked, stream_figures
from trimtab.bench.stream_ours import Cache
from trimtab.bench.stream_rivals import (
    adaptive_conformal,
    agreement_gate,
    e_process,
    split_conformal,
)
from trimtab.bench.stream_scores import score_streams
from trimtab.bench.stream_task import Task
from trimtab.bench.stream_world import (
    Kind,
    read_questions,
    split_categories,
)
from trimtab.errors import ConfigError
from trimtab.release.drift import Alarm

KINDS: tuple[Kind, ...] = ("covariate", "label", "llm")
SERVED_LATE = 500
"""Last requests of a stream, over which the LLM share after a certificate is taken."""


def run(
    *,
    tables: Sequence[Path],
    models: Sequence[str],
    strong: str,
    n: int = 10_000,
    drift_at: int = 6000,
    drift_by: str = "category",
    after: Sequence[str] = (),
    drift: Sequence[str] = KINDS,
    promise: float = 0.02,
    confidence: float = 0.95,
    streams: int = 200,
    audit_rate: float = 0.02,
    controllers: int = 0,
    seed: int = 0,
) -> dict[str, Any]:
    """Return the benchmark of a promise under drift.

    Args:
        tables: recorded answers; questions that all models answered are joined.
        models: those that take part, the strong one among them; all that the tables share if they
            are at most 8 and none are named.
        strong: the model that the promise is measured against.
        n: requests of a stream.
        drift_at: requests before the drift; n for none.
        drift_by: ``category``.
        after: categories that come after the drift, for kind covariate; empty for the third in
            which the cheap models are worst.
        drift: kinds of drift, of ``KINDS``.
        promise: the promised paired net loss.
        confidence: of the promise.
        streams: number of streams.
        audit_rate: share of served requests that is audited while nothing is suspected, by every
            method.
        controllers: controllers by value of computation in the pool, beside single models and
            agreement chains. Each fit then takes seconds instead of tenths.
        seed: of every draw.

    Raises:
        ConfigError: an argument is outside its range.
        InputError: a table, a model or a category cannot be used.
    """
    _check(n=n, drift_at=drift_at, drift_by=drift_by, drift=drift, streams=streams)
    if not 0.0 < audit_rate < 1.0 or controllers < 0:
        raise ConfigError(
            f"audit_rate={audit_rate}, controllers={controllers}: give a share in (0, 1) and 0 or "
            f"more controllers"
        )
    questions = read_questions(tables, models)
    if strong not in questions.steps.names:
        raise ConfigError(
            f"strong={strong!r} is not among models={list(questions.steps.names)}; name it there"
        )
    if not questions.steps.cost_usd[questions.steps.index(strong)].any():
        raise ConfigError(
            f"strong={strong!r} costs 0 USD a question of {questions.name}, so that no cost can be "
            f"a share of its bill; name a model with a price"
        )
    kinds: list[Kind] = [kind for kind in KINDS if kind in drift and drift_at < n]
    before = after_them = tuple(sorted(set(questions.categories)))
    if "covariate" in kinds:
        before, after_them = split_categories(questions, strong=strong, after=after)
    task = Task(
        questions=questions,
        strong=strong,
        before=before,
        after=after_them,
        n=n,
        drift_at=drift_at,
        streams=streams,
        seed=seed,
        plan=WindowPlan(loss=promise, confidence=confidence),
        audit_rate=audit_rate,
        controllers=controllers,
    )
    cache: Cache = {}
    measures: dict[str, Measure] = {}
    peers: dict[str, dict[str, Any]] = {}
    slices: dict[str, Any] = {}
    for kind in kinds:
        own, rivals, slices[kind] = _kind(task, kind, cache)
        measures |= {key_of(kind, kinds, name): one for name, one in own.items()}
        for name, figures in rivals.items():
            peers.setdefault(name, {})[kind] = {key: m.value for key, m in figures.items()}
    measures |= checks(task, kinds, cache)
    result = bench_result(
        "stream",
        data=f"{questions.name}: {', '.join(before)} then {', '.join(after_them)}",
        n=n,
        seed=seed,
        measures=measures,
        peers=peers,
        bars=bars(kinds, measures, promise=promise, streams=streams),
        packages=("numpy",),
    )
    return result | {
        "streams": streams,
        "drift_at": drift_at,
        "promise": promise,
        "audit_rate": audit_rate,
        "controllers": controllers,
        "kinds": list(kinds),
        "slices": slices,
    }


def _kind(
    task: Task, kind: Kind, cache: Cache
) -> tuple[dict[str, Measure], dict[str, dict[str, Measure]], Any]:
    """Return our figures of one kind of drift, those of the rivals, and the slices."""
    world = task.world(kind)
    draws = task.draws(world, drift_at=task.drift_at, streams=task.streams)
    place = world.steps.index(task.strong)
    strong_usd = np.stack([world.steps.cost_usd[place][one.requests] for one in draws])
    promise, delta = task.plan.loss, 1.0 - task.plan.confidence
    figures = partial(
        stream_figures, strong_usd=strong_usd, drift_at=task.drift_at, promise=promise
    )

    def ours(*watches: Alarm) -> tuple[list[Ride], dict[str, Measure]]:
        rides = task.rides(world, draws, cache, watches)
        alarms = [one.alarms for one in rides]
        return rides, figures(stacked(rides), alarms=alarms)

    rides, own = ours("A1", "A2", "A3")
    late = float(np.mean([one.calls[-SERVED_LATE:].mean() for one in rides]))
    own["llm_share_late"] = Measure(value=late, unit=f"calls over the last {SERVED_LATE} requests")
    seen = score_streams(world, draws, fit=task.plan.fits[0])
    rate = task.audit_rate
    ridden = {
        "e_process": e_process(seen, alpha=promise, delta=delta, audit_rate=rate),
        "adaptive_conformal": adaptive_conformal(seen, alpha=promise, audit_rate=rate),
        "split_conformal": split_conformal(seen, alpha=promise, audit_rate=rate),
        "agreement_gate": agreement_gate(seen, audit_rate=rate),
    }
    rivals = {name: figures(one) for name, one in ridden.items()}
    rivals["without_a1"] = ours("A2", "A3")[1]
    rivals["calibrated_once"] = ours()[1]
    ask, share = rivals["e_process"]["llm_share_after"].value, own["llm_share_after"].value
    if ask is not None and share is not None:
        own["below_e_process"] = Measure(
            value=ask - share, unit="LLM share after the drift, the e-process's less ours"
        )
    return own, rivals, _slices(rides)


def _slices(rides: Sequence[Ride]) -> dict[str, dict[str, int]]:
    """Return how often each category got each verdict, over all certificates of all streams."""
    counts: dict[str, Counter[str]] = {}
    for one in rides:
        for found in one.slices:
            for part in found:
                counts.setdefault(part.category, Counter())[part.verdict] += 1
    return {category: dict(count) for category, count in sorted(counts.items())}


def _check(*, n: int, drift_at: int, drift_by: str, drift: Sequence[str], streams: int) -> None:
    if n < 1000:
        raise ConfigError(f"n={n} requests are too few for a stream; give at least 1,000")
    if not 1 <= drift_at <= n:
        raise ConfigError(f"drift_at={drift_at} is not in 1 … n={n}; give n for no drift")
    if drift_by != "category":
        raise ConfigError(f"drift_by={drift_by!r} is not known; use 'category'")
    unknown = [kind for kind in drift if kind not in KINDS]
    if unknown or not drift:
        raise ConfigError(f"drift={list(drift)}: use some of {list(KINDS)}")
    if streams < 1:
        raise ConfigError(f"streams={streams} is not a number of streams; give 1 or more")
