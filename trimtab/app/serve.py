"""Runs the HTTP service."""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Mapping
from pathlib import Path

import uvicorn

from trimtab.app.api import create_app
from trimtab.app.client import Trimtab
from trimtab.errors import ConfigError


def run(*, host: str, port: int, bundles: Mapping[str, Path]) -> None:
    """Serve until interrupted.

    Raises:
        ConfigError: the address is not loopback, or the port is in use.
    """
    if not _is_loopback(host):
        raise ConfigError(
            f"host={host!r} is reachable from outside and the service asks for no key; "
            "bind to 127.0.0.1 and put an authenticating proxy in front"
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
    with Trimtab(bundles=bundles) as client:
        uvicorn.run(create_app(client), host=host, port=port, log_level="warning")


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
