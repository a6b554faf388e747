"""The doctor runs every probe, and a failed one comes with its remedy."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import typer

from trimtab.cli.doctor import Finding, conclude, examine, findings_table
from trimtab.cli.probes import Probe
from trimtab.errors import ConfigError


def failing() -> str:
    raise ConfigError("TRIMTAB_X='a' is not a number; set it like 1")


def probe(name: str = "works", *, fails: bool = False) -> Probe:
    return Probe(name=name, run=failing if fails else lambda: "found", remedy="do this")


def test_a_probe_that_works_needs_no_remedy() -> None:
    ticks = iter([10.0, 12.5])
    assert examine(probe(), clock=lambda: next(ticks)) == Finding(
        name="works", ok=True, detail="found", seconds=2.5, remedy=""
    )


def test_a_failed_probe_says_what_and_how_to_mend_it() -> None:
    finding = examine(probe(fails=True))
    assert not finding.ok
    assert finding.detail == "ConfigError: TRIMTAB_X='a' is not a number; set it like 1"
    assert finding.remedy == "do this"


def test_a_bug_is_not_a_finding() -> None:
    def broken() -> str:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        examine(Probe(name="bug", run=broken, remedy="none"))


def run(capsys: pytest.CaptureFixture[str], *probes: Probe) -> tuple[int, dict[str, object]]:
    code = 0
    try:
        conclude([examine(probe) for probe in probes], as_json=True)
    except typer.Exit as end:
        code = end.exit_code
    return code, json.loads(capsys.readouterr().out.splitlines()[-1])


def test_all_well_ends_with_0(capsys: pytest.CaptureFixture[str]) -> None:
    code, document = run(capsys, probe("a"), probe("b"))
    assert code == 0
    assert document["ok"] is True
    assert document["schema"] == "trimtab.doctor/1"


def test_one_failure_ends_with_1_and_stops_no_other_probe(
    capsys: pytest.CaptureFixture[str],
) -> None:
    code, document = run(capsys, probe("a", fails=True), probe("b"))
    assert code == 1
    found = document["probes"]
    assert isinstance(found, list)
    assert [(one["name"], one["ok"]) for one in found] == [("a", False), ("b", True)]


def test_without_json_nothing_is_on_stdout(capsys: pytest.CaptureFixture[str]) -> None:
    conclude([examine(probe())], as_json=False)
    assert capsys.readouterr().out == ""


def test_brackets_in_a_finding_are_text(tmp_path: Path) -> None:
    from rich.console import Console

    finding = examine(Probe(name="x", run=failing, remedy="pip install 'trimtab[local]'"))
    with (tmp_path / "out").open("w") as file:
        Console(file=file, width=120).print(findings_table([finding]))
    assert "pip install 'trimtab[local]'" in (tmp_path / "out").read_text()
