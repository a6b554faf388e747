"""A limit on how long a reply may take to arrive; HTTP clients only limit the wait for its parts.

A proxy that sends a blank now and then to keep the connection open would otherwise hold a caller
for as long as it likes.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any


class Deadline:
    """Bounds the arrival of each reply; a response hook of an HTTP client that does not stream.

    Args:
        limit_s: seconds from a reply's headers to its last byte.
        clock: tells seconds.
    """

    def __init__(self, limit_s: float, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._limit_s = limit_s
        self._clock = clock

    def __call__(self, response: Any) -> None:  # noqa: ANN401 - of httpx or httpx2, as openai wants
        """Watch a response that is about to be read."""
        response.stream = self._watch(response.stream)

    def _watch(self, stream: Any) -> Any:  # noqa: ANN401 - a class of the client's own library
        # the client takes streams of its library's class only, and which library it is varies
        base = next(kind for kind in type(stream).__mro__ if kind.__name__ == "SyncByteStream")
        methods = {
            "__iter__": lambda _: self._parts(stream),
            "close": lambda _: stream.close(),
        }
        return type("WatchedStream", (base,), methods)()

    def _parts(self, stream: Any) -> Iterator[bytes]:  # noqa: ANN401 - as above
        end = self._clock() + self._limit_s
        for part in stream:
            yield part
            if self._clock() > end:
                raise TimeoutError(f"the reply did not end within {self._limit_s:g} s")
