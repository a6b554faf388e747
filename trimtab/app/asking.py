"""What the SDK's client can be asked about papers: one researcher per corpus, on first use."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import TYPE_CHECKING

from trimtab.app.metrics import Metrics
from trimtab.app.serving import LLM
from trimtab.protocols import Ledger
from trimtab.settings import Settings

if TYPE_CHECKING:
    from trimtab.agents.answers import Answer
    from trimtab.app.research import Researcher
    from trimtab.graphs.research_state import AskMode

_OPENING = threading.Lock()


class Asking:
    """A client that answers questions over papers; thread-safe."""

    settings: Settings
    ledger: Ledger
    metrics: Metrics
    _llm: LLM
    _researchers: dict[Path | None, Researcher] | None = None

    def ask(
        self,
        question: str,
        *,
        mode: AskMode = "auto",
        category: str = "",
        since: str = "",
        until: str = "",
        corpus: Path | str | None = None,
        decision_id: str = "",
    ) -> Answer:
        """Return a cited answer from papers, or that the corpus does not say.

        Its ledger row is queued.

        Args:
            question: in plain words.
            mode: ``auto`` asks the LLM where the sentences found are not sure enough,
                ``neural_only`` never, ``llm_only`` always. The embedded LLM is never asked.
            category: only papers of this arXiv category.
            since: first day, ``YYYY-MM-DD``.
            until: last day.
            corpus: folder of a corpus; the papers of trimtab if None.
            decision_id: an id of the caller's own; drawn if empty.

        Raises:
            InputError: question or filter cannot be used.
            ConfigError: ``llm_only`` without an LLM, or a corpus of another embedder.
        """
        return self.researcher(corpus).ask(
            question,
            mode=mode,
            category=category,
            since=since,
            until=until,
            decision_id=decision_id,
        )

    def researcher(self, corpus: Path | str | None = None) -> Researcher:
        """Return what answers questions over a corpus, that of trimtab if None."""
        from trimtab.app.research import Researcher

        folder = None if corpus is None else Path(corpus)
        with _OPENING:
            if self._researchers is None:
                self._researchers = {}
            if folder not in self._researchers:
                self._researchers[folder] = Researcher(
                    self.settings,
                    ledger=self.ledger,
                    corpus=folder,
                    breaker=self._llm.breaker,
                    told=self.metrics.decided,
                )
            return self._researchers[folder]

    def close_researchers(self) -> None:
        """Close what was opened to answer questions over papers."""
        with _OPENING:
            opened, self._researchers = self._researchers or {}, None
        for researcher in opened.values():
            researcher.close()
