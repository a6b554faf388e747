"""What the steps of the graph ``research`` work with."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime

from trimtab.agents.research_fit import Fitted
from trimtab.agents.research_llm import ResearchLLM
from trimtab.agents.selection import Selector
from trimtab.protocols import Ledger
from trimtab.rag.library import Library
from trimtab.records import Decision


class PlanCounts:
    """How many plans an LLM made, and how many of them broke their limits. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._made = 0
        self._errors = 0

    def add(self, *, error: bool) -> None:
        """Count one plan."""
        with self._lock:
            self._made += 1
            self._errors += error

    @property
    def totals(self) -> tuple[int, int]:
        """Return plans made and errors among them."""
        with self._lock:
            return self._made, self._errors


@dataclass(frozen=True, slots=True, kw_only=True)
class ResearchKit:
    """All that answers questions; thread-safe.

    Attributes:
        library: opens the corpus; called on first use.
        fitted: probabilities and thresholds.
        selector: which passages are read.
        llm: opens the LLM, called on first use; None where none but the embedded one is set, which
            must not speak for a paper.
        ledger: keeps every answer.
        usd_per_cpu_s: price of what runs here.
        version: of fit and selector, as the ledger names it.
        new_id: draws decision ids.
        now: gives the time, aware.
        told: is given each decision whose ledger row is queued; quick and silent.
        counts: of the plans that the LLM made.
    """

    library: Callable[[], Library]
    fitted: Fitted
    selector: Selector
    llm: Callable[[], ResearchLLM] | None
    ledger: Ledger
    usd_per_cpu_s: float
    version: str
    new_id: Callable[[], str]
    now: Callable[[], datetime]
    told: Callable[[Decision], None]
    counts: PlanCounts = field(default_factory=PlanCounts)
