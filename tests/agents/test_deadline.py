"""A reply that never ends is given up, although every part of it arrives in time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import openai
import pytest

from trimtab.agents.deadline import Deadline

LIMIT_S = 5.0


class SyncByteStream:
    """Stands where the HTTP library's class does."""

    closed = False

    def __init__(self, parts: Sequence[bytes] = ()) -> None:
        self.parts = parts

    def __iter__(self) -> Iterator[bytes]:
        yield from self.parts

    def close(self) -> None:
        self.closed = True


class Response:
    def __init__(self, stream: SyncByteStream) -> None:
        self.stream = stream


def read(parts: list[bytes], seconds: list[float]) -> tuple[bytes, SyncByteStream]:
    ticks = iter(seconds)
    stream = SyncByteStream(parts)
    response = Response(stream)
    Deadline(LIMIT_S, clock=lambda: next(ticks))(response)
    body = b"".join(response.stream)
    response.stream.close()
    return body, stream


def test_reply_in_time_is_read_whole_and_closed() -> None:
    body, stream = read([b"a", b"b"], [0.0, 1.0, 5.0])
    assert body == b"ab"
    assert stream.closed


def test_reply_past_the_limit_is_given_up() -> None:
    with pytest.raises(TimeoutError, match="5 s"):
        read([b"a", b"b", b"c"], [0.0, 4.9, 5.1, 5.2])


def test_client_of_openai_takes_the_hook() -> None:
    with openai.DefaultHttpxClient(event_hooks={"response": [Deadline(LIMIT_S)]}) as client:
        assert len(client.event_hooks["response"]) == 1
