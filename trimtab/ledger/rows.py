"""Decisions, outcomes and audits as ledger rows: a chained body, and a person's words apart.

Apart stand ``state``, complete answers (``str`` actions, and ``answer`` where the action is one)
and an outcome's ``reference``. An ``int`` action and its label come from the domain, not from a
person, and stay in the body.
"""

from __future__ import annotations

import json
import math
import secrets
import struct
from base64 import b64decode, b64encode
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from trimtab.errors import LedgerCorrupt, LedgerError
from trimtab.ledger.schema import text_digest
from trimtab.records import (
    Decision,
    Outcome,
    Prediction,
    decision_from_json,
    decision_to_json,
    prediction_from_json,
    prediction_to_json,
)

REDACTED = ""  # no domain reads the empty text, so a reader that forgets redaction fails loudly
MAX_ID_CHARS = 200

# ASCII with escapes: the bytes do not depend on a locale, and lone surrogates survive.
_encode = json.JSONEncoder(
    sort_keys=True, allow_nan=False, check_circular=False, separators=(",", ":")
).encode
_SALT_BYTES = 16
_SALTS_DRAWN = 512
_NOT_JSON = (
    TypeError,
    ValueError,
    AttributeError,
    OverflowError,
    RecursionError,
    struct.error,
)
_NOT_A_RECORD = (KeyError, TypeError, ValueError, AttributeError, IndexError, struct.error)


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A row before it has its place in the chain."""

    kind: str
    decision_id: str
    domain: str
    body: str
    salt: bytes = b""
    text: str | None = None
    text_hash: bytes | None = None


class RandomSalt:
    """Draws salts from the system's random source, for one thread.

    They are drawn by the hundred: each draw gives up the interpreter lock.
    """

    def __init__(self) -> None:
        self._drawn: list[bytes] = []

    def __call__(self) -> bytes:
        """Return 16 fresh random bytes."""
        if not self._drawn:
            raw = secrets.token_bytes(_SALT_BYTES * _SALTS_DRAWN)
            self._drawn = [raw[k : k + _SALT_BYTES] for k in range(0, len(raw), _SALT_BYTES)]
        return self._drawn.pop()


def decision_entry(decision: Decision, salt: Callable[[], bytes]) -> Entry:
    """Return the row of a decision.

    Raises:
        LedgerError: a field cannot be stored; the message names it.
    """
    where = f"decision {decision.decision_id!r}"
    _check_name(decision.decision_id, field="decision_id", where=where)
    _check_name(decision.domain, field="domain", where=where)
    try:
        if decision.created_at.tzinfo is None:
            raise LedgerError(f"{where}: created_at has no time zone; give aware UTC")
        if not 0.0 < decision.propensity <= 1.0:
            raise LedgerError(f"{where}: propensity={decision.propensity!r} is not in (0, 1]")
        plain = decision_to_json(decision)
        words = _take_words(plain)
        body = _encode(plain)
        text = _encode(words)
    except _NOT_JSON as error:
        raise _unwritable(where, error) from error
    grain = salt()
    return Entry(
        kind="decision",
        decision_id=decision.decision_id,
        domain=decision.domain,
        body=body,
        salt=grain,
        text=text,
        text_hash=text_digest(grain, text),
    )


def outcome_entry(outcome: Outcome, salt: Callable[[], bytes]) -> Entry:
    """Return the row of an outcome; raises ``LedgerError`` for a reward outside [0, 1]."""
    where = f"outcome of decision {outcome.decision_id!r}"
    _check_name(outcome.decision_id, field="decision_id", where=where)
    try:
        if not 0.0 <= outcome.reward <= 1.0:
            raise LedgerError(f"{where}: reward={outcome.reward!r} is not in [0, 1]")
        body = _encode({"reward": outcome.reward, "source": outcome.source})
        text = None if outcome.reference is None else _encode({"reference": outcome.reference})
    except (TypeError, ValueError) as error:
        raise LedgerError(f"{where} cannot be written as JSON ({error})") from error
    return _addition("outcome", outcome.decision_id, body, text, salt)


def audit_entry(decision_id: str, prediction: Prediction, salt: Callable[[], bytes]) -> Entry:
    """Return the row of an audit's answer; raises ``LedgerError`` where it cannot be stored."""
    where = f"audit of decision {decision_id!r}"
    _check_name(decision_id, field="decision_id", where=where)
    words: dict[str, Any] = {}
    try:
        plain = prediction_to_json(prediction)
        _take_answer(plain, words, name="action")
        body = _encode(plain)
        text = _encode(words) if words else None
    except _NOT_JSON as error:
        raise _unwritable(where, error) from error
    return _addition("audit", decision_id, body, text, salt)


def redaction_entry(decision_id: str, *, at: str) -> Entry:
    """Return the row that records a deletion of text at an ISO 8601 time."""
    return Entry(kind="redaction", decision_id=decision_id, domain="", body=_encode({"at": at}))


