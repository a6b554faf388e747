"""Audits: the LLM's answer to a few decisions in addition, off the caller's path."""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, wait

from trimtab.errors import TrimtabError
from trimtab.graphs.serving import FEW_SHOT, Serving
from trimtab.protocols import Ledger
from trimtab.records import Decision, Passage, Prediction

CLOSING_S = 60.0
WORKERS = 8
"""Audits asked at once: one by one they would fall behind fast traffic, and alarms with them."""
MOST_WAITING = 64
"""Audits that may wait at once; a further one is waited for by whoever asks for it. Alarms hear
audits alone: with more of them behind, fast traffic would run on unheard."""
KEPT = 10_000
"""Audits that may wait at once; older ones are not waited for any more."""

logger = logging.getLogger(__name__)


class Auditor:
    """Asks the LLM about audited decisions on threads of its own and keeps its answers.

    An audit that fails is lost: logged and counted in ``lost``.

    Args:
        ledger: where decisions are and answers go.
        answered: told of every audited decision whose answer is durable, on an audits' thread.
        most_waiting: audits that may wait before :meth:`submit` does.
    """

    def __init__(
        self,
        ledger: Ledger,
        *,
        answered: Callable[[Decision], None] | None = None,
        most_waiting: int = MOST_WAITING,
    ) -> None:
        self._ledger = ledger
        self._answered = answered
        self._opening = threading.Lock()
        self._pool: ThreadPoolExecutor | None = None
        self._places = threading.BoundedSemaphore(most_waiting)
        self._queued: deque[Future[None]] = deque(maxlen=KEPT)
        self.lost = 0

    def submit(self, decision: Decision, serving: Serving) -> None:
        """Queue the audit of a decision; returns at once unless too many are waiting."""
        self._places.acquire()
        self._queue(lambda: self._audit(decision, serving)).add_done_callback(
            lambda _: self._places.release()
        )

    def queue(self, task: Callable[[], None]) -> None:
        """Queue what else asks the LLM off the caller's path; returns at once."""
        self._queue(task)

    def _queue(self, task: Callable[[], None]) -> Future[None]:
        with self._opening:
            if self._pool is None:
                self._pool = ThreadPoolExecutor(WORKERS, thread_name_prefix="trimtab-audit")
        future = self._pool.submit(task)
        self._queued.append(future)
        return future

    def flush(self) -> None:
        """Return once every audit that was queued has ended."""
        while self._queued:
            self._queued.popleft().result()

    def close(self, *, within_s: float = CLOSING_S) -> None:
        """Wait for what is queued, at most so long; what has not begun by then is lost."""
        if self._pool is None:
            return
        wait(self._queued, timeout=within_s)
        self._pool.shutdown(wait=True, cancel_futures=True)
        dropped = sum(future.cancelled() for future in self._queued)
        if dropped:
            self.lost += dropped
            logger.warning("%d audits are lost: the client was closed before them", dropped)

    def _audit(self, decision: Decision, serving: Serving) -> None:
        try:
            self._ask(decision, serving)
        except TrimtabError as error:
            self.lost += 1
            logger.warning("the audit of decision %s is lost: %s", decision.decision_id, error)

    def _ask(self, decision: Decision, serving: Serving) -> None:
        agent = serving.expert()
        self._ledger.flush()
        kept = self._ledger.get(decision.decision_id)
        if any(prediction.agent == agent.name for prediction in kept.predictions):
            return  # a run that was killed and resumed submits its audit again
        self._ledger.audit(decision.decision_id, ask_expert(serving, decision.state)).result()
        if self._answered is not None:
            self._answered(decision)


def ask_expert(serving: Serving, text: str) -> Prediction:
    """Return the LLM's answer to a text, asked as a decision asks it; raises ``LLMError``."""
    agent = serving.expert()
    context: list[list[Passage]] = []
    if agent.reads_context and serving.retriever is not None:
        context = [serving.retriever.retrieve(text, k=FEW_SHOT)]
    [prediction] = agent.predict([serving.domain.from_text(text)], context=context)
    return prediction
