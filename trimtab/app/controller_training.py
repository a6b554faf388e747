"""Fits a controller on a table of recorded answers, certifies it on the next questions, packs it.

The questions are shuffled. The first fit the pool and fix its order, the next certify, and those
that are left tell what it is worth: no question plays two parts.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from trimtab.agents import promise
from trimtab.agents.cascades import Candidate
from trimtab.agents.controller_bundle import FittedPool, pack_controller
from trimtab.agents.promise import Certificate, Promise
from trimtab.datasets.recorded import chosen_models, read_recorded, recorded_steps
from trimtab.domains.tables import RecordedSteps
from trimtab.errors import ConfigError
from trimtab.records import Bundle
from trimtab.training.cascade_pool import fit_pool
from trimtab.training.controller import FOLDS


def train_controller(
    table: Path,
    *,
    models: Sequence[str] = (),
    strong: str | None = None,
    out: Path,
    train_size: int = 500,
    asked: Promise,
    seed: int = 0,
) -> Bundle:
    """Return the bundle of a controller fitted on a table and written to ``out``.

    Args:
        table: file that :func:`trimtab.datasets.recorded.read_recorded` reads.
        models: those to choose among; all of a table that has at most 8 if none are named.
        strong: what the promise is measured against; the best single one if None.
        out: folder of the bundle.
        train_size: questions to fit on.
        asked: the promise; its window counts the questions to certify on.
        seed: of the shuffle and the folds.

    Where nothing can be saved the bundle holds the strong model alone, uncertified.

    Raises:
        ConfigError: a size leaves too few questions, or the models leave no choice.
        InputError: the table cannot be used, or holds no such model.
        BundleError: the folder cannot be used.
    """
    recorded = read_recorded(table)
    chosen = chosen_models([recorded], models)
    questions, answers = recorded.select(chosen)
    steps = recorded_steps(answers)
    used = train_size + asked.window
    if train_size < 2 * FOLDS or used > steps.n:
        raise ConfigError(
            f"train_size={train_size} and window={asked.window} of the {steps.n} common questions "
            f"of {recorded.name}: give at least {2 * FOLDS} to fit on, and no more than there are"
        )
    rng = np.random.default_rng(seed)
    order = rng.permutation(steps.n)
    pool = fit_pool(steps.take(order[:train_size]), strong=strong, rng=rng)
    certificate = certify_pool(pool, steps.take(order[train_size:used]), asked)
    fitted = FittedPool(
        domain=recorded.name,
        candidates=tuple(pool),
        certificate=certificate,
        used=frozenset(recorded.ids[questions[i]] for i in order[:used]),
    )
    return pack_controller(
        fitted,
        out,
        metrics={
            "candidates": float(len(pool)),
            "certified": float(certificate.certified),
            "llm_share": certificate.llm_share,
            "wealth": certificate.wealth,
            "needed": certificate.needed,
        },
        made_from={
            "models": list(chosen),
            "strong": pool[0].strong,
            "table_hash": recorded.content_hash,
            "train_size": train_size,
            "window": asked.window,
            "seed": seed,
        },
    )


def certify_pool(pool: Sequence[Candidate], window: RecordedSteps, asked: Promise) -> Certificate:
    """Return what questions that fitted nothing show of a pool, from its dearest on.

    Args:
        pool: the strong step alone first, then the candidates dear to cheap.
        window: the questions.
        asked: the promise.
    """
    always, *rest = pool
    strong = window.index(always.strong)
    if not rest:  # no candidate is cheaper than the strong step: nothing to bet on
        return Certificate(
            loss=asked.loss,
            confidence=asked.confidence,
            n=window.n,
            certified=False,
            refused=False,
            candidate="",
            threshold=None,
            llm_share=1.0,
            wealth=1.0,
            needed=1.0 / (1.0 - asked.confidence),
            labels=0,
            tested=0,
        )
    return promise.certify_candidates(
        [_rule(one, window, strong) for one in rest],
        loss=asked.loss,
        confidence=asked.confidence,
        planned=asked.window,
    )


def _rule(candidate: Candidate, window: RecordedSteps, strong: int) -> promise.Candidate:
    """Return a candidate as the certificate sees it."""
    did = candidate.run(window)
    rows = np.arange(window.n)
    same = (window.codes[did.shown, rows] == window.codes[strong]) & (window.codes[strong] >= 0)
    return promise.Candidate(
        name=candidate.name,
        shown=did.shown != strong,
        losses=window.correct[strong].astype(np.float64) - did.correct,
        differs=~same,
        # the controller has settled whose answer it is: any score shows it
        threshold=0.0,
        refuses=not did.asked_strong.any(),
    )
