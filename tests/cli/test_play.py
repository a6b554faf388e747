from __future__ import annotations

import re
from pathlib import Path

import pytest
from typer.testing import CliRunner

from tests.games import game_bundle
from trimtab.cli.app import app
from trimtab.domains.connect_four import ConnectFour
from trimtab.errors import BundleError

GAME = ConnectFour()


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return game_bundle(tmp_path_factory.mktemp("play") / "net")


def play(bundle: Path, typed: str, *options: str) -> tuple[str, str]:
    """Return what a game printed for programs and for people."""
    result = CliRunner().invoke(
        app,
        ["play", "connect-four", "--bundle", str(bundle), "--simulations", "20", *options],
        input=typed,
    )
    assert result.exit_code == 0, result.output
    return result.stdout.strip(), result.stderr


def test_game_is_left_at_the_end_of_the_input(bundle: Path) -> None:
    moves, told = play(bundle, "4\n")
    assert GAME.from_text(moves).stones == 2
    assert "left unfinished" in told


def test_person_may_quit_at_once(bundle: Path) -> None:
    assert play(bundle, "quit\n")[0] == "start"


def test_agent_begins_where_it_is_told_to(bundle: Path) -> None:
    moves, _ = play(bundle, "q\n", "--first", "agent")
    assert GAME.from_text(moves).stones == 1


def test_garbage_and_full_columns_are_asked_again(bundle: Path) -> None:
    moves, told = play(bundle, "x\n\n99\n[red]\n4\nq\n")
    assert GAME.from_text(moves).stones == 2
    assert told.count("cannot be played") == 4
    assert "'[red]' cannot be played" in told


def test_thoughts_stand_beside_the_board(bundle: Path) -> None:
    _, told = play(bundle, "4\nq\n")
    assert re.search(r"mcts \(20 simulations\) plays [1-7]", told)
    assert "visits, value" in told


def test_game_is_played_to_its_end(bundle: Path) -> None:
    # column by column, whatever the agent does: one of the two must win or fill the board
    moves, told = play(bundle, "".join(f"{column}\n" * 6 for column in "1234567") * 2)
    assert GAME.is_terminal(GAME.from_text(moves))
    assert "unfinished" not in told


def test_bundle_of_texts_is_refused() -> None:
    from trimtab.app.serving import shipped_bundle

    result = CliRunner().invoke(
        app, ["play", "connect-four", "--bundle", str(shipped_bundle("assistant"))]
    )
    assert isinstance(result.exception, BundleError)


def test_no_simulations_are_refused(bundle: Path) -> None:
    result = CliRunner().invoke(app, ["play", "connect-four", "--simulations", "0"])
    assert result.exit_code == 2
