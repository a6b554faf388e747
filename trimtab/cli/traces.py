"""Traces for people: the grid after each recursion of a net."""

from __future__ import annotations

from collections.abc import Sequence

from rich.columns import Columns
from rich.text import Text

from trimtab.evals.recursions import Cell, recursion_cells, recursions_of
from trimtab.records import Decision

STYLES = {"given": "dim", "changed": "bold", "": ""}


def recursion_grids(decision: Decision) -> list[Columns]:
    """Return the grids of each net that ran, up to the kept one; changed cells are starred."""
    drawn = []
    for shown in recursions_of(decision):
        steps = []
        for number, rows in recursion_cells(shown):
            kept = ", kept" if number == shown.kept else ""
            title = Text(f"step {number}, q {shown.q[number - 1]:.1f}{kept}\n", style="bold")
            steps.append(Text("\n").join([title + _line(rows[0]), *map(_line, rows[1:])]))
        drawn.append(Columns(steps, title=shown.agent, padding=(1, 4), expand=False))
    return drawn


def _line(cells: Sequence[Cell]) -> Text:
    line = Text()
    for cell in cells:
        line.append(cell.text, style=STYLES[cell.look])
        line.append("*" if cell.look == "changed" else " ")
    return line
