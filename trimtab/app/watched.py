"""What is kept of one certificate while its alarms run, and its way to a file and back."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from trimtab.agents.issued import Issued
from trimtab.agents.routing import most_confident
from trimtab.app.canaries import Canaries
from trimtab.errors import InputError
from trimtab.evals.items import EXPERTS
from trimtab.records import Decision, Outcome
from trimtab.release.drift import Alarm, Alarms, DriftPlan, Predicted

SCHEMA = "trimtab.watch/1"

logger = logging.getLogger(__name__)


@dataclass(slots=True, kw_only=True)
class Watched:
    """One certificate in force. Not thread-safe: the watch locks.

    Attributes:
        issued: the certificate.
        alarms: that run on it.
        waiting: audited decisions whose loss is not known yet, with what was said of them.
        canaries: asked of the LLM, if any were given.
        credit: canaries that traffic has paid for and nobody has asked yet.
        unsaved: values taken since the state was last kept.
    """

    issued: Issued
    alarms: Alarms
    waiting: dict[str, Outcome | None] = field(default_factory=dict)
    canaries: Canaries | None = None
    credit: float = 0.0
    unsaved: int = 0

    def to_json(self) -> dict[str, Any]:
        """Return the state as plain JSON values."""
        return {
            "schema": SCHEMA,
            "window": self.issued.attempt,
            "alarms": self.alarms.to_json(),
            "waiting": {
                name: None if said is None else asdict(said) for name, said in self.waiting.items()
            },
            "canaries": None if self.canaries is None else self.canaries.to_json(),
            "credit": self.credit,
        }


def armed(issued: Issued, *, audit_rate: float, canaries: Canaries | None) -> Watched | None:
    """Return a certificate with fresh alarms; None where nothing is in force to be watched.

    Args:
        issued: the certificate.
        audit_rate: share of requests audited while all is quiet; 0 leaves A2 out.
        canaries: for A3.
    """
    if not issued.certificate.certified or issued.withdrawn:
        return None
    if issued.predicted is None:
        logger.warning(
            "the certificate of domain %s is of a version without alarms, and none watch it; "
            "certify again",
            issued.domain,
        )
        return None
    return Watched(
        issued=issued,
        alarms=_alarms(issued, issued.predicted, audit_rate=audit_rate, canaries=canaries),
        canaries=canaries,
    )


def read_watched(path: Path, issued: Issued) -> Watched | None:
    """Return what was kept for this very certificate, None where nothing was.

    Raises:
        InputError: the file cannot be read.
    """
    plain = _read(path)
    if plain is None or plain.get("window") != issued.attempt or plain["alarms"] is None:
        return None
    try:
        return Watched(
            issued=issued,
            alarms=Alarms.from_json(plain["alarms"]),
            waiting={
                name: None if said is None else Outcome(**said)
                for name, said in plain["waiting"].items()
            },
            canaries=_canaries(plain),
            credit=float(plain["credit"]),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(f"{path} is no state of alarms ({error!r}); delete it") from error


def read_canaries(path: Path) -> Canaries | None:
    """Return the canaries that were kept, whatever became of their certificate."""
    plain = _read(path)
    return None if plain is None else _canaries(plain)


def with_canaries(watched: Watched, canaries: Canaries) -> None:
    """Turn A3 on, or start it anew, and leave the other alarms as they are."""
    old = watched.alarms
    fresh = _alarms(
        watched.issued, old.predicted, audit_rate=old.plan.audit_rate, canaries=canaries
    )
    watches = [name for name in fresh.plan.watches if name == "A3" or name in old.plan.watches]
    plain = fresh.to_json()
    plain["plan"]["watches"] = watches
    plain["capitals"] |= {n: c for n, c in old.to_json()["capitals"].items() if n != "A3"}
    watched.alarms, watched.canaries = Alarms.from_json(plain), canaries


def small_confidence(decision: Decision) -> float | None:
    """Return how sure the small models' best answer is, whoever's was shown; None without one."""
    best = most_confident([p for p in decision.predictions if p.agent not in EXPERTS])
    return None if best is None else best.confidence or 0.0


def _alarms(
    issued: Issued, predicted: Predicted, *, audit_rate: float, canaries: Canaries | None
) -> Alarms:
    watches: list[Alarm] = ["A1"]
    if audit_rate:
        watches.append("A2")
    if canaries is not None:
        watches.append("A3")
    plan = DriftPlan(loss=issued.certificate.loss, watches=tuple(watches))
    if audit_rate:
        often = max(audit_rate, plan.suspicious_rate)
        plan = replace(plan, audit_rate=audit_rate, suspicious_rate=often)
    return Alarms(plan, predicted, canary_errors=0.0 if canaries is None else canaries.errors)


def _canaries(plain: Mapping[str, Any]) -> Canaries | None:
    kept = plain.get("canaries")
    return None if kept is None else Canaries.from_json(kept)


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
