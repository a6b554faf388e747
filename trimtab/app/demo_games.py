"""The demo's row on Connect Four, where every answer can be judged exactly."""

from __future__ import annotations

from typing import Any

import numpy as np

from trimtab.app.client import Trimtab
from trimtab.app.demo_exact import ExactRow
from trimtab.app.demo_folder import Track
from trimtab.app.experts import ExpertFactory
from trimtab.app.serving import bundle_servings, shipped_bundle
from trimtab.app.truth import right_answers
from trimtab.datasets.solved_positions import random_position
from trimtab.domains.connect_four import ConnectFour
from trimtab.graphs.serving import Serving
from trimtab.protocols import AnyDomain
from trimtab.settings import Settings

GAME = "connect_four"
WITH_LLM = "connect_four (live LLM)"
POSITIONS = 300
PLIES = range(12, 23)
"""Random moves before a position; what comes earlier takes seconds each to solve."""


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
    row = ExactRow(client=client, name=GAME, with_llm=WITH_LLM, track=track)
    return {"stones": [PLIES.start, PLIES.stop - 1], **row.show(texts, ask_llm=ask_llm)}


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
