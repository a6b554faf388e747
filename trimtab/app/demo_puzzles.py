"""The demo's row on puzzles, where every answer can be judged exactly."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from trimtab.app.client import Trimtab
from trimtab.app.demo_exact import LLM_REQUESTS, ROUTED_REQUESTS, ExactRow
from trimtab.app.demo_folder import Track
from trimtab.app.experts import ExpertFactory
from trimtab.app.serving import LLM, bundle_servings, shipped_bundle, shipped_recording
from trimtab.datasets.puzzles import Kind, PuzzleRow, generate
from trimtab.domains.sudoku_generator import Grade
from trimtab.graphs.serving import Serving
from trimtab.settings import Settings

SEED = 2_000_003
"""Keeps these puzzles' seeds apart from those that nets are trained and fitted on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Puzzles:
    """Puzzles of a shipped net: how many, and of which grades in turn (any if empty)."""

    kind: Kind
    count: int
    grades: tuple[Grade, ...] = ()

    def draw(self, count: int) -> list[PuzzleRow]:
        """Return so many generated puzzles; fewer of them are the first ones of more."""
        return generate(self.kind, count, seed=SEED, grades=self.grades)


ASKED = Puzzles(kind="sudoku6", count=300)
"""The puzzles on whose first ones the LLM is asked."""
GRADED = Puzzles(kind="sudoku9", count=30, grades=("easy", "medium", "hard"))
"""Harder ones, on which the net has to know that it needs restarts and search."""
SOLVED = (ASKED, GRADED)
LIVE = f"{ASKED.kind} (live LLM)"
RECORDED = f"{ASKED.kind} (recorded LLM)"


def puzzle_servings(settings: Settings, *, live: ExpertFactory | None) -> dict[str, Serving]:
    """Return what solves, under a domain per kind of puzzle and one with the LLM.

    Args:
        settings: which LLM.
        live: opens it. The shipped answers are played where it is None, and in the place of the
            embedded LLM, which takes seconds over a grid.
    """
    name, expert = LIVE, live
    if expert is None or settings.llm_model is None:
        name, settings = RECORDED, replace(settings, llm_model=None)
        expert = LLM(settings, recording=shipped_recording(ASKED.kind)).agent
    folders: dict[str, Path] = {puzzles.kind: shipped_bundle(puzzles.kind) for puzzles in SOLVED}
    served = bundle_servings(folders, settings=settings, expert=expert)
    return {**served, name: served[ASKED.kind]}


def puzzles_row(client: Trimtab, *, track: Track, count: int | None = None) -> dict[str, Any]:
    """Return who answered, how well by the exact solver's verdict, and what the LLM is worth.

    Args:
        client: serves :func:`puzzle_servings`.
        track: wraps a loop in a progress bar.
        count: puzzles of each kind at the most.
    """
    with_llm = RECORDED if RECORDED in client.domains else LIVE
    shown = []
    for puzzles in SOLVED:
        wanted = puzzles.count if count is None else min(count, puzzles.count)
        texts = [row.question for row in puzzles.draw(wanted)]
        row = ExactRow(client=client, name=puzzles.kind, with_llm=with_llm, track=track)
        told = row.show(texts, ask_llm=puzzles == ASKED)
        shown.append({"puzzle": puzzles.kind, "grades": list(puzzles.grades), **told})
    return {"recorded": with_llm == RECORDED, "puzzles": shown}


def recorded_puzzles() -> list[PuzzleRow]:
    """Return the puzzles on which the LLM is asked or audited."""
    return ASKED.draw(LLM_REQUESTS + ROUTED_REQUESTS)
