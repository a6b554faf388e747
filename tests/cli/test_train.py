from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from trimtab.cli.app import app


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("train",), "give the folder of the bundle"),
        (("train", "connect-four"), "--out"),
        (("train", "connect-four", "--out", "net", "--preset", "huge"), "huge"),
        (("train", "connect-four", "--out", "net", "--iterations", "0"), "iterations"),
        (("train", "connect-four", "--out", "net", "--processes", "0"), "processes"),
    ],
)
def test_unusable_request_is_refused(arguments: tuple[str, ...], message: str) -> None:
    done = CliRunner().invoke(app, arguments)
    assert done.exit_code == 2
    assert message in done.output


def test_controller_of_an_empty_ledger_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TRIMTAB_LEDGER", str(tmp_path / "ledger.sqlite"))
    out = str(tmp_path / "controller")
    arguments = ("train", "live-controller", "--domain", "connect_four", "--out", out)
    done = CliRunner().invoke(app, arguments)
    assert done.exit_code == 1
    assert "of 0 uniform requests" in str(done.exception)


def test_folder_that_holds_a_bundle_is_refused_before_any_training(tmp_path: Path) -> None:
    (tmp_path / "manifest.json").write_text("{}", encoding="utf-8")
    done = CliRunner().invoke(app, ("train", "connect-four", "--out", str(tmp_path)))
    assert done.exit_code == 1
    assert "never replaced in place" in str(done.exception)
