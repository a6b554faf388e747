"""Audits: the LLM's answer to a few decisions in addition, off the caller's path."""

from __future__ import annotations

import logging
from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor

from trimtab.errors import LLMError
from trimtab.graphs.serving import FEW_SHOT, Serving
from trimtab.protocols import Ledger
from trimtab.records import Decision, Passage

KEPT = 10_000
"""Ended audits whose errors are remembered until the next flush."""

logger = logging.getLogger(__name__)


class Auditor:
    """Asks the LLM about audited decisions on a thread of its own and keeps its answers.

    An audit whose LLM gives no usable answer is lost: logged and counted in ``lost``.
    """

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._pool: ThreadPoolExecutor | None = None
        self._queued: deque[Future[None]] = deque(maxlen=KEPT)
        self.lost = 0

    def submit(self, decision: Decision, serving: Serving) -> None:
        """Queue the audit of a decision; returns at once."""
        if self._pool is None:
            self._pool = ThreadPoolExecutor(1, thread_name_prefix="trimtab-audit")
        self._queued.append(self._pool.submit(self._audit, decision, serving))

    def flush(self) -> None:
        """Return once every audit that was queued has ended; raises what one of them raised."""
        while self._queued:
            self._queued.popleft().result()

    def close(self) -> None:
        """End the running audit; drop those that have not begun."""
        if self._pool is not None:
            self._pool.shutdown(wait=True, cancel_futures=True)

    def _audit(self, decision: Decision, serving: Serving) -> None:
        agent = serving.expert()
        self._ledger.flush()
        kept = self._ledger.get(decision.decision_id)
        if any(prediction.agent == agent.name for prediction in kept.predictions):
            return  # a run that was killed and resumed submits its audit again
        context: list[list[Passage]] = []
        if agent.reads_context and serving.retriever is not None:
            context = [serving.retriever.retrieve(decision.state, k=FEW_SHOT)]
        state = serving.domain.from_text(decision.state)
        try:
            [prediction] = agent.predict([state], context=context)
        except LLMError as error:
            self.lost += 1
            logger.warning("the audit of decision %s is lost: %s", decision.decision_id, error)
            return
        self._ledger.audit(decision.decision_id, prediction).result()
