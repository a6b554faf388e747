from __future__ import annotations

import io
import json
from pathlib import Path

import pytest
import typer
from rich.console import Console
from typer.testing import CliRunner

from tests.evals.goldens import assert_golden
from tests.evals.promised import certificate, cold_start, kept, promises
from tests.evals.test_report import mixed
from tests.evals.traffic import stream
from trimtab.app.certificates import certificate_path
from trimtab.cli.report import print_report, report, write_page
from trimtab.errors import ConfigError, InputError, LedgerError
from trimtab.evals.document import report_from_json
from trimtab.evals.report import build_report
from trimtab.ledger import SqliteLedger
from trimtab.settings import load_settings

app = typer.Typer()
app.command()(report)


@pytest.fixture
def ledger(tmp_path: Path) -> Path:
    path = tmp_path / "ledger.sqlite"
    with SqliteLedger(path) as rows:
        for made, given in [*stream(60), *stream(5, domain="other")]:
            rows.append(made)
            if given is not None:
                rows.resolve(given)
    return path


def printed(width: int = 110) -> str:
    to = Console(file=io.StringIO(), width=width, color_system=None)
    print_report(build_report(mixed(), volume=100_000, certificates=promises()[1]), to)
    assert isinstance(to.file, io.StringIO)
    return "\n".join(line.rstrip() for line in to.file.getvalue().splitlines()) + "\n"


def test_the_tables_read_as_reviewed() -> None:
    assert_golden("report.txt", printed())


def test_an_answer_of_a_simulated_expert_shows_no_time() -> None:
    to = Console(file=io.StringIO(), width=110, color_system=None)
    print_report(build_report(stream(40, threshold=1.1, tier="simulated:0.95")), to)
    assert isinstance(to.file, io.StringIO)
    by_route = to.file.getvalue().partition("by route")[2]
    assert "llm · simulated:0.95" in by_route
    assert by_route.count("simulated") == 3  # the name, and in place of both times


def test_markup_in_a_name_is_not_obeyed() -> None:
    to = Console(file=io.StringIO(), width=110, color_system=None)
    print_report(build_report(stream(3, domain="[red]x[/red]")), to)
    assert isinstance(to.file, io.StringIO)
    assert "[red]x[/red]: 3 decisions" in to.file.getvalue()


def test_an_empty_ledger_says_what_to_do() -> None:
    to = Console(file=io.StringIO(), width=110, color_system=None)
    print_report(build_report([]), to)
    assert isinstance(to.file, io.StringIO)
    assert "trimtab decide" in to.file.getvalue()


def test_json_is_the_last_line_of_stdout(ledger: Path) -> None:
    arguments = ["--ledger", str(ledger), "--volume", "1000", "--json"]
    result = CliRunner().invoke(app, arguments, catch_exceptions=False)
    plain = json.loads(result.stdout.splitlines()[-1])
    assert [domain.domain for domain in report_from_json(plain).domains] == ["assistant", "other"]


def test_one_domain_and_the_page_are_written(ledger: Path, tmp_path: Path) -> None:
    page = tmp_path / "deep" / "report.html"
    arguments = ["--ledger", str(ledger), "--domain", "other", "--html", str(page)]
    result = CliRunner().invoke(app, arguments, catch_exceptions=False)
    assert result.exit_code == 0
    assert "other: 5 decisions" in result.stdout
    assert "<title>trimtab report: other</title>" in page.read_text(encoding="utf-8")


def test_an_unknown_domain_is_named(ledger: Path) -> None:
    with pytest.raises(InputError, match="nowhere"):
        CliRunner().invoke(
            app, ["--ledger", str(ledger), "--domain", "nowhere"], catch_exceptions=False
        )


def test_a_missing_ledger_is_not_created(tmp_path: Path) -> None:
    path = tmp_path / "none.sqlite"
    with pytest.raises(LedgerError):
        CliRunner().invoke(app, ["--ledger", str(path)], catch_exceptions=False)
    assert not path.exists()


def test_a_page_that_cannot_be_written_is_named(ledger: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    page = tmp_path / "file" / "report.html"
    with pytest.raises(ConfigError, match="--html"):
        CliRunner().invoke(
            app, ["--ledger", str(ledger), "--html", str(page)], catch_exceptions=False
        )


def test_a_page_that_cannot_be_written_leaves_the_one_before_whole(tmp_path: Path) -> None:
    page = tmp_path / ("r" * 255)  # no name is left for the new page beside it
    page.write_text("before")
    with pytest.raises(ConfigError, match="--html"):
        write_page(build_report([]), page)
    assert page.read_text() == "before"
    assert list(tmp_path.iterdir()) == [page]


def test_a_page_replaces_the_one_before(tmp_path: Path) -> None:
    page = tmp_path / "report.html"
    page.write_text("before")
    write_page(build_report([]), page)
    assert "</html>" in page.read_text(encoding="utf-8")
    assert list(tmp_path.iterdir()) == [page]


def test_certificates_are_read_from_their_files(tmp_path: Path) -> None:
    start = cold_start(200)
    plain = certificate(start)
    path, file = tmp_path / "ledger.sqlite", tmp_path / "certificate.json"
    file.write_text(json.dumps(plain), encoding="utf-8")
    with SqliteLedger(path) as rows:
        for made, given in [*start, *kept(50, plain)]:
            rows.append(made)
            if given is not None:
                rows.resolve(given)
    arguments = ["--ledger", str(path), "--certificate", str(file)]
    result = CliRunner().invoke(app, arguments, catch_exceptions=False)
    assert "certified on 200 requests" in " ".join(result.stdout.split())
    with pytest.raises(InputError, match="second one"):
        CliRunner().invoke(app, [*arguments, "--certificate", str(file)], catch_exceptions=False)


@pytest.mark.parametrize("text", ["{", "[]", "{}", '{"domain": 3}'])
def test_a_file_that_is_no_certificate_is_named(ledger: Path, tmp_path: Path, text: str) -> None:
    (tmp_path / "c.json").write_text(text, encoding="utf-8")
    arguments = ["--ledger", str(ledger), "--certificate", str(tmp_path / "c.json")]
    with pytest.raises(InputError, match=r"c\.json"):
        CliRunner().invoke(app, arguments, catch_exceptions=False)


def test_kept_certificates_belong_to_the_settings_own_ledger(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    start = cold_start(200)
    plain = certificate(start)
    path = tmp_path / "ledger.sqlite"
    with SqliteLedger(path) as rows:
        for made, given in start:
            rows.append(made)
            if given is not None:
                rows.resolve(given)
    monkeypatch.setenv("TRIMTAB_HOME", str(tmp_path))
    monkeypatch.setenv("TRIMTAB_LEDGER", str(path))
    folder = load_settings().certificates
    folder.mkdir()
    bundle_id = start[0][0].bundle_id
    file = certificate_path(
        folder, domain="promised", bundle_id=bundle_id, llm=start[0][0].predictions[-1].tier
    )
    file.write_text(json.dumps(plain), encoding="utf-8")
    own = CliRunner().invoke(app, [], catch_exceptions=False).stdout
    assert "certified on 200 requests" in " ".join(own.split())
    same = CliRunner().invoke(app, ["--ledger", str(path)], catch_exceptions=False).stdout
    assert same == own
    moved = path.rename(path.with_name("moved.sqlite"))
    named = CliRunner().invoke(app, ["--ledger", str(moved)], catch_exceptions=False).stdout
    assert "No certificate yet" in named
