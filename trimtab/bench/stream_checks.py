"""What must hold without a drift: no false alarm, no broken promise, no saving from noise."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from trimtab.bench.result import Measure
from trimtab.bench.stream_lifetime import broken_lifetimes
from trimtab.bench.stream_ours import Cache
from trimtab.bench.stream_task import Task
from trimtab.bench.stream_world import Kind
from trimtab.stats import clopper_pearson

WINDOWS = 10
"""Re-calibrations of a lifetime."""
RANDOM_STREAMS = 20
"""Streams at most of the check that random models save nothing."""


def checks(task: Task, kinds: Sequence[Kind], cache: Cache) -> dict[str, Measure]:
    """Return false alarms without drift, what random models save, and wrong lifetimes."""
    calm = task.world("none")
    rides = task.rides(
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
    idle = task.rides(
        noise, task.draws(noise, drift_at=task.n, streams=streams), None, ("A1", "A2", "A3")
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
