"""The guard of the test session bites."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from tests.guard import sitecustomize as guard

TESTS = Path(__file__).parent
ASKING = "import socket; socket.getaddrinfo('outside.example', 443)"
SWALLOWING = f"""
    def test_swallows():
        try:
            {ASKING}
        except Exception:
            return
"""


@pytest.mark.parametrize(
    "host", [None, "", "localhost", "127.0.0.1", b"127.0.0.53", "::1", "0.0.0.0"]
)
def test_this_machine_is_own(host: object) -> None:
    assert guard.is_own(host)


@pytest.mark.parametrize(
    "host", ["outside.example", "10.0.0.1", "8.8.8.8", b"a.example", "fe80::1"]
)
def test_another_machine_is_not_own(host: object) -> None:
    assert not guard.is_own(host)


def test_refusal_names_the_host_and_writes_it_down(tmp_path: Path) -> None:
    log = tmp_path / "log"
    with pytest.raises(guard.OutsideReached, match=r"outside\.example"):
        guard.refuse("outside.example", log)
    assert log.read_text() == "outside.example\n"


def test_the_session_carries_the_guard() -> None:
    assert str(getattr(socket, "trimtab_guard", "")) == os.environ[guard.LOG]


def test_loopback_stays_open() -> None:
    with (
        socket.create_server(("127.0.0.1", 0)) as server,
        socket.create_connection(server.getsockname()) as client,
    ):
        assert client.getpeername() == server.getsockname()


@pytest.mark.parametrize(
    "asking", [ASKING, "import socket; socket.socket().connect(('192.0.2.1', 80))"]
)
def test_a_child_process_is_refused(asking: str, tmp_path: Path) -> None:
    log = tmp_path / "log"
    child = subprocess.run(
        [sys.executable, "-c", asking],
        env={**os.environ, guard.LOG: str(log)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert "OutsideReached" in child.stderr
    assert log.read_text().strip() in {"outside.example", "192.0.2.1"}


def test_a_swallowed_look_up_still_fails_its_test(tmp_path: Path) -> None:
    folder = tmp_path / "tests"
    (folder / "guard").mkdir(parents=True)
    for name in ("conftest.py", "guard/sitecustomize.py"):
        (folder / name).write_text((TESTS / name).read_text())
    (folder / "test_swallowing.py").write_text(textwrap.dedent(SWALLOWING))
    (tmp_path / "pytest.ini").write_text("[pytest]\npythonpath = .\n")
    inherited = {name: value for name, value in os.environ.items() if name != guard.LOG}
    run = subprocess.run(
        [sys.executable, "-m", "pytest", "--import-mode=importlib", "-p", "no:cacheprovider", "."],
        cwd=tmp_path,
        env={**inherited, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 1
    assert "outside hosts were reached: ['outside.example']" in run.stdout
