"""What is kept of one promise while it lives, and its way to a file and back."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from trimtab.agents.issued import Issued, Withdrawal
from trimtab.agents.promise import Promise
from trimtab.agents.promise_windows import PromiseWindows
from trimtab.agents.routing import most_confident
from trimtab.agents.window_plan import Window
from trimtab.app.canaries import Canaries
from trimtab.app.certify import plan_of
from trimtab.app.window_bets import AGREEMENT, Against
from trimtab.errors import ConfigError, InputError
from trimtab.evals.items import EXPERTS, Row
from trimtab.records import Decision, Outcome
from trimtab.release.drift import Alarm, Alarms, DriftPlan

SCHEMA = "trimtab.watch/2"

logger = logging.getLogger(__name__)


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
        since: only requests decided later belong to the open window; None for all.
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


def read_watched(path: Path, issued: Issued | None, *, audit_rate: float) -> Watched | None:
    """Return what was kept of a promise, its requests left out; None where nothing was.

    The certificate's file leads: where the two disagree because a process was killed between
    writing them, the windows go on from the certificate, and no number is used twice.

    Raises:
        InputError: the file cannot be read.
    """
    plain = _read(path)
    if plain is None:
        return None if issued is None else _from_certificate(issued, audit_rate=audit_rate)
    try:
        state = dict(plain["windows"])
        if state["phase"] in ("cold start", "recollecting"):
            state["rows"] = 0  # the ledger tells
        found = Watched(
            domain=plain["domain"],
            asked=Promise(**plain["asked"]),
            against=plain["against"],
            windows=PromiseWindows.from_json(state),
            issued=issued,
            warm=None if plain["warm"] is None else Issued.from_json(plain["warm"]),
            since=None if plain["since"] is None else datetime.fromisoformat(plain["since"]),
            looked=bool(plain["looked"]),
            waiting={
                name: None if said is None else Outcome(**said)
                for name, said in plain["waiting"].items()
            },
            canaries=None if plain["canaries"] is None else Canaries.from_json(plain["canaries"]),
            credit=float(plain["credit"]),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(f"{path} is no state of a promise ({error!r}); delete it") from error
    if issued is None:
        if found.windows.phase == "certified":
            found.windows.recollect("no certificate")
    elif not _agree(found.windows, issued):
        fresh = _from_certificate(issued, audit_rate=audit_rate, before=found)
        return replace(fresh, canaries=found.canaries, warm=fresh.warm or found.warm)
    return found


def read_windows(path: Path) -> tuple[str, dict[str, Any]] | None:
    """Return the domain and the windows of a promise as they were kept; None where none was.

    Raises:
        InputError: the file cannot be read.
    """
    plain = _read(path)
    return None if plain is None else (str(plain["domain"]), dict(plain["windows"]))


def small_confidence(decision: Decision) -> float | None:
    """Return how sure the small models' best answer is, whoever's was shown; None without one."""
    best = most_confident([p for p in decision.predictions if p.agent not in EXPERTS])
    return None if best is None else best.confidence or 0.0


def _agree(windows: PromiseWindows, issued: Issued) -> bool:
    if _is_in_force(issued):
        return windows.phase == "certified" and windows.number == issued.attempt
    return windows.phase != "certified" and windows.number >= _next_number(issued)


def _is_in_force(issued: Issued) -> bool:
    return issued.certificate.certified and issued.withdrawn is None


def _next_number(issued: Issued) -> int:
    taken = issued.withdrawn
    return issued.attempt if taken is None else taken.looked + 1


def _from_certificate(
    issued: Issued, *, audit_rate: float, before: Watched | None = None
) -> Watched:
    """Return a promise of which nothing but the certificate is known."""
    loss = issued.certificate.loss
    asked = Promise(loss=loss, confidence=issued.asked, window=issued.window)
    plan = plan_of(asked)
    canaries = None if before is None else before.canaries
    drift = drift_plan(loss, audit_rate=audit_rate, canaries=canaries)
    state = PromiseWindows(plan, drift).to_json()
    alarms: Mapping[str, Any] | None = None
    since = issued.last if issued.withdrawn is None else issued.withdrawn.at
    if _is_in_force(issued):
        state |= {"phase": "certified", "number": issued.attempt}
        if issued.predicted is None:
            logger.warning(
                "the certificate of domain %s is of a version without alarms, and none watch it; "
                "delete it and certify again",
                issued.domain,
            )
        else:
            errors = 0.0 if canaries is None else canaries.errors
            alarms = Alarms(drift, issued.predicted, canary_errors=errors).to_json()
    elif issued.withdrawn is not None:
        opened_by = issued.withdrawn.alarm
        state |= {"phase": "recollecting", "number": _next_number(issued), "opened_by": opened_by}
    else:
        state |= {"phase": "no saving", "number": issued.attempt}
    history = [] if before is None else before.windows.to_json()["history"]
    if issued.certificate.certified and not history:
        history = [asdict(_window(issued))]
    return Watched(
        domain=issued.domain,
        asked=asked,
        against="agreement" if issued.certificate.against == AGREEMENT else "gold",
        windows=PromiseWindows.from_json(state | {"alarms": alarms, "history": history}),
        issued=issued,
        warm=issued if issued.certificate.certified else None,
        since=since,
        looked=True,
        canaries=canaries,
    )


def _window(issued: Issued) -> Window:
    certificate = issued.certificate
    return Window(
        number=issued.attempt,
        opened_by="not known",
        rows=certificate.n,
        candidate=certificate.candidate,
        llm_share=certificate.llm_share,
    )


def _read(path: Path) -> dict[str, Any] | None:
    if not path.exists():
        return None
    try:
        plain = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(f"{path} cannot be read ({error}); delete it") from error
    if not isinstance(plain, dict) or plain.get("schema") != SCHEMA:
        raise InputError(f"{path} is not of schema {SCHEMA!r}; delete it")
    return plain
