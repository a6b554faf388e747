"""What is kept of one promise while it lives."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from trimtab.agents.issued import Issued, Withdrawal
from trimtab.agents.promise import Promise
from trimtab.agents.promise_windows import PromiseWindows
from trimtab.agents.routing import most_confident
from trimtab.app.canaries import Canaries
from trimtab.app.window_bets import Against
from trimtab.errors import ConfigError
from trimtab.evals.items import EXPERTS, Row
from trimtab.records import Decision, Outcome
from trimtab.release.drift import Alarm, DriftPlan

SCHEMA = "trimtab.watch/2"


@dataclass(slots=True, kw_only=True)
class Watched:
    """One promise. Not thread-safe: its owner locks.

    Attributes:
        domain: whose requests it is about.
        asked: the promise.
        against: what its losses are measured against.
        windows: its phases and alarms.
        issued: the newest certificate, in force or not; None before the first.
        warm: the one that was in force last; the next window bets on it from the start.
        since: only requests decided later belong to the open window; None before the first.
        rows: requests of the open window, in the order of drawing; without a window those that
            the next one may begin with.
        looked: whether any window was looked at, so that no other promise may be asked for.
        labels: outcomes that arrived since the last look.
        missing: labels that the last look lacked.
        late: requests beyond a full window that waits for labels.
        waiting: audited decisions whose loss is not known yet, with what was said of them.
        canaries: asked of the LLM, if any were given.
        credit: canaries that traffic has paid for and nobody has asked yet.
        unsaved: values taken since the state was last kept.
    """

    domain: str
    asked: Promise
    against: Against
    windows: PromiseWindows
    issued: Issued | None = None
    warm: Issued | None = None
    since: datetime | None = None
    rows: dict[str, Row] = field(default_factory=dict)
    looked: bool = False
    labels: int = 0
    missing: int = 0
    late: int = 0
    waiting: dict[str, Outcome | None] = field(default_factory=dict)
    canaries: Canaries | None = None
    credit: float = 0.0
    unsaved: int = 0

    @property
    def in_force(self) -> Issued | None:
        """Return the certificate that routes, None where the LLM is always asked."""
        return self.issued if self.windows.phase == "certified" else None

    @property
    def withdrawals(self) -> tuple[Withdrawal, ...]:
        """Return the alarms so far that took a certificate back."""
        return () if self.issued is None else self.issued.withdrawals

    @property
    def is_full(self) -> bool:
        """Return whether the open window takes no more requests."""
        return self.windows.is_open and self.windows.rows >= self.windows.planned

    def is_same(self, promise: Promise, against: Against) -> bool:
        """Return whether this very promise is asked for; another one may replace it while unseen.

        Several promises, or several window lengths, tried on the same requests would spend the
        allowed error several times.

        Raises:
            ConfigError: it is another one, and requests were bet on already.
        """
        if (self.asked, self.against) == (promise, against):
            return True
        if not self.looked:
            return False
        raise ConfigError(
            f"the requests of domain {self.domain!r} are bet on for loss={self.asked.loss:g}, "
            f"confidence={self.asked.confidence:g}, window={self.asked.window}, against="
            f"{self.against}; another promise on the same requests would not hold with its "
            "confidence: ask for that one, or train a new bundle"
        )

    def arm(self, canaries: Canaries, *, audit_rate: float) -> None:
        """Watch by these canaries; A3 begins anew, the other alarms go on."""
        self.canaries = canaries
        drift = drift_plan(self.asked.loss, audit_rate=audit_rate, canaries=canaries)
        self.windows.watch_by(drift, canary_errors=canaries.errors)

    @property
    def looks_again(self) -> bool:
        """Return whether a full window that waits for labels is worth another look.

        It is after ever longer waits, so that what waiting costs grows as the requests do.
        """
        looks, between = divmod(self.late, self.windows.plan.every)
        return not between and not looks & (looks - 1)

    def open_with_rows(self, now: datetime) -> None:
        """Let the open window begin with the requests held; with the next one if there are none."""
        held = [decision.created_at for decision, _ in self.rows.values()]
        self.since = min(held) - timedelta(microseconds=1) if held else now

    def begin(self, since: datetime) -> None:
        """Leave all requests until then behind: the next window's are decided later."""
        self.since = since
        self.rows.clear()
        self.waiting.clear()
        self.labels = self.missing = self.late = 0
        self.credit = 0.0

    def to_json(self) -> dict[str, Any]:
        """Return the state as plain JSON values; the requests are the ledger's."""
        return {
            "schema": SCHEMA,
            "domain": self.domain,
            "asked": asdict(self.asked),
            "against": self.against,
            "windows": self.windows.to_json(),
            "warm": None if self.warm is None else self.warm.to_json(),
            "since": None if self.since is None else self.since.isoformat(),
            "looked": self.looked,
            "waiting": {
                name: None if said is None else asdict(said) for name, said in self.waiting.items()
            },
            "canaries": None if self.canaries is None else self.canaries.to_json(),
            "credit": self.credit,
        }


def drift_plan(loss: float, *, audit_rate: float, canaries: Canaries | None) -> DriftPlan:
    """Return what watches a promise's certificates.

    Args:
        loss: the promise.
        audit_rate: share of requests audited while all is quiet; 0 leaves A2 out.
        canaries: for A3; None leaves it out.
    """
    watches: list[Alarm] = ["A1"]
    if audit_rate:
        watches.append("A2")
    if canaries is not None:
        watches.append("A3")
    plan = DriftPlan(loss=loss, watches=tuple(watches))
    if audit_rate:
        often = max(audit_rate, plan.suspicious_rate)
        plan = replace(plan, audit_rate=audit_rate, suspicious_rate=often)
    return plan


def small_confidence(decision: Decision) -> float | None:
    """Return how sure the small models' best answer is, whoever's was shown; None without one."""
    best = most_confident([p for p in decision.predictions if p.agent not in EXPERTS])
    return None if best is None else best.confidence or 0.0
