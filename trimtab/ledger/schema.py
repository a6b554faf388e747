"""The ledger's tables, their numbered migrations, and the hash that chains the rows.

``entries`` is one log of decisions, outcomes, audits and redactions; each row's hash covers the
row and the hash of the row before it. A person's words stand in ``texts``, outside the chain: the
chained row keeps only their salted sha256, so that deleting text and salt leaves the chain whole
and nothing to guess the words from.

The chain shows a changed, inserted or missing row. It cannot show that somebody rewrote the whole
file, or cut its end and the counter with it: note the head that ``trimtab ledger verify`` prints,
outside the file, where that matters.
"""

from __future__ import annotations

import hashlib

APPLICATION_ID = 0x7472696D  # "trim", at offset 68 of the file
GENESIS = bytes(32)

_VERSION_1 = (
    """
    CREATE TABLE entries (
        row INTEGER PRIMARY KEY AUTOINCREMENT,
        kind TEXT NOT NULL CHECK (kind IN ('decision', 'outcome', 'audit', 'redaction')),
        decision_id TEXT NOT NULL,
        domain TEXT NOT NULL,
        body TEXT NOT NULL,
        text_hash BLOB,
        hash BLOB NOT NULL
    )
    """,
    # Partial indexes: each row stands in one of them, so a decision costs one index write.
    "CREATE UNIQUE INDEX decision_ids ON entries (decision_id) WHERE kind = 'decision'",
    "CREATE INDEX outcome_ids ON entries (decision_id, row) WHERE kind = 'outcome'",
    "CREATE UNIQUE INDEX audit_ids ON entries (decision_id) WHERE kind = 'audit'",
    "CREATE INDEX redaction_ids ON entries (decision_id, row) WHERE kind = 'redaction'",
    """
    CREATE TABLE texts (
        row INTEGER PRIMARY KEY REFERENCES entries (row),
        salt BLOB NOT NULL,
        text TEXT NOT NULL
    )
    """,
    """
    CREATE TRIGGER entries_keep BEFORE UPDATE ON entries
    BEGIN SELECT RAISE(ABORT, 'the ledger is append-only'); END
    """,
    """
    CREATE TRIGGER entries_stay BEFORE DELETE ON entries
    BEGIN SELECT RAISE(ABORT, 'the ledger is append-only'); END
    """,
    """
    CREATE TRIGGER texts_keep BEFORE UPDATE ON texts
    BEGIN SELECT RAISE(ABORT, 'texts are never changed'); END
    """,
    """
    CREATE TRIGGER texts_stay BEFORE DELETE ON texts
    WHEN NOT EXISTS (
        SELECT 1 FROM entries AS mark, entries AS own
        WHERE own.row = OLD.row AND mark.kind = 'redaction'
          AND mark.decision_id = own.decision_id AND mark.row > own.row
    )
    BEGIN SELECT RAISE(ABORT, 'a text is deleted only after its redaction is recorded'); END
    """,
)

MIGRATIONS: tuple[tuple[str, ...], ...] = (_VERSION_1,)
VERSION = len(MIGRATIONS)
TRIGGERS = ("entries_keep", "entries_stay", "texts_keep", "texts_stay")


def chain_hash(
    previous: bytes,
    *,
    row: int,
    kind: str,
    decision_id: str,
    domain: str,
    body: str,
    text_hash: bytes | None,
) -> bytes:
    """Return the sha256 of a row and of the hash before it.

    Each field is preceded by its length, so no two rows share their bytes.
    """
    fields = (
        str(row).encode(),
        kind.encode(),
        decision_id.encode(),
        domain.encode(),
        body.encode(),
        text_hash or b"",
    )
    parts = [previous]
    for field in fields:
        parts.append(len(field).to_bytes(8, "big"))
        parts.append(field)
    return hashlib.sha256(b"".join(parts)).digest()


def text_digest(salt: bytes, text: str) -> bytes:
    """Return the sha256 that stands in the chain for a text."""
    return hashlib.sha256(salt + text.encode()).digest()
