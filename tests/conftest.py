"""What holds for the whole test session: loopback only, no keys, a ledger of its own."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from tests.guard import sitecustomize as guard

GUARD = Path(guard.__file__).parent
CLEARED = (
    "OPENAI_API_KEY",
    "OPENAI_BASE_URL",
    "OPENAI_ORG_ID",
    "TRIMTAB_LLM_MODEL",
    "TRIMTAB_LLM_TIMEOUT_S",
    "TRIMTAB_LLM_MAX_CONCURRENCY",
    "TRIMTAB_PRICES",
    "TRIMTAB_USD_PER_CPU_HOUR",
    "LANGSMITH_API_KEY",
    "LANGCHAIN_API_KEY",
    "LANGCHAIN_TRACING_V2",
    "PINECONE_API_KEY",
    "WANDB_API_KEY",
)
# TRIMTAB_HOME stays: exported models are read there, and nothing else is
FIXED = {
    "LANGSMITH_TRACING": "false",
    "LANGGRAPH_CLI_NO_ANALYTICS": "1",
    "LANGGRAPH_NO_VERSION_CHECK": "true",
    "WANDB_MODE": "offline",
    "WANDB_SILENT": "true",
    "HF_HUB_OFFLINE": "1",
    "TRANSFORMERS_OFFLINE": "1",
    "OMP_NUM_THREADS": "1",
    "NO_PROXY": "localhost,127.0.0.1,::1",
    "no_proxy": "localhost,127.0.0.1,::1",
}


def pytest_configure(config: pytest.Config) -> None:
    """Set the environment before test modules are imported; ``-m live`` keeps keys and network."""
    # no test measures time: on a busy machine a deadline fails tests that are right
    settings.register_profile("trimtab", deadline=None)
    settings.load_profile("trimtab")
    scratch = tempfile.TemporaryDirectory(prefix="trimtab-tests-")
    config.add_cleanup(scratch.cleanup)
    patch = pytest.MonkeyPatch()
    config.add_cleanup(patch.undo)
    for name, value in FIXED.items():
        patch.setenv(name, value)
    patch.setenv("TRIMTAB_LEDGER", str(Path(scratch.name) / "ledger.sqlite"))
    patch.setenv("TRIMTAB_CERTIFICATES", str(Path(scratch.name) / "certificates"))
    if config.option.markexpr == "live":
        return
    for name in CLEARED:
        patch.delenv(name, raising=False)
    log = Path(scratch.name) / "network.log"
    log.touch()
    guard.install(log)
    patch.setenv(guard.LOG, str(log))
    inherited = os.environ.get("PYTHONPATH")
    patch.setenv("PYTHONPATH", f"{GUARD}{os.pathsep}{inherited}" if inherited else str(GUARD))


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Fail the run if a host was reached that no test was blamed for, by child processes too."""
    reached = _reached()
    if reached:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
        session.config.get_terminal_writer().line(
            f"\noutside hosts were reached: {reached}", red=True
        )


@pytest.fixture(autouse=True)
def loopback_only() -> Iterator[None]:
    """Fail the test that reached outside, even where its code swallowed the error."""
    before = len(_reached())
    yield
    reached = _reached()[before:]
    if reached:
        pytest.fail(f"outside hosts were reached: {reached}")


def _reached() -> list[str]:
    log = os.environ.get(guard.LOG)
    return Path(log).read_text(encoding="utf-8").splitlines() if log else []
