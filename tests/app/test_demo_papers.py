from __future__ import annotations

import json
from pathlib import Path

from tests.papers import asking
from trimtab.app.demo_folder import plain_track
from trimtab.app.demo_papers import SHOWN, papers_row
from trimtab.datasets.shipped_papers import shipped_papers


def test_the_row_judges_citations_and_refusals_and_shows_answers(tmp_path: Path) -> None:
    with asking(tmp_path) as (researcher, _):
        row = papers_row(researcher, ask_llm=True, track=plain_track, count=12)
        researcher.kit.ledger.flush()
        assert sum(1 for _ in researcher.kit.ledger.scan(domain="research")) == 12 + len(SHOWN)
    assert json.loads(json.dumps(row)) == row
    assert (row["papers"], row["n"], row["llm_share"]) == (len(shipped_papers()), 12, 0.0)
    assert 0.0 <= row["cited"]["low"] <= row["cited"]["accuracy"] <= 1.0
    assert [one["question"] for one in row["shown"]] == list(SHOWN)
    assert row["shown"][0]["sources"][0].startswith("[1] CP-Router")
    assert row["shown"][-1]["mark"] == "not in the corpus"
