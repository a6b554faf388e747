"""``trimtab threads``."""

from __future__ import annotations

import json
from pathlib import Path

from typer.testing import CliRunner

from tests.desk import TruthfulExpert, desk_serving
from trimtab import Trimtab
from trimtab.app.threads import open_threads
from trimtab.cli.app import app
from trimtab.errors import ConfigError
from trimtab.graphs.state import DecideContext
from trimtab.ledger import SqliteLedger
from trimtab.settings import load_settings


def pruned(*arguments: str) -> int:
    result = CliRunner().invoke(app, ["threads", "prune", *arguments, "--json"])
    assert result.exit_code == 0, result.output
    deleted: int = json.loads(result.output.splitlines()[-1])["deleted"]
    return deleted


def test_old_threads_are_deleted_and_young_ones_kept(tmp_path: Path) -> None:
    file = tmp_path / "threads.sqlite"
    with SqliteLedger(tmp_path / "ledger.sqlite") as ledger:
        client = Trimtab(
            servings={"desk": desk_serving(TruthfulExpert())},
            ledger=ledger,
            settings=load_settings({"TRIMTAB_HOME": str(tmp_path)}),
        )
        with open_threads(client, file) as threads:
            context = DecideContext(domain="desk", decision_id="one")
            threads.decide("where is my parcel", context)
    assert pruned(str(file)) == 0
    assert pruned(str(file), "--days", "0") == 1


def test_missing_file_is_an_error(tmp_path: Path) -> None:
    result = CliRunner().invoke(app, ["threads", "prune", str(tmp_path / "none.sqlite")])
    assert isinstance(result.exception, ConfigError)
