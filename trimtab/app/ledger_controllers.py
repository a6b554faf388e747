"""Fits a controller for a live domain on its ledger's uniform requests.

The LLM's answers are the ledger's. Small models that did not run on a request run now: the same
weights answer as they would have, so that every step is known on every request, without selection.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np

from trimtab.agents.controller_bundle import FittedPool, pack_controller
from trimtab.agents.promise import Promise
from trimtab.app.controller_training import certify_pool
from trimtab.app.window_bets import Against
from trimtab.domains.tables import RecordedSteps, answer_codes
from trimtab.errors import ConfigError, IllegalAction, InputError
from trimtab.evals.items import LLM, Row, Words
from trimtab.evals.pairs import uniform_pairs
from trimtab.graphs.serving import Serving
from trimtab.ledger import REDACTED
from trimtab.records import Bundle, Decision, Outcome, Prediction
from trimtab.training.cascade_pool import fit_pool
from trimtab.training.controller import FOLDS


def train_live_controller(
    rows: Iterable[Row],
    serving: Serving,
    *,
    out: Path,
    asked: Promise,
    train_size: int,
    against: Against = "gold",
    seed: int = 0,
) -> Bundle:
    """Return the bundle of a controller fitted on a ledger and written to ``out``.

    The oldest requests fit, the next ``asked.window`` certify.

    Args:
        rows: the domain's rows, oldest first.
        serving: what answers the domain; its weights and its LLM are those of the rows that count.
        out: folder of the bundle.
        asked: the promise.
        train_size: requests to fit on.
        against: ``gold`` needs a label wherever answers differ; ``agreement`` takes the LLM to be
            right.
        seed: of the folds.

    Raises:
        ConfigError: a size leaves too few requests.
        InputError: labels are missing.
        BundleError: the folder cannot be used.
    """
    steps, ids = ledger_steps(rows, serving, against=against)
    used = train_size + asked.window
    if train_size < 2 * FOLDS or used > steps.n:
        raise ConfigError(
            f"train_size={train_size} and window={asked.window} of {steps.n} uniform requests: "
            f"give at least {2 * FOLDS} to fit on, and no more than there are"
        )
    order = np.arange(used)
    rng = np.random.default_rng(seed)
    pool = fit_pool(steps.take(order[:train_size]), strong=LLM, rng=rng)
    certificate = certify_pool(pool, steps.take(order[train_size:]), asked)
    return pack_controller(
        FittedPool(
            domain=serving.domain.name,
            candidates=tuple(pool),
            certificate=certificate,
            used=frozenset(ids[:used]),
        ),
        out,
        metrics={
            "candidates": float(len(pool)),
            "certified": float(certificate.certified),
            "llm_share": certificate.llm_share,
        },
        made_from={
            "bundle_id": serving.bundle_id,
            "llm": serving.expert_id,
            "against": against,
            "train_size": train_size,
            "window": asked.window,
            "seed": seed,
        },
    )


def ledger_steps(
    rows: Iterable[Row], serving: Serving, *, against: Against
) -> tuple[RecordedSteps, list[str]]:
    """Return what every step of a domain says on its uniform requests, and their ids.

    Where all steps agree the label may be missing: they are taken to be right, since no choice
    among them can lose anything there.

    Raises:
        InputError: steps differ on a request without a label.
    """
    domain = serving.domain
    outcomes = {decision.decision_id: (decision, outcome) for decision, outcome in rows}
    pairs = uniform_pairs(
        outcomes.values(), canonical=domain.canonical, bundle_id=serving.bundle_id
    )
    chosen = [
        outcomes[pair.decision.decision_id]
        for pair in pairs
        if pair.llm.tier == serving.expert_id and pair.decision.state != REDACTED
    ]
    names = [*(agent.name for agent in serving.agents), LLM]
    trails = [_whole(row[0], serving) for row in chosen]
    answers = [[_spelled(trail[name], serving) for trail in trails] for name in names]
    codes = answer_codes(answers)
    correct = codes == codes[-1]
    if against == "gold":
        words = Words(chosen, domain.canonical)
        correct = np.array(
            [
                [_right(words, trail[name], row) for trail, row in zip(trails, chosen, strict=True)]
                for name in names
            ]
        )
        agree = (codes == codes[-1]).all(axis=0)
        missing = np.isnan(correct).any(axis=0) & ~agree
        if missing.any():
            raise InputError(
                f"{int(missing.sum())} of {len(chosen)} requests need a label, because steps "
                f"differ; give it with trimtab label --domain {domain.name}, or take the LLM to be "
                "right with against='agreement'"
            )
        correct = np.where(np.isnan(correct), 1.0, correct) >= 0.5
    usages = [[trail[name].usage for trail in trails] for name in names]
    steps = RecordedSteps(
        names=tuple(names),
        codes=codes,
        correct=correct,
        cost_usd=np.array([[one.cost_usd for one in of] for of in usages]),
        signals=np.log1p(np.array([[[one.completion_tokens for one in of] for of in usages]])),
    )
    return steps, [decision.decision_id for decision, _ in chosen]


def _whole(decision: Decision, serving: Serving) -> dict[str, Prediction]:
    """Return every step's prediction; small models that did not run do so now."""
    found = {one.agent: one for one in decision.predictions}
    for agent in serving.agents:
        if agent.name not in found:
            state = serving.domain.from_text(decision.state)
            [found[agent.name]] = agent.predict([state], context=[])
    return found


def _spelled(prediction: Prediction, serving: Serving) -> str | None:
    try:
        return serving.domain.canonical(prediction.action)
    except IllegalAction:
        return None


def _right(words: Words, prediction: Prediction, row: tuple[Decision, Outcome | None]) -> float:
    found = words.right(prediction.action, *row)
    return float("nan") if found is None else found
