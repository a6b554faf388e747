"""One request at a time, and a pause after each, for all processes of this machine together."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from trimtab.rag.sqlite_file import connect, explained, transaction


class Pace:
    """Keeps requests apart; a small SQLite file is lock and memory.

    Args:
        path: the file; whoever shares it takes turns.
        interval_s: between the starts of two requests.
        clock: seconds since the epoch: other processes must read the same clock.
        sleep: waits.
    """

    def __init__(
        self,
        path: Path,
        *,
        interval_s: float,
        clock: Callable[[], float] = lambda: datetime.now(UTC).timestamp(),
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._path = path
        self._interval_s = interval_s
        self._clock = clock
        self._sleep = sleep

    def wait(self) -> None:
        """Return once a request may start, and note that it does."""
        connection = connect(self._path)
        try:
            # the pause is spent inside the transaction, so that others queue behind it
            with explained(self._path), transaction(connection, write=True):
                connection.execute("CREATE TABLE IF NOT EXISTS last (at REAL NOT NULL)")
                found = connection.execute("SELECT at FROM last").fetchone()
                left = found[0] + self._interval_s - self._clock() if found else 0.0
                # a stamp from the future is a clock that was set back
                if 0.0 < left <= self._interval_s:
                    self._sleep(left)
                connection.execute("DELETE FROM last")
                connection.execute("INSERT INTO last VALUES (?)", (self._clock(),))
        finally:
            connection.close()
