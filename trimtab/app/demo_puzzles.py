"""The demo's row on puzzles, where every answer can be judged exactly."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from trimtab.app.client import Trimtab
from trimtab.app.demo_exact import LLM_REQUESTS, ROUTED_REQUESTS, ExactRow
from trimtab.app.demo_folder import Track
from trimtab.app.experts import ExpertFactory
from trimtab.app.serving import LLM, bundle_servings, shipped_bundle, shipped_recording
from trimtab.datasets.puzzles import Kind, PuzzleRow, generate
from trimtab.graphs.serving import Serving
from trimtab.settings import Settings

KIND: Kind = "sudoku6"
LIVE = f"{KIND} (live LLM)"
RECORDED = f"{KIND} (recorded LLM)"
SEED = 2_000_003
"""Keeps these puzzles' seeds apart from those that nets are trained and fitted on."""
PUZZLES = 300


def puzzle_servings(settings: Settings, *, live: ExpertFactory | None) -> dict[str, Serving]:
    """Return what solves, under a domain without and one with the LLM.

    Args:
        settings: which LLM.
        live: opens it. The shipped answers are played where it is None, and in the place of the
            embedded LLM, which takes seconds over a grid.
    """
    name, expert = LIVE, live
    if expert is None or settings.llm_model is None:
        name, settings = RECORDED, replace(settings, llm_model=None)
        expert = LLM(settings, recording=shipped_recording(KIND)).agent
    served = bundle_servings({KIND: shipped_bundle(KIND)}, settings=settings, expert=expert)
    return {KIND: served[KIND], name: served[KIND]}


def puzzles_row(client: Trimtab, *, track: Track, count: int = PUZZLES) -> dict[str, Any]:
    """Return who answered, how well by the exact solver's verdict, and what the LLM is worth.

    Args:
        client: serves :func:`puzzle_servings`.
        track: wraps a loop in a progress bar.
        count: puzzles.
    """
    [with_llm] = set(client.domains) - {KIND}
    texts = [puzzle.question for puzzle in drawn_puzzles(count)]
    row = ExactRow(client=client, name=KIND, with_llm=with_llm, track=track)
    return {
        "puzzle": KIND,
        "recorded": with_llm == RECORDED,
        **row.show(texts, ask_llm=True),
    }


def drawn_puzzles(count: int = LLM_REQUESTS + ROUTED_REQUESTS) -> list[PuzzleRow]:
    """Return generated puzzles; the first are those that the LLM is asked, or audited, on."""
    return generate(KIND, count, seed=SEED)
