"""A scripted OpenAI-compatible server on 127.0.0.1, for real clients that must meet real faults.

Replies are taken from a script in order, or computed from the request by a function. Every request
is kept. The server runs on threads of this process; :func:`serving` opens and closes it.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Literal

Fault = Literal["hang", "drop", "drip"]


@dataclass(frozen=True, kw_only=True)
class Reply:
    """What is sent back.

    Attributes:
        status: HTTP status.
        body: sent as JSON, or as it is if bytes.
        headers: additional ones.
        fault: ``drop`` closes the connection without an answer; ``hang`` waits until the server
            closes, so that the client's time limit decides; ``drip`` sends a blank now and then
            until the server or the client closes.
        after: waits for this event before it answers.
    """

    status: int = 200
    body: object = None
    headers: Mapping[str, str] = field(default_factory=dict)
    fault: Fault | None = None
    after: threading.Event | None = None


@dataclass(frozen=True, kw_only=True)
class Request:
    """What was asked."""

    path: str
    headers: Mapping[str, str]
    body: dict[str, Any]
    method: str = "POST"

    @property
    def last_message(self) -> str:
        return str(self.body["messages"][-1]["content"])


Script = Sequence[Reply] | Callable[[Request], Reply]


class Loopback:
    """The server's address and what it was asked, in the order of arrival."""

    def __init__(self, url: str, script: Script) -> None:
        self.url = url
        self.requests: list[Request] = []
        self.most_in_flight = 0
        self.closing = threading.Event()
        self._script = script if callable(script) else iter(script)
        self._in_flight = 0
        self._lock = threading.Lock()

    def enter(self, request: Request) -> Reply:
        with self._lock:
            self.requests.append(request)
            self._in_flight += 1
            self.most_in_flight = max(self.most_in_flight, self._in_flight)
            if not callable(self._script):
                over = Reply(status=418, body={"error": {"message": "the script is over"}})
                return next(self._script, over)
        return self._script(request)

    def leave(self) -> None:
        with self._lock:
            self._in_flight -= 1


@contextmanager
def serving(script: Script) -> Iterator[Loopback]:
    """Serve a script on a free port."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    server.daemon_threads = True
    loopback = Loopback(f"http://127.0.0.1:{server.server_address[1]}/v1", script)
    server.loopback = loopback  # type: ignore[attr-defined]  # handlers reach it through the server
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield loopback
    finally:
        loopback.closing.set()
        server.shutdown()
        thread.join()
        server.server_close()


def completion(
    content: str | None,
    *,
    usage: tuple[int, int, int] | None = (50, 10, 5),
    finish_reason: str = "stop",
    logprobs: Mapping[str, Any] | None = None,
    refusal: str | None = None,
) -> Reply:
    """Return a chat completion; ``usage`` is prompt, cached and completion tokens."""
    body: dict[str, Any] = {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1,
        "model": "scripted",
        "choices": [
            {
                "index": 0,
                "message": {"role": "assistant", "content": content, "refusal": refusal},
                "finish_reason": finish_reason,
                "logprobs": logprobs,
            }
        ],
    }
    if usage is not None:
        prompt, cached, completed = usage
        body["usage"] = {
            "prompt_tokens": prompt,
            "completion_tokens": completed,
            "total_tokens": prompt + completed,
            "prompt_tokens_details": {"cached_tokens": cached},
        }
    return Reply(body=body)


def choosing(label: str, **kwargs: Any) -> Reply:
    """Return a completion that chooses a label in JSON."""
    return completion(json.dumps({"action": label}), **kwargs)


def refusing(status: int, code: str = "", message: str = "no", **headers: str) -> Reply:
    """Return an error in the form of the OpenAI API; headers in snake_case."""
    return Reply(
        status=status,
        body={"error": {"message": message, "type": code or "error", "code": code or status}},
        headers={name.replace("_", "-"): value for name, value in headers.items()},
    )


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self._serve()

    def do_POST(self) -> None:
        self._serve()

    def do_DELETE(self) -> None:
        self._serve()

    def do_PATCH(self) -> None:
        self._serve()

    def _serve(self) -> None:
        loopback: Loopback = self.server.loopback  # type: ignore[attr-defined]  # see serving
        length = int(self.headers.get("content-length", 0))
        request = Request(
            path=self.path,
            headers={name.lower(): value for name, value in self.headers.items()},
            body=json.loads(self.rfile.read(length)) if length else {},
            method=self.command,
        )
        reply = loopback.enter(request)
        try:
            self._answer(reply, loopback)
        finally:
            loopback.leave()

    def _answer(self, reply: Reply, loopback: Loopback) -> None:
        if reply.after is not None:
            reply.after.wait(timeout=30)
        if reply.fault == "hang":
            loopback.closing.wait(timeout=30)
        if reply.fault == "drip":
            self._drip(loopback)
        if reply.fault is not None:
            self.close_connection = True
            return
        raw = reply.body if isinstance(reply.body, bytes) else json.dumps(reply.body).encode()
        self.send_response(reply.status)
        for name, value in {"content-type": "application/json", **reply.headers}.items():
            self.send_header(name, value)
        self.send_header("content-length", str(len(raw)))
        self.end_headers()
        self.wfile.write(raw)

    def _drip(self, loopback: Loopback) -> None:
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(10**6))
        self.end_headers()
        with suppress(ConnectionError):
            while not loopback.closing.wait(timeout=0.02):
                self.wfile.write(b" ")

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's
        """Print nothing."""
