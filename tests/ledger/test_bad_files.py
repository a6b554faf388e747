"""Files that cannot be used: each gets an error with path and remedy, and loses nothing."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
import textwrap
from contextlib import closing
from pathlib import Path

import pytest

from tests.contracts.ledger import make_decision
from trimtab.errors import LedgerError, LedgerTooNew
from trimtab.ledger import SqliteLedger
from trimtab.ledger.connection import connect
from trimtab.ledger.schema import VERSION

ROOT = Path(__file__).parents[2]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "ledger.sqlite"
    with SqliteLedger(path) as ledger:
        ledger.append(make_decision("a"))
    return path


def raise_version(path: Path) -> sqlite3.Connection:
    raw = sqlite3.connect(path, isolation_level=None)
    raw.execute(f"PRAGMA user_version={VERSION + 1}")
    return raw


def test_newer_ledger_is_refused_and_not_touched(path: Path) -> None:
    raise_version(path).close()
    before = {file.name: file.read_bytes() for file in path.parent.iterdir()}
    with pytest.raises(LedgerTooNew, match=r"ledger\.sqlite has format 2.*upgrade trimtab"):
        SqliteLedger(path)
    assert {file.name: file.read_bytes() for file in path.parent.iterdir()} == before


def test_newer_ledger_whose_header_is_still_in_the_log_is_refused(path: Path) -> None:
    with closing(raise_version(path)):
        content = path.read_bytes()
        with pytest.raises(LedgerTooNew):
            SqliteLedger(path)
        assert path.read_bytes() == content


def test_ledger_that_is_upgraded_under_way_takes_no_more_rows(path: Path) -> None:
    with SqliteLedger(path) as ledger:
        raise_version(path).close()
        with pytest.raises(LedgerTooNew, match="upgrade trimtab"):
            ledger.append(make_decision("b")).result()


def test_file_of_another_kind_is_refused_and_kept(tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("not a ledger" * 20)
    with pytest.raises(LedgerError, match=r"notes\.txt is not a SQLite file; name another"):
        SqliteLedger(path)
    assert path.read_text() == "not a ledger" * 20


@pytest.mark.parametrize("version", [0, 1])
def test_database_of_another_program_is_refused_and_kept(tmp_path: Path, version: int) -> None:
    path = tmp_path / "other.sqlite"
    with closing(sqlite3.connect(path)) as raw:
        raw.execute("CREATE TABLE people (name)")
        raw.execute(f"PRAGMA user_version={version}")
        raw.execute("PRAGMA application_id=0")
    with pytest.raises(LedgerError, match="another program; name another file"):
        SqliteLedger(path)
    with closing(sqlite3.connect(path)) as raw:
        assert raw.execute("SELECT name FROM sqlite_master").fetchall() == [("people",)]


def test_empty_file_becomes_a_ledger(tmp_path: Path) -> None:
    path = tmp_path / "empty"
    path.touch()
    with SqliteLedger(path) as ledger:
        assert ledger.append(make_decision()).result() == 1


def test_missing_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(LedgerError, match="absent does not exist; create it first"):
        SqliteLedger(tmp_path / "absent" / "ledger.sqlite")


def test_folder_is_not_a_ledger(tmp_path: Path) -> None:
    with pytest.raises(LedgerError, match="is a folder"):
        SqliteLedger(tmp_path)


def test_missing_file_is_not_made_where_one_must_exist(tmp_path: Path) -> None:
    with pytest.raises(LedgerError, match="does not exist; name an existing"):
        SqliteLedger(tmp_path / "ledger.sqlite", create=False)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(os.geteuid() == 0, reason="modes do not bind the superuser")
def test_read_only_file_is_refused_when_opened(path: Path) -> None:
    path.chmod(0o400)
    with pytest.raises(LedgerError, match="writable"):
        SqliteLedger(path)


def test_read_only_connection_is_refused_when_opened(path: Path) -> None:
    def read_only(path: Path) -> sqlite3.Connection:
        connection = connect(path)
        connection.execute("PRAGMA query_only=ON")
        return connection

    with pytest.raises(LedgerError, match="writable"):
        SqliteLedger(path.with_name("new.sqlite"), connect=read_only)


def test_file_that_was_taken_away_takes_no_more_rows(path: Path) -> None:
    with SqliteLedger(path) as ledger:
        aside = path.rename(path.with_name("aside"))
        with pytest.raises(LedgerError, match="moved, deleted or replaced"):
            ledger.append(make_decision("b")).result()
        assert not path.exists()
        aside.rename(path)
        assert ledger.append(make_decision("b")).result() == 2


def test_file_that_was_replaced_takes_no_more_rows(path: Path) -> None:
    with SqliteLedger(path) as ledger:
        path.unlink()
        path.touch()
        with pytest.raises(LedgerError, match="moved, deleted or replaced"):
            ledger.append(make_decision("b")).result()
    assert path.read_bytes() == b""


def test_writer_waits_for_another_and_names_it_when_it_gives_up(path: Path) -> None:
    def impatient(path: Path) -> sqlite3.Connection:
        connection = connect(path)
        connection.execute("PRAGMA busy_timeout=0")
        return connection

    with SqliteLedger(path, connect=impatient) as ledger:
        with closing(sqlite3.connect(path, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            with pytest.raises(LedgerError, match="another process kept it locked"):
                ledger.append(make_decision("b")).result()
            other.execute("ROLLBACK")
        assert ledger.append(make_decision("b")).result() == 2


class Disk:
    """A disk with room for so many pages; connections see its size when they are opened."""

    def __init__(self, pages: int) -> None:
        self.pages = pages

    def connect(self, path: Path) -> sqlite3.Connection:
        connection = connect(path)
        connection.execute(f"PRAGMA max_page_count={self.pages}")
        return connection


def test_full_disk_refuses_new_rows_keeps_old_ones_and_recovers(tmp_path: Path) -> None:
    disk = Disk(pages=40)
    with SqliteLedger(tmp_path / "ledger.sqlite", connect=disk.connect) as ledger:
        kept: list[str] = []
        error: BaseException | None = None
        while error is None and len(kept) < 1000:
            error = ledger.append(make_decision(str(len(kept)))).exception()
            kept += [str(len(kept))] if error is None else []
        assert isinstance(error, LedgerError)
        assert f"{ledger.path}: database or disk is full; free some space" in str(error)
        assert len(kept) > 0
        assert [decision.decision_id for decision, _ in ledger.scan()] == kept
        disk.pages = 10_000
        assert ledger.append(make_decision("after")).result() == len(kept) + 1
        assert ledger.verify() == len(kept) + 1


def test_failing_writes_of_the_operating_system_lose_nothing(tmp_path: Path) -> None:
    code = textwrap.dedent(
        """
        import resource, sys
        from pathlib import Path
        from tests.contracts.ledger import make_decision
        from trimtab.errors import LedgerError
        from trimtab.ledger import SqliteLedger

        with SqliteLedger(Path(sys.argv[1])) as ledger:
            ledger.append(make_decision("first")).result()
            _, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
            resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, hard))
            kept, failure = 1, None
            while failure is None:
                failure = ledger.append(make_decision(str(kept))).exception()
                kept += failure is None
            assert isinstance(failure, LedgerError), failure
            resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
            assert ledger.append(make_decision("after")).result() == kept + 1
            assert ledger.verify() == kept + 1
            print(failure)
        """
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "ledger.sqlite")],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "append again" in done.stdout


def test_processes_that_create_one_ledger_at_once_agree(tmp_path: Path) -> None:
    code = textwrap.dedent(
        """
        import sys
        from pathlib import Path
        from tests.contracts.ledger import make_decision
        from trimtab.ledger import SqliteLedger

        sys.stdin.read()
        with SqliteLedger(Path(sys.argv[1])) as ledger:
            ledger.append(make_decision(sys.argv[2])).result()
        """
    )
    path = tmp_path / "ledger.sqlite"
    children = [
        subprocess.Popen(
            [sys.executable, "-c", code, str(path), str(k)], cwd=ROOT, stdin=subprocess.PIPE
        )
        for k in range(4)
    ]
    for child in children:
        assert child.stdin is not None
        child.stdin.close()
    assert [child.wait(timeout=60) for child in children] == [0] * 4
    with SqliteLedger(path) as ledger:
        assert ledger.verify() == 4
