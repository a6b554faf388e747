"""The ledger: an append-only SQLite file of decisions and outcomes, chained by hash."""

from __future__ import annotations

from trimtab.ledger.rows import REDACTED
from trimtab.ledger.store import SqliteLedger

__all__ = ["REDACTED", "SqliteLedger"]
