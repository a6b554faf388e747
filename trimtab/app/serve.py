"""Runs the HTTP service."""

from __future__ import annotations

import socket
from collections.abc import Mapping
from pathlib import Path

import uvicorn

from trimtab.app.api import create_app
from trimtab.app.client import Trimtab
from trimtab.app.guard import is_loopback
from trimtab.errors import ConfigError
from trimtab.settings import Settings, load_settings


def run(
    *, host: str, port: int, bundles: Mapping[str, Path], settings: Settings | None = None
) -> None:
    """Serve until interrupted.

    Raises:
        ConfigError: the address is not loopback and there is no key, or the port is in use.
    """
    settings = settings or load_settings()
    check_address(host, port, settings)
    with Trimtab(bundles=bundles, settings=settings) as client:
        app = create_app(lambda: client, key=lambda: settings.api_key)
        uvicorn.run(app, host=host, port=port, log_level="warning")


def check_address(host: str, port: int, settings: Settings) -> None:
    """Raise ``ConfigError`` where the service may not be bound, or cannot."""
    if settings.api_key is None and not is_loopback(host):
        raise ConfigError(
            f"host={host!r} is reachable from outside and there is no key; set TRIMTAB_API_KEY to "
            "a secret that callers send, or bind to 127.0.0.1"
        )
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            raise ConfigError(
                f"port={port} on {host} cannot be bound ({error.strerror}); choose another with "
                "--port"
            ) from error
