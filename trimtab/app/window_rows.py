"""The requests of an open window: which belong to it, and how they come back from the ledger."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from trimtab.app.watched import Watched
from trimtab.evals.items import Row
from trimtab.evals.pairs import Pair, uniform_pairs
from trimtab.graphs.serving import Serving
from trimtab.protocols import Ledger
from trimtab.records import Decision


@dataclass(frozen=True, slots=True)
class WindowRows:
    """Finds the requests of windows.

    Attributes:
        ledger: where decisions and outcomes are.
        serving: gives what answers a domain now.
    """

    ledger: Ledger
    serving: Callable[[str], Serving]

    def pairs(self, domain: str, rows: Sequence[Row]) -> list[Pair]:
        """Return the uniform pairs of the weights and the LLM that are served."""
        serving = self.serving(domain)
        found = uniform_pairs(rows, canonical=serving.domain.canonical, bundle_id=serving.bundle_id)
        return [pair for pair in found if pair.llm.tier == serving.expert_id]

    def belongs(self, watched: Watched, decision: Decision) -> bool:
        """Return whether a decision may be one of the open window's requests."""
        later = watched.since is None or decision.created_at > watched.since
        return later and bool(self.pairs(decision.domain, [(decision, None)]))

    def refill(self, domain: str, watched: Watched) -> None:
        """Take requests from the ledger: the newest for a window to come, else the open one's.

        An open window keeps its first requests whatever came later: with others, each restart would
        bet on them with an error that is spent.
        """
        rows = [
            (decision, outcome)
            for decision, outcome in self.ledger.scan(domain=domain)
            if watched.since is None or decision.created_at > watched.since
        ]
        ids = [pair.decision.decision_id for pair in self.pairs(domain, rows)]
        planned = watched.windows.planned
        open_already = watched.windows.is_open and watched.since is not None
        chosen = set(ids[:planned] if open_already else ids[-planned:])
        watched.rows = {row[0].decision_id: row for row in rows if row[0].decision_id in chosen}
        if watched.windows.is_open and chosen:
            watched.windows.collected(len(chosen))

    def refresh(self, domain: str, watched: Watched) -> None:
        """Read outcomes that reached the ledger without this client."""
        for decision, outcome in self.ledger.scan(domain=domain):
            if outcome is not None and decision.decision_id in watched.rows:
                watched.rows[decision.decision_id] = (decision, outcome)

    def too_few(self, domain: str, watched: Watched, least: int) -> str:
        """Return what an error says of a window that cannot be looked at yet."""
        serving = self.serving(domain)
        return (
            f"domain {domain!r} has {len(watched.rows)} requests on which both "
            f"{serving.expert_id} and the small models of bundle {serving.bundle_id[:12]} answered "
            f"without selection; at least {least} are needed: decide more in mode 'auto', and the "
            "promise, which is asked for now, is certified by itself"
        )
