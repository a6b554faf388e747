"""The demo's row on Connect Four, where every answer can be judged exactly."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from trimtab.agents.promise import Promise
from trimtab.app.certify import MIN_PAIRS
from trimtab.app.client import Trimtab
from trimtab.app.demo_figures import rate
from trimtab.app.demo_folder import Track
from trimtab.app.experts import ExpertFactory
from trimtab.app.serving import bundle_servings, shipped_bundle
from trimtab.app.truth import resolve_by_solver, right_answers
from trimtab.datasets.solved_positions import random_position
from trimtab.domains.connect_four import ConnectFour
from trimtab.graphs.serving import Serving
from trimtab.protocols import AnyDomain
from trimtab.records import Decision, Outcome, Prediction
from trimtab.settings import Settings

GAME = "connect_four"
WITH_LLM = "connect_four (live LLM)"
POSITIONS = 300
PLIES = range(12, 23)
"""Random moves before a position; what comes earlier takes seconds each to solve."""
LLM_POSITIONS = 25
ROUTED_POSITIONS = 100
PROMISE = Promise(loss=0.03, confidence=0.95, window=LLM_POSITIONS)


def game_servings(settings: Settings, *, expert: ExpertFactory) -> dict[str, Serving]:
    """Return what plays, under a domain without and one with the LLM."""
    served = bundle_servings({GAME: shipped_bundle(GAME)}, settings=settings, expert=expert)
    return {GAME: served[GAME], WITH_LLM: served[GAME]}


def connect_four_row(
    client: Trimtab, *, seed: int, ask_llm: bool, track: Track, count: int = POSITIONS
) -> dict[str, Any]:
    """Return who answered, how well by the solver's verdict, and what the LLM is worth.

    Args:
        client: serves :func:`game_servings`.
        seed: of the positions.
        ask_llm: whether the LLM plays too.
        track: wraps a loop in a progress bar.
        count: positions.
    """
    # the serving's own domain: what its solver has seen it need not solve again
    texts = drawn_positions(client.nodes.serving(GAME).domain, count, seed=seed)
    decisions = [
        client.decide(GAME, text, mode="neural_only") for text in track(texts, GAME, len(texts))
    ]
    truths = _judged(client, decisions, track)
    return {
        "n": len(texts),
        "stones": [PLIES.start, PLIES.stop - 1],
        "steps": _steps(client, decisions, truths),
        "routed": rate(truth.reward == 1.0 for truth in truths),
        "net_alone": rate(
            _keeps(decision.predictions[0], truth)
            for decision, truth in zip(decisions, truths, strict=True)
        ),
        "usd_per_1000": 1000 * float(np.mean([d.usage.cost_usd for d in decisions])),
        "seconds_each": float(np.mean([d.usage.latency_s for d in decisions])),
        "llm": _llm(client, texts, track) if ask_llm else None,
    }


def drawn_positions(domain: AnyDomain, count: int, *, seed: int) -> list[str]:
    """Return texts of positions in which a move can be wrong, after uniformly random moves."""
    rng = np.random.default_rng(seed)
    texts: list[str] = []
    while len(texts) < count:
        state = random_position(ConnectFour(), int(rng.choice(PLIES)), rng)
        if state is None:
            continue
        if len(right_answers(domain, state)) < len(domain.legal_actions(state)):
            texts.append(domain.to_text(state))
    return texts


def _steps(
    client: Trimtab, decisions: Sequence[Decision], truths: Sequence[Outcome]
) -> list[dict[str, Any]]:
    """Return, for each agent, what it answered, beside the net alone on the same positions."""
    steps = []
    for agent in client.nodes.serving(GAME).agents:
        own = [
            (decision, truth)
            for decision, truth in zip(decisions, truths, strict=True)
            if decision.route.agent == agent.name
        ]
        steps.append(
            {
                "agent": agent.name,
                "n": len(own),
                "share": len(own) / len(decisions),
                "right": rate(truth.reward == 1.0 for _, truth in own),
                "net_alone": rate(_keeps(d.predictions[0], truth) for d, truth in own),
                "seconds": float(np.mean([d.usage.latency_s for d, _ in own])) if own else None,
                "usd_per_1000": 1000 * float(np.mean([d.usage.cost_usd for d, _ in own]))
                if own
                else None,
            }
        )
    return steps


def _llm(client: Trimtab, texts: Sequence[str], track: Track) -> dict[str, Any]:
    """Let the LLM play, certify a promise with the solver's truth, and route by it."""
    asked = [
        client.decide(WITH_LLM, text)
        for text in track(texts[:LLM_POSITIONS], "live LLM", LLM_POSITIONS)
    ]
    truths = _judged(client, asked, track)
    answered = [
        (d, truth) for d, truth in zip(asked, truths, strict=True) if d.route.agent == "llm"
    ]
    if not answered:
        return {"model": None, "n": len(asked)}
    llm_usages = [decision.predictions[-1].usage for decision, _ in answered]
    verdict = None
    if len(answered) >= MIN_PAIRS:
        verdict = client.certify(WITH_LLM, PROMISE).verdict()
    # without a verdict it would be asked every time, which says nothing new
    routed = texts[LLM_POSITIONS:][:ROUTED_POSITIONS] if verdict else []
    after = [client.decide(WITH_LLM, text) for text in routed]
    return {
        "model": answered[0][0].predictions[-1].tier,
        "n": len(asked),
        "unreadable": len(asked) - len(answered),
        "right": rate(truth.reward == 1.0 for _, truth in answered),
        "searched": rate(_keeps(d.predictions[-2], truth) for d, truth in answered),
        "seconds": float(np.mean([usage.latency_s for usage in llm_usages])),
        "usd_per_1000": 1000 * float(np.mean([usage.cost_usd for usage in llm_usages])),
        "verdict": verdict,
        "share_after": sum(d.route.agent == "llm" for d in after) / len(after) if after else None,
        "n_after": len(after),
    }


def _judged(client: Trimtab, decisions: Sequence[Decision], track: Track) -> list[Outcome]:
    """Return the solver's verdict on every decision, kept in the ledger."""
    client.flush()
    domain = client.nodes.serving(GAME).domain
    watched = track(decisions, "solver", len(decisions))
    return resolve_by_solver(client.ledger, domain, watched)


def _keeps(prediction: Prediction, truth: Outcome) -> bool:
    """Return whether a move keeps the exact result."""
    right = "" if truth.reference is None else truth.reference
    return ConnectFour().canonical(prediction.action) in right.split()
