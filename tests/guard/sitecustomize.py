"""Fails whatever looks up or connects to a host outside this machine.

The test session installs the guard in its own process; Python imports a module of this name at
start, and the session puts this folder on PYTHONPATH, so that child processes carry it as well.
"""

import ipaddress
import os
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

LOG = "TRIMTAB_NETWORK_LOG"
OWN_NAMES = {"", "localhost", "localhost.localdomain", "ip6-localhost", socket.gethostname()}


class OutsideReached(Exception):
    """A test tried to reach a host outside this machine.

    No OSError on purpose: code that mends network errors must not mend this one.
    """


def is_own(host: object) -> bool:
    """Return whether a host is this machine: None (bind), its names, loopback, unspecified."""
    if host is None:
        return True
    name = host.decode() if isinstance(host, bytes) else str(host)
    if name.lower().rstrip(".") in OWN_NAMES:
        return True
    try:
        address = ipaddress.ip_address(name.split("%")[0])
    except ValueError:
        return False
    return address.is_loopback or address.is_unspecified


def refuse(host: object, log: Path) -> None:
    """Raise for a host outside, and write it down first: the error may be swallowed."""
    if is_own(host):
        return
    with log.open("a", encoding="utf-8") as file:
        file.write(f"{host}\n")
    raise OutsideReached(f"{host} is outside this machine; tests reach loopback only")


def install(log: Path) -> None:
    """Wrap every look-up and connection of this process; calling it twice wraps once."""
    if getattr(socket, "trimtab_guard", None):
        return
    socket.trimtab_guard = log  # type: ignore[attr-defined]  # the mark that it is installed
    for name in ("getaddrinfo", "gethostbyname", "gethostbyname_ex"):
        setattr(socket, name, _checked_lookup(getattr(socket, name), log))
    for name in ("connect", "connect_ex"):
        setattr(socket.socket, name, _checked_connect(getattr(socket.socket, name), log))


def _checked_lookup(lookup: Callable[..., Any], log: Path) -> Callable[..., Any]:
    def checked(host: object, *args: Any, **kwargs: Any) -> Any:
        refuse(host, log)
        return lookup(host, *args, **kwargs)

    return checked


def _checked_connect(connect: Callable[..., Any], log: Path) -> Callable[..., Any]:
    def checked(self: socket.socket, address: Any) -> Any:
        if self.family in (socket.AF_INET, socket.AF_INET6):
            refuse(address[0], log)
        return connect(self, address)

    return checked


if os.environ.get(LOG):
    install(Path(os.environ[LOG]))
