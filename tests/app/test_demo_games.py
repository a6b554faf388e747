"""The demo's row on Connect Four: who answers, and what the solver says of it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.app.test_game_serving import leftmost
from trimtab import Trimtab
from trimtab.app.demo_folder import plain_track
from trimtab.app.demo_games import GAME, WITH_LLM, connect_four_row, game_servings
from trimtab.ledger import SqliteLedger
from trimtab.settings import load_settings


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Trimtab, dict[str, Any]]]:
    folder = tmp_path_factory.mktemp("games")
    settings = load_settings({"TRIMTAB_HOME": str(folder)})
    with (
        SqliteLedger(folder / "ledger.sqlite") as ledger,
        Trimtab(
            servings=game_servings(settings, expert=leftmost), ledger=ledger, settings=settings
        ) as client,
    ):
        yield client, connect_four_row(client, seed=4, ask_llm=True, track=plain_track, count=60)


def test_shares_add_up_and_every_position_is_judged(
    played: tuple[Trimtab, dict[str, Any]],
) -> None:
    client, row = played
    assert [step["agent"] for step in row["steps"]] == ["policy", "mcts", "mcts_600"]
    assert sum(step["share"] for step in row["steps"]) == pytest.approx(1.0)
    outcomes = [outcome for _, outcome in client.ledger.scan(domain=GAME)]
    assert len(outcomes) == row["n"] == 60
    assert all(outcome is not None and outcome.source == "solver" for outcome in outcomes)


def test_shown_moves_are_seldom_wrong(played: tuple[Trimtab, dict[str, Any]]) -> None:
    _, row = played
    assert row["routed"]["accuracy"] >= 0.9


def test_player_that_does_not_help_is_refused_by_exact_truth(
    played: tuple[Trimtab, dict[str, Any]],
) -> None:
    client, row = played
    llm = row["llm"]
    assert llm["right"]["accuracy"] < llm["searched"]["accuracy"]
    assert llm["verdict"]["refused"]
    assert llm["share_after"] == 0.0
    report = client.report(WITH_LLM)
    assert report["domains"][0]["promise"]["state"] == "refused"
