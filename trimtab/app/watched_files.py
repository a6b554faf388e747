"""The files that keep promises over restarts: what was watched, beside the certificate."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from dataclasses import asdict, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from trimtab.agents.issued import Issued
from trimtab.agents.promise import Promise
from trimtab.agents.promise_windows import PromiseWindows
from trimtab.agents.window_plan import Window
from trimtab.app.canaries import Canaries
from trimtab.app.certificates import write_json
from trimtab.app.certify import plan_of
from trimtab.app.watched import SCHEMA, Watched, drift_plan
from trimtab.app.window_bets import AGREEMENT
from trimtab.errors import ConfigError, InputError
from trimtab.records import Outcome
from trimtab.release.drift import Alarms

logger = logging.getLogger(__name__)


def write_watched(path: Path, watched: Watched) -> None:
    """Keep a promise's state; a disk that takes none costs no decision, and is logged."""
    watched.unsaved = 0
    try:
        write_json(path, watched.to_json())
    except ConfigError as error:
        logger.error("the promise of domain %s is not kept: %s", watched.domain, error)


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
    except (KeyError, TypeError, ValueError, InputError) as error:
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