def read_decision(row: int, decision_id: str, domain: str, body: str, text: str | None) -> Decision:
    """Return the decision of a row; redacted words read as :data:`REDACTED`."""
    try:
        plain: dict[str, Any] = json.loads(body)
        words: dict[str, Any] = {} if text is None else json.loads(text)
        _return_words(plain, words)
        return decision_from_json({**plain, "decision_id": decision_id, "domain": domain})
    except _NOT_A_RECORD as error:
        raise LedgerCorrupt(f"row {row} of the ledger is not a decision ({error})") from error


def read_outcome(row: int, decision_id: str, body: str, text: str | None) -> Outcome:
    """Return the outcome of a row; a redacted reference reads as None."""
    try:
        plain: dict[str, Any] = json.loads(body)
        words: dict[str, Any] = {} if text is None else json.loads(text)
        return Outcome(decision_id=decision_id, reference=words.get("reference"), **plain)
    except (TypeError, ValueError, AttributeError) as error:
        raise LedgerCorrupt(f"row {row} of the ledger is not an outcome ({error})") from error


def read_audit(row: int, body: str, text: str | None) -> Prediction:
    """Return the answer of an audit's row; a redacted one reads as :data:`REDACTED`."""
    try:
        plain: dict[str, Any] = json.loads(body)
        words: dict[str, Any] = {} if text is None else json.loads(text)
        _return_answer(plain, words, name="action")
        return prediction_from_json(plain)
    except _NOT_A_RECORD as error:
        raise LedgerCorrupt(f"row {row} of the ledger is not an audit ({error})") from error


def _addition(
    kind: str, decision_id: str, body: str, text: str | None, salt: Callable[[], bytes]
) -> Entry:
    """Return a row about a decision, whose domain stands in the decision's own row."""
    grain = b"" if text is None else salt()
    return Entry(
        kind=kind,
        decision_id=decision_id,
        domain="",
        body=body,
        salt=grain,
        text=text,
        text_hash=None if text is None else text_digest(grain, text),
    )


def _unwritable(where: str, error: Exception) -> LedgerError:
    return LedgerError(f"{where} cannot be written as JSON ({error}); use plain, finite values")


def _check_name(name: str, *, field: str, where: str) -> None:
    if not isinstance(name, str) or not name.isprintable() or not 0 < len(name) <= MAX_ID_CHARS:
        raise LedgerError(
            f"{where}: {field}={name!r} is not 1 to {MAX_ID_CHARS} printable characters"
        )


def _take_words(plain: dict[str, Any]) -> dict[str, Any]:
    """Move a person's words out of a plain decision, and pack its predictions."""
    del plain["decision_id"], plain["domain"]
    words: dict[str, Any] = {"state": plain.pop("state")}
    if isinstance(plain["action"], str):
        words["action"] = plain.pop("action")
        words["answer"] = plain.pop("answer")
    for place, prediction in enumerate(plain["predictions"]):
        _take_answer(prediction, words, name=f"predictions.{place}")
    return words


def _take_answer(prediction: dict[str, Any], words: dict[str, Any], *, name: str) -> None:
    """Move a complete answer and a trace out of a plain prediction, and pack its probabilities."""
    if "trace" in prediction:  # it may spell the state
        words[f"{name}.trace"] = prediction.pop("trace")
    if isinstance(prediction["action"], str):
        words[name] = prediction.pop("action")
    if prediction["probs"] is not None:
        prediction["probs"] = _pack(prediction["probs"])


def _return_words(plain: dict[str, Any], words: Mapping[str, Any]) -> None:
    """Undo :func:`_take_words`."""
    plain["state"] = words.get("state", REDACTED)
    if "action" not in plain:
        plain["action"] = words.get("action", REDACTED)
        plain["answer"] = words.get("answer", REDACTED)
    for place, prediction in enumerate(plain["predictions"]):
        _return_answer(prediction, words, name=f"predictions.{place}")


def _return_answer(prediction: dict[str, Any], words: Mapping[str, Any], *, name: str) -> None:
    """Undo :func:`_take_answer`."""
    if "action" not in prediction:
        prediction["action"] = words.get(name, REDACTED)
    if f"{name}.trace" in words:
        prediction["trace"] = words[f"{name}.trace"]
    if prediction["probs"] is not None:
        prediction["probs"] = _unpack(prediction["probs"])


def _pack(probs: list[float]) -> str:
    # Little-endian float64 in base64: exact, and 20 times faster to write than decimal digits.
    if not math.isfinite(sum(probs)):
        raise ValueError("probs are not finite")
    return b64encode(struct.pack(f"<{len(probs)}d", *probs)).decode("ascii")


def _unpack(packed: str) -> list[float]:
    raw = b64decode(packed, validate=True)
    return list(struct.unpack(f"<{len(raw) // 8}d", raw))
