"""Where decisions get their ids."""

from __future__ import annotations

import os
import secrets

_ID_CHARS = 32
_IDS_DRAWN = 128


class RandomIds:
    """Draws ids of 32 hex digits from the system's random source; callable from any thread.

    They are drawn by the hundred: each draw gives up the interpreter lock, and a writing ledger
    keeps it for longer than the draw takes.
    """

    def __init__(self) -> None:
        self._drawn: list[str] = []
        # a forked child that went on with the parent's would give the same ids again
        if hasattr(os, "register_at_fork"):
            os.register_at_fork(after_in_child=self._drawn.clear)

    def __reduce__(self) -> tuple[type[RandomIds], tuple[()]]:
        # a copy draws for itself
        return RandomIds, ()

    def __call__(self) -> str:
        """Return a fresh id."""
        while True:
            try:
                return self._drawn.pop()
            except IndexError:
                raw = secrets.token_hex(_ID_CHARS // 2 * _IDS_DRAWN)
                self._drawn.extend(raw[k : k + _ID_CHARS] for k in range(0, len(raw), _ID_CHARS))


new_decision_id = RandomIds()
