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
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from trimtab.agents.window_plan import WindowPlan
from trimtab.bench.result import Measure, bench_result
from trimtab.bench.stream_bars import bars
from trimtab.bench.stream_draw import Draw, Ride, draw
from trimtab.bench.stream_figures import stacked, stream_figures
from trimtab.bench.stream_lifetime import broken_lifetimes
from trimtab.bench.stream_ours import Cache, ride
from trimtab.bench.stream_rivals import (
    adaptive_conformal,
    agreement_gate,
    e_process,
    split_conformal,
)
from trimtab.bench.stream_scores import score_streams
from trimtab.bench.stream_world import (
    Kind,
    Questions,
    World,
    open_world,
    read_questions,
    split_categories,
)
from trimtab.errors import ConfigError
from trimtab.release.drift import Alarm, DriftPlan
from trimtab.stats import clopper_pearson

KINDS: tuple[Kind, ...] = ("covariate", "label", "llm")
WINDOWS = 10
"""Re-calibrations of a lifetime."""
RANDOM_STREAMS = 20
"""Streams at most of the check that random models save nothing."""
SERVED_LATE = 500
"""Last requests of a stream, over which the LLM share after a certificate is taken."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """What all scenarios of one run share."""

    questions: Questions
    strong: str
    before: tuple[str, ...]
    after: tuple[str, ...]
    n: int
    drift_at: int
    streams: int
    seed: int
    plan: WindowPlan

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
        seed: of every draw.

    Raises:
        ConfigError: an argument is outside its range.
        InputError: a table, a model or a category cannot be used.
    """
    _check(n=n, drift_at=drift_at, drift_by=drift_by, drift=drift, streams=streams)
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
    )
    cache: Cache = {}
    measures: dict[str, Measure] = {}
    peers: dict[str, dict[str, Any]] = {}
    slices: dict[str, Any] = {}
    for kind in kinds:
        prefix = "" if kind == kinds[0] else f"{kind}_"
        own, rivals, slices[kind] = _kind(task, kind, cache)
        measures |= {f"{prefix}{key}": one for key, one in own.items()}
        for name, figures in rivals.items():
            peers.setdefault(name, {})[kind] = {key: m.value for key, m in figures.items()}
    measures |= _checks(task, kinds, cache)
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
        rides = _rides(task, world, draws, cache, watches)
        alarms = [one.alarms for one in rides]
        return rides, figures(stacked(rides), alarms=alarms)

    rides, own = ours("A1", "A2", "A3")
    late = float(np.mean([one.calls[-SERVED_LATE:].mean() for one in rides]))
    own["llm_share_late"] = Measure(value=late, unit=f"calls over the last {SERVED_LATE} requests")
    seen = score_streams(world, draws, fit=task.plan.fits[0])
    rate = DriftPlan(loss=promise).audit_rate
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


def _rides(
    task: Task, world: World, draws: Sequence[Draw], cache: Cache | None, watches: Sequence[Alarm]
) -> list[Ride]:
    drift = DriftPlan(loss=task.plan.loss, watches=tuple(watches))
    return [ride(world, one, plan=task.plan, drift=drift, cache=cache) for one in draws]


def _checks(task: Task, kinds: Sequence[Kind], cache: Cache) -> dict[str, Measure]:
    """Return false alarms without drift, what random models save, and wrong lifetimes."""
    calm = task.world("none")
    rides = _rides(
        task,
        calm,
        task.draws(calm, drift_at=task.n, streams=task.streams),
        cache,
        ("A1", "A2", "A3"),
    )
    false = sum(bool(one.alarms) for one in rides)
    low, high = clopper_pearson(false, task.streams)
    wrong = sum(float(one.loss.mean()) > task.plan.loss for one in rides)
    share = float(np.mean([one.calls.mean() for one in rides]))
    found = {
        "false_alarms_calm": Measure(
            value=false / task.streams,
            low=low,
            high=high,
            unit=f"share of streams with an alarm in {task.n:,} requests without drift",
        ),
        "broken_calm": Measure(value=float(wrong), unit="streams without drift above the promise"),
        "llm_share_calm": Measure(value=share, unit="calls per request without drift"),
    }
    noise = task.world("random")
    streams = min(task.streams, RANDOM_STREAMS)
    idle = _rides(
        task, noise, task.draws(noise, drift_at=task.n, streams=streams), None, ("A1", "A2", "A3")
    )
    found["random_llm_share"] = Measure(
        value=float(np.mean([one.calls.mean() for one in idle])),
        unit=f"calls per request where cheap answers are random, {streams} streams",
    )
    found["random_no_saving"] = Measure(
        value=float(np.mean([one.nothing and not one.served for one in idle])),
        unit="share of those streams that report no saving",
    )
    world = task.world("covariate" if "covariate" in kinds else "none")
    broken, certificates = broken_lifetimes(
        world, plan=task.plan, windows=WINDOWS, lifetimes=task.streams, seed=task.seed
    )
    found["lifetime_broken"] = Measure(
        value=float(broken), unit=f"lifetimes of {WINDOWS} windows with a wrong certificate"
    )
    found["lifetime_certificates"] = Measure(
        value=certificates / (WINDOWS * task.streams), unit="share of windows that certify"
    )
    return found


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
