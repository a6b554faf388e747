"""The demo's row on puzzles: who answers, and what the exact solver says of it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from trimtab import Trimtab
from trimtab.app.demo_folder import plain_track
from trimtab.app.demo_puzzles import ASKED, RECORDED, puzzle_servings, puzzles_row
from trimtab.ledger import SqliteLedger
from trimtab.settings import load_settings

COUNT = 40


@pytest.fixture(scope="module")
def solved(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Trimtab, dict[str, Any]]]:
    folder = tmp_path_factory.mktemp("puzzles")
    settings = load_settings({"TRIMTAB_HOME": str(folder)})
    with (
        SqliteLedger(folder / "ledger.sqlite") as ledger,
        Trimtab(
            servings=puzzle_servings(settings, live=None), ledger=ledger, settings=settings
        ) as client,
    ):
        yield client, puzzles_row(client, track=plain_track, count=COUNT)


def test_shares_add_up_and_every_puzzle_is_judged(solved: tuple[Trimtab, dict[str, Any]]) -> None:
    client, row = solved
    for one in row["puzzles"]:
        assert [step["agent"] for step in one["steps"]] == ["trm", "trm_restarts", "exact"]
        assert sum(step["share"] for step in one["steps"]) == pytest.approx(1.0)
    outcomes = [outcome for _, outcome in client.ledger.scan(domain=ASKED.kind)]
    assert len(outcomes) == row["puzzles"][0]["n"] == COUNT
    assert all(outcome is not None and outcome.source == "checker" for outcome in outcomes)


def test_shown_grids_are_seldom_wrong(solved: tuple[Trimtab, dict[str, Any]]) -> None:
    _, row = solved
    assert all(one["routed"]["accuracy"] >= 0.95 for one in row["puzzles"])


def test_recorded_llm_is_called_so_and_refused_by_exact_truth(
    solved: tuple[Trimtab, dict[str, Any]],
) -> None:
    client, row = solved
    assert row["recorded"]
    llm = row["puzzles"][0]["llm"]
    assert llm["unreadable"] == 0
    assert llm["right"]["accuracy"] < llm["searched"]["accuracy"]
    assert llm["verdict"]["refused"]
    assert (llm["n_after"], llm["share_after"]) == (COUNT - llm["n"], 0.0)
    report = client.report(RECORDED)
    assert report["domains"][0]["promise"]["state"] == "refused"
    assert report["domains"][0]["recursions"]


def test_audits_find_their_answers_in_the_recording(
    solved: tuple[Trimtab, dict[str, Any]],
) -> None:
    client, _ = solved
    client.flush()
    audited = [d for d, _ in client.ledger.scan(domain=RECORDED) if d.audit]
    assert all(d.predictions[-1].agent == "llm" for d in audited)
