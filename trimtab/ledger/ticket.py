"""What a caller holds while its row is on the way to the disk."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future

from trimtab.errors import LedgerError


class Ticket(Future[int]):
    """The future of one queued row; ``hurry`` is called by whoever starts to wait for it."""

    seen = False

    def __init__(self, hurry: Callable[[], None]) -> None:
        super().__init__()
        self._hurry = hurry

    def cancel(self) -> bool:
        """Return False: the row will be written."""
        return False

    def result(self, timeout: float | None = None) -> int:
        """Return the row number, or raise what the write raised."""
        self._watch(timeout)
        return super().result(0)

    def exception(self, timeout: float | None = None) -> BaseException | None:
        """Return what the write raised, None if it did not."""
        self._watch(timeout)
        return super().exception(0)

    def fail(self, error: LedgerError) -> None:
        """Finish with an error."""
        self.set_exception(error)

    def _watch(self, timeout: float | None) -> None:
        # Marked before the wait, so that a flush does not report what this caller is told.
        self.seen = True
        if not self.done():
            self._hurry()
        try:
            super().exception(timeout)
        except TimeoutError:
            self.seen = False
            raise
