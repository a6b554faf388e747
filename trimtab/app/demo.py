"""What ``trimtab demo`` does, row by row, without a key.

Each row returns plain JSON; ``trimtab.cli.demo`` shows it. All decisions of a run go to one
ledger, under several domains, so that the report never mixes what was simulated with what was not.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from itertools import count
from typing import Any

from trimtab.app.client import Trimtab
from trimtab.app.demo_folder import clear
from trimtab.app.demo_games import connect_four_row, game_servings
from trimtab.app.demo_papers import papers_row
from trimtab.app.demo_puzzles import puzzle_servings, puzzles_row
from trimtab.app.demo_texts import SEED, TextRows
from trimtab.app.research import Researcher
from trimtab.evals.document import Report, report_to_json
from trimtab.evals.page import render_page
from trimtab.evals.report import build_report
from trimtab.graphs.serving import Serving

ROWS = ("ladder", "stream", "llm", "earn", "connect_four", "puzzles", "papers", "report")


@dataclass(kw_only=True)
class Demo(TextRows):
    """One run of the demo: the rows on texts, those on domains of their own, and the report.

    Attributes:
        clients: the SDK of each row on a domain of its own that ran, by its row; all are on the
            demo's ledger, and the report reads them.
    """

    clients: dict[str, Trimtab] = field(default_factory=dict, init=False)

    def start(self) -> None:
        """Remove what an earlier run of the demo left in the folder.

        Raises:
            ConfigError: the folder holds something else, or cannot be written.
        """
        clear(self.folder, (self.bundle, self.settings.certificates))

    def run(self, row: str) -> dict[str, Any]:
        """Return what a row shows."""
        rows: dict[str, Callable[[], dict[str, Any]]] = {
            "ladder": self.ladder,
            "stream": self.stream,
            "llm": self.ask_llm,
            "earn": self.earn,
            "connect_four": self.connect_four,
            "puzzles": self.puzzles,
            "papers": self.papers,
            "report": self.report,
        }
        return rows[row]()

    def close(self) -> None:
        """Stop the LLM and close the ledger, where they were opened."""
        for client in self.clients.values():
            client.close()
        super().close()

    def connect_four(self) -> dict[str, Any]:
        """Play positions with exact truth: net, searches, and the LLM unless it is recorded."""
        client = self.serve("connect_four", game_servings(self.settings, expert=self.llm.agent))
        return connect_four_row(client, seed=SEED, ask_llm=not self.recorded, track=self.track)

    def puzzles(self) -> dict[str, Any]:
        """Solve puzzles with exact truth: net, restarts, exact search, and the LLM."""
        served = puzzle_servings(self.settings, live=None if self.recorded else self.llm.agent)
        return puzzles_row(self.serve("puzzles", served), track=self.track)

    def papers(self) -> dict[str, Any]:
        """Ask the shipped papers; an outside LLM where there is one and nothing is recorded."""
        ids = map("demo-papers-{:05d}".format, count()).__next__
        with Researcher(self.settings, ledger=self.ledger, new_id=ids) as researcher:
            return papers_row(researcher, ask_llm=not self.recorded, track=self.track)

    def serve(self, row: str, servings: Mapping[str, Serving]) -> Trimtab:
        """Return the SDK of a row on domains of its own, on the demo's ledger."""
        self.clients[row] = Trimtab(
            servings=servings,
            ledger=self.ledger,
            settings=self.settings,
            new_id=map(f"demo-{row}-{{:05d}}".format, count()).__next__,
        )
        return self.clients[row]

    def report(self) -> dict[str, Any]:
        """Write the report on the demo's ledger."""
        for client in self._opened():
            client.flush()
        built = self.build_report()
        page, document = self.folder / "report.html", self.folder / "report.json"
        page.write_text(render_page(built), encoding="utf-8")
        document.write_text(json.dumps(report_to_json(built), indent=1) + "\n", encoding="utf-8")
        return {
            "decisions": sum(domain.n for domain in built.domains),
            "ledger": str(self.ledger_file),
            "html": str(page),
            "json": str(document),
        }

    def build_report(self) -> Report:
        """Return the report on the demo's ledger."""
        clients = self._opened()
        return build_report(
            self.ledger.scan(),
            canonical={
                name: served.domain.canonical
                for client in clients
                for name, served in client.nodes.servings.items()
            },
            always_llm=self.always,
            certificates={
                name: issued.to_json()
                for client in clients
                for name, issued in client.certificates.issued.items()
            },
        )

    def _opened(self) -> list[Trimtab]:
        return [*([self.client] if "client" in vars(self) else []), *self.clients.values()]
