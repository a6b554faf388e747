"""The life of a promise for the report: its windows so far, and the one that is open."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from trimtab.agents.promise_windows import Phase, PromiseWindows
from trimtab.agents.window_plan import Window
from trimtab.evals.wording import percent

OPENED: Mapping[str, str] = {
    "cold start": "the cold start",
    "retry": "a retry",
    "a person": "a person",
    "A1": "alarm A1",
    "A2": "alarm A2",
    "A3": "alarm A3",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Life:
    """A promise that renews itself.

    Attributes:
        phase: where it stands.
        window: number of the window that is open, or that ended last.
        rows: requests of that window.
        planned: requests that it takes at most.
        retry: requests from a window without a certificate to the next one.
        opened_by: what opened it.
        ended: windows that ended, oldest first.
    """

    phase: Phase
    window: int
    rows: int
    planned: int
    retry: int
    opened_by: str
    ended: tuple[Window, ...]


def read_life(plain: Mapping[str, Any]) -> Life:
    """Return what the state of a promise's windows says.

    Raises:
        InputError: it is none.
    """
    windows = PromiseWindows.from_json(plain)
    return Life(
        phase=windows.phase,
        window=windows.number,
        rows=windows.rows,
        planned=windows.planned,
        retry=windows.plan.retry,
        opened_by=str(plain["opened_by"]),
        ended=windows.history,
    )


def life_told(life: Life) -> list[str]:
    """Return in sentences what the windows of a promise came to."""
    lines = []
    if life.phase in ("cold start", "recollecting"):
        full = ", which is full and waits for labels" if life.rows >= life.planned else ""
        lines.append(
            f"Window {life.window}, opened by {_by(life.opened_by)}, holds {life.rows:,} of at "
            f"most {life.planned:,} requests{full}: the LLM is always asked until it certifies."
        )
    if life.phase == "no saving":
        lines.append(
            f"No saving: window {life.window} could certify nothing, so the LLM is always asked; "
            f"the next window opens {life.retry:,} requests after it, or with trimtab certify."
        )
    if len(life.ended) > 1 or (life.ended and life.phase != "certified"):
        told = "; ".join(_ended(window) for window in life.ended)
        lines.append(f"Windows so far: {told}.")
    return lines


def _ended(window: Window) -> str:
    by = f"{window.number}, opened by {_by(window.opened_by)}, {window.rows:,} requests"
    if not window.candidate:
        return f"{by}, nothing certified"
    return f"{by}, certified with {percent(window.llm_share)} asking the LLM"


def _by(opened_by: str) -> str:
    return OPENED.get(opened_by, opened_by)
