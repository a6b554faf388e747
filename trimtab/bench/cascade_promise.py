"""The promise of the pool on resampled streams: kept or broken, and what it leaves of the LLM.

Each stream fits the pool on its own draw of training questions. The other questions are its world:
the cold start is a window drawn from them with replacement, on which the pool is certified, and
what the certified candidate truly loses there is known exactly. No question that chose a candidate
or put the pool in order plays a part in its certificate.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from trimtab.agents.promise import Promise
from trimtab.app.controller_training import certify_pool
from trimtab.bench.result import Measure, spread
from trimtab.domains.tables import RecordedSteps, Rows
from trimtab.training.cascade_pool import fit_pool

COLD_START = 1000
"""Requests on which the LLM is asked before anything is certified."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """What a stream's certificate was worth.

    Attributes:
        candidate: name of the certified candidate, empty if there is none.
        true_loss: its loss against always asking the strong model, on the stream's world.
        llm_share: share of requests on which it asks the strong model; 1 without a certificate.
        saved: part of the strong model's bill that it saves.
    """

    candidate: str
    true_loss: float
    llm_share: float
    saved: float


NOTHING = Kept(candidate="", true_loss=0.0, llm_share=1.0, saved=0.0)
"""Without a certificate the strong model is always asked."""


def keep(
    steps: RecordedSteps,
    *,
    train: Rows,
    world: Rows,
    strong: str | None,
    loss: float,
    confidence: float,
    rng: np.random.Generator,
) -> Kept:
    """Return what a promise certified on one stream's cold start was worth.

    Args:
        steps: all questions.
        train: rows that the pool is fitted on.
        world: rows that the stream draws from.
        strong: the strong model; the best single one of the training questions if None.
        loss: the promise.
        confidence: of the promise.
        rng: draws folds and window.
    """
    always, *rest = fit_pool(steps.take(train), strong=strong, rng=rng)
    left = steps.take(world)
    place = left.index(always.strong)
    if not rest:
        return NOTHING
    played = [(one.name, one.run(left)) for one in rest]
    window = rng.integers(left.n, size=COLD_START)
    asked = Promise(loss=loss, confidence=confidence, window=COLD_START)
    certificate = certify_pool([always, *rest], left.take(window), asked)
    found = next((did for name, did in played if name == certificate.candidate), None)
    if found is None:
        return NOTHING
    return Kept(
        candidate=certificate.candidate,
        true_loss=float(left.correct[place].mean() - found.correct.mean()),
        llm_share=float(found.asked_strong.mean()),
        saved=1.0 - float(found.cost_usd.mean() / left.cost_usd[place].mean()),
    )


def promise_measures(kept: Sequence[Kept], *, loss: float) -> dict[str, Measure]:
    """Return what the streams showed; nothing without streams."""
    if not kept:
        return {}
    broken = sum(one.true_loss > loss for one in kept)
    saving = sum(one.llm_share < 1.0 for one in kept) / len(kept)
    share = "share of requests, the cold start aside"
    return {
        "promise_broken": Measure(value=float(broken), unit=f"of {len(kept)} streams"),
        "saving_streams": Measure(value=saving, unit="share of streams"),
        **spread("llm_share", [one.llm_share for one in kept], unit=share),
        **spread("saved", [one.saved for one in kept], unit="share of the strong model's bill"),
    }
