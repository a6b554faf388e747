from __future__ import annotations

from pathlib import Path

from trimtab.bench.ledger import run
from trimtab.ledger import SqliteLedger


def test_kill_9_loses_no_acknowledged_row(tmp_path: Path) -> None:
    path = tmp_path / "ledger.sqlite"
    result = run(seed=1, rounds=2, path=path, appends=50, groups=1)
    values = {key: measure["value"] for key, measure in result["measures"].items()}
    assert values["rounds"] == 2
    assert values["acknowledged"] >= 1_400
    assert values["lost"] == 0
    assert set(result["bars"]) == {"appends_per_s", "grouped_rows_per_s", "acknowledged", "lost"}
    assert result["bars"]["lost"]["ok"]
    assert not result["bars"]["acknowledged"]["ok"]  # two rounds do not reach what thirty must
    with SqliteLedger(path, create=False) as ledger:
        assert ledger.verify() == values["verified"]
