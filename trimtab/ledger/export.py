"""Writing a ledger as JSON lines, one per row, in the order of the chain."""

from __future__ import annotations

import contextlib
import json
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TextIO

from trimtab.errors import LedgerError
from trimtab.ledger.rows import read_audit, read_decision, read_outcome
from trimtab.records import decision_to_json, prediction_to_json

_ROWS = """
    SELECT e.row, e.kind, e.decision_id, e.domain, e.body, e.hash, t.text
    FROM entries AS e NOT INDEXED LEFT JOIN texts AS t ON t.row = e.row ORDER BY e.row
"""


def export_rows(connection: sqlite3.Connection, target: Path | TextIO) -> int:
    """Write every row to a file that does not exist yet, or to an open one; return the number.

    Each line is ``{row, kind, hash, <kind>: {...}}``. Redacted words are empty. An audit's answer
    stands in its own line only, not among the predictions of its decision's.

    Raises:
        LedgerError: the file exists, or cannot be written.
    """
    if not isinstance(target, Path):
        return _write(connection, target)
    if target.exists():
        raise LedgerError(f"export {target} exists; name a file that does not")
    part = target.with_name(target.name + ".part")
    try:
        with part.open("w", encoding="utf-8") as file:
            rows = _write(connection, file)
        part.replace(target)
    except OSError as error:
        raise LedgerError(
            f"export {target} cannot be written ({error}); check its folder and the free space"
        ) from error
    finally:
        # where nothing could be written nothing can be removed: the first error is the one to see
        with contextlib.suppress(OSError):
            part.unlink(missing_ok=True)
    return rows


def _write(connection: sqlite3.Connection, file: TextIO) -> int:
    rows = 0
    for line in _lines(connection):
        json.dump(line, file, sort_keys=True, allow_nan=False)
        file.write("\n")
        rows += 1
    return rows


def _lines(connection: sqlite3.Connection) -> Iterator[dict[str, Any]]:
    for row, kind, decision_id, domain, body, chained, text in connection.execute(_ROWS):
        if kind == "decision":
            record = decision_to_json(read_decision(row, decision_id, domain, body, text))
        elif kind == "outcome":
            outcome = read_outcome(row, decision_id, body, text)
            record = {
                "decision_id": decision_id,
                "reward": outcome.reward,
                "source": outcome.source,
                "reference": outcome.reference,
            }
        elif kind == "audit":
            prediction = prediction_to_json(read_audit(row, body, text))
            record = {"decision_id": decision_id, "prediction": prediction}
        else:
            record = {"decision_id": decision_id, **json.loads(body)}
        yield {"row": row, "kind": kind, "hash": chained.hex(), kind: record}
