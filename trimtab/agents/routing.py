"""The routing rules: whose answer is shown, and when the expert must be asked."""

from __future__ import annotations

import hashlib
import threading
from bisect import insort
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from trimtab.agents.gain import GainModel
from trimtab.agents.promise import Certificate
from trimtab.errors import ConfigError, InputError
from trimtab.records import Admission, Prediction, Route

RECENT = 1000
"""Requests over which the spending rule compares confidences."""
DEPTH = "depth"
"""Signal of an answer that replaces every answer of the same kind with a smaller one."""
SAVED_ANSWERS = 20
"""Answers of the expert that unspent money may be saved up for, so that a quiet hour does not
pay for a burst."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PromiseRule:
    """Shows the small models' answer only where a certificate lets it.

    Without a certificate the expert is always asked. Under one, a share of requests, drawn
    before their trail is known, asks the expert in addition: they keep the certificate honest.

    Attributes:
        certificate: what was certified; None if nothing was.
        gain: scores an answer; its confidence does if None.
        expert: name of the agent that is asked.
        audit_rate: share of requests in [0, 1) that is audited under a certificate.
        seed: of the audits.
        current_rate: gives the share to audit now, from alarms; ``audit_rate`` holds if None.
    """

    certificate: Certificate | None = None
    gain: GainModel | None = None
    expert: str = "llm"
    audit_rate: float = 0.02
    seed: int = 0
    current_rate: Callable[[], float] | None = None

    def __post_init__(self) -> None:
        if not 0.0 <= self.audit_rate < 1.0:
            raise ConfigError(f"audit_rate={self.audit_rate} is not a share in [0, 1)")

    def admit(self, decision_id: str) -> Admission:
        """Draw whether a decision is audited; the draw depends on its id and the seed alone."""
        rate = self.audit_rate if self.current_rate is None else self.current_rate()
        if self.certificate is None or not self.certificate.certified or not rate:
            return Admission(audit=False, propensity=1.0)
        digest = hashlib.sha256(f"{self.seed}\0{decision_id}".encode()).digest()
        audit = int.from_bytes(digest[:8], "big") / 2**64 < rate
        return Admission(audit=audit, propensity=rate if audit else 1.0 - rate)

    def route(self, predictions: Sequence[Prediction]) -> Route:
        """Return the route; the expert's where nothing is certified for the best cheap answer."""
        cheap = [p for p in predictions if p.agent != self.expert]
        best = most_confident(cheap)
        certificate = self.certificate
        if certificate is None or not certificate.certified:
            return Route(agent=self.expert, reason="uncertified", confidence=None, threshold=None)
        threshold = certificate.threshold
        if best is None or not certificate.shows_cheap(self.score(best)):
            return Route(
                agent=self.expert, reason="uncertain", confidence=None, threshold=threshold
            )
        return Route(
            agent=best.agent,
            reason="refused" if certificate.refused else "confident",
            confidence=best.confidence,
            threshold=threshold,
        )

    def score(self, prediction: Prediction) -> float:
        """Return what the certificate's threshold is compared with; larger is surer.

        An answer that lacks a feature of the gain model is never sure enough.
        """
        if self.gain is None:
            return prediction.confidence or 0.0
        if not self.gain.covers(prediction):
            return float("-inf")
        return self.gain.score(prediction)


class SpendingRule:
    """Asks the expert about the least sure requests that a spending rate pays for.

    Each request earns its share of the rate. The expert is asked where the answer's confidence is
    among the lowest of the last ``RECENT``, as many as the rate pays for, and the money is there.
    It makes no promise about quality: the report says what the money bought. Thread-safe.
    """

    def __init__(self, *, expert: str = "llm") -> None:
        self._expert = expert
        self._lock = threading.Lock()
        self._order: deque[float] = deque()
        self._sorted: list[float] = []
        self._saved_usd = 0.0
        self._spent_usd = 0.0
        self._answers = 0

    def route(
        self, predictions: Sequence[Prediction], *, usd_per_1000: float, price_usd: float
    ) -> Route:
        """Return the route of one request, and take the expert's price from what was saved.

        Args:
            predictions: the trail of the small models; not empty.
            usd_per_1000: the spending rate in US dollars per 1,000 requests.
            price_usd: an upper estimate of what one answer of the expert costs.
        """
        best = most_confident(predictions)
        if best is None:
            raise InputError("mode='adaptive' needs an answer of the small models; none was made")
        confidence = best.confidence or 0.0
        earned = usd_per_1000 / 1000.0
        with self._lock:
            # the estimate is an upper one: the share follows what answers really cost
            mean_usd = self._spent_usd / self._answers if self._answers else price_usd
            share = 1.0 if mean_usd <= 0.0 else min(1.0, earned / mean_usd)
            self._saved_usd = min(self._saved_usd + earned, SAVED_ANSWERS * price_usd + earned)
            self._remember(confidence)
            cut = self._sorted[min(len(self._sorted) - 1, int(share * len(self._sorted)))]
            # equal confidences all want the money; the purse decides among them
            wanted = share >= 1.0 or confidence <= cut
            paid = self._saved_usd >= price_usd
            if wanted and paid:
                self._saved_usd -= price_usd
        if wanted and paid:
            return Route(agent=self._expert, reason="spending", confidence=None, threshold=cut)
        return Route(agent=best.agent, reason="spending", confidence=best.confidence, threshold=cut)

    def settle(self, *, estimate_usd: float, cost_usd: float) -> None:
        """Give back what an answer cost less than its estimate, or take what it cost more."""
        with self._lock:
            self._saved_usd += estimate_usd - cost_usd
            if cost_usd > 0.0:
                self._spent_usd += cost_usd
                self._answers += 1

    def _remember(self, confidence: float) -> None:
        self._order.append(confidence)
        insort(self._sorted, confidence)
        if len(self._order) > RECENT:
            self._sorted.remove(self._order.popleft())


def most_confident(predictions: Sequence[Prediction]) -> Prediction | None:
    """Return the prediction with the largest confidence, the earliest of equals.

    Among predictions with the signal ``DEPTH`` only the deepest count: it saw all that the
    shallower ones saw, and where it is less sure it has found out why.
    """
    if len(predictions) < 2:
        return predictions[0] if predictions else None
    deepest = max(prediction.signals.get(DEPTH, 0.0) for prediction in predictions)
    return max(
        (p for p in predictions if p.signals.get(DEPTH, deepest) == deepest),
        key=lambda prediction: prediction.confidence or 0.0,
    )
