"""Who may call the HTTP service, and how much one may send: one ASGI middleware.

It guards every route of the application that it wraps, those that a LangGraph server adds as well.
"""

from __future__ import annotations

import hmac
import ipaddress
import json
from collections.abc import Callable, MutableMapping
from typing import Any

from starlette.types import ASGIApp, Message, Receive, Scope, Send

MAX_BODY_BYTES = 256 * 1024
"""Room for the longest text even where every character of it is escaped."""
LIMITED = "/v1/"
OPEN = ("/healthz", "/readyz", "/ok")
"""Probes: they answer without a key and tell nothing but yes or no."""


class Guard:
    """Asks for the key where there is one; otherwise answers callers on this machine only.

    Without a key the name by which the caller addresses the service must be this machine's too: a
    web page whose name was pointed at 127.0.0.1 is not let in.

    Args:
        app: what is guarded.
        key: gives the key, None for none; called at every request.
    """

    def __init__(self, app: ASGIApp, *, key: Callable[[], str | None]) -> None:
        self._app = app
        self._key = key

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request, or refuse it with 401, 403 or 413."""
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        # a browser asks for leave with OPTIONS before it sends a key
        passes = scope["path"] in OPEN or scope.get("method") == "OPTIONS"
        refusal = None if passes else self._refusal(scope)
        if refusal is not None:
            await _refuse(scope, send, *refusal)
            return
        if scope["type"] == "http" and scope["path"].startswith(LIMITED):
            body = await _read(receive)
            if body is None:
                detail = f"the body exceeds {MAX_BODY_BYTES} bytes; send a shorter text"
                await _refuse(scope, send, 413, "InputError", detail)
                return
            receive = _replay(body, receive)
        await self._app(scope, receive, send)

    def _refusal(self, scope: Scope) -> tuple[int, str, str] | None:
        """Return status, name and detail of a refusal, None for a caller who may pass."""
        key = self._key()
        headers = {name.decode("latin-1"): value for name, value in scope["headers"]}
        if key is not None:
            given = headers.get("authorization", b"").removeprefix(b"Bearer ")
            # the LangGraph SDK sends its api_key so
            given = given or headers.get("x-api-key", b"")
            if hmac.compare_digest(given, key.encode()):
                return None
            return 401, "Unauthorized", "send the service's key as Authorization: Bearer KEY"
        caller = scope.get("client")
        if caller is not None and not is_loopback(caller[0]):
            return 403, "Forbidden", _LOCAL_ONLY
        if not is_loopback(_host_name(headers.get("host", b"").decode("latin-1"))):
            return 403, "Forbidden", _LOCAL_ONLY
        return None


_LOCAL_ONLY = (
    "this service asks for no key and so answers callers on its own machine only; "
    "set TRIMTAB_API_KEY there and send the key as Authorization: Bearer KEY"
)


def is_loopback(host: str) -> bool:
    """Return whether an address or name is this machine's own."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _host_name(header: str) -> str:
    """Return the host of a Host header, without its port and without brackets."""
    if header.startswith("["):
        return header[1:].partition("]")[0]
    return header.partition(":")[0].lower()


async def _read(receive: Receive) -> bytes | None:
    """Return the body, None as soon as it is too long."""
    parts: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] != "http.request":
            return b"".join(parts)
        part: bytes = message.get("body", b"")
        parts.append(part)
        size += len(part)
        if size > MAX_BODY_BYTES:
            return None
        if not message.get("more_body", False):
            return b"".join(parts)


def _replay(body: bytes, receive: Receive) -> Receive:
    unread: list[MutableMapping[str, Any]] = [{"type": "http.request", "body": body}]

    async def read() -> Message:
        return unread.pop() if unread else await receive()

    return read


async def _refuse(scope: Scope, send: Send, status: int, name: str, detail: str) -> None:
    if scope["type"] == "websocket":
        await send({"type": "websocket.close", "code": 1008, "reason": detail})
        return
    headers = [(b"content-type", b"application/json")]
    if status == 401:
        headers.append((b"www-authenticate", b"Bearer"))
    await send({"type": "http.response.start", "status": status, "headers": headers})
    body = json.dumps({"error": name, "detail": detail}).encode()
    await send({"type": "http.response.body", "body": body})
