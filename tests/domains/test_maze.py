"""Mazes: the domain's laws, and one shortest path."""

from __future__ import annotations

import numpy as np
import pytest

from tests.contracts.domain import DomainContract
from tests.contracts.whole_answers import WholeAnswersContract
from trimtab.domains.maze import Maze
from trimtab.domains.maze_paths import generate, shortest
from trimtab.errors import IllegalAction, InputError

MAZE = "######S  #### ##G  ######"
ANSWER = "######Soo####o##Goo######"
TWO_WAYS = "######S  ## # ##  G######"


class TestMaze11(WholeAnswersContract, DomainContract):
    @pytest.fixture
    def domain(self) -> Maze:
        return Maze(11)


@pytest.mark.parametrize("side", [11, 15])
def test_a_generated_maze_has_one_long_shortest_path(side: int) -> None:
    rng = np.random.default_rng(side)
    for _ in range(5):
        maze, answer = generate(side, rng)
        length, ways = shortest(maze)
        assert ways == 1
        assert length >= side
        assert answer.count("o") == length - 1
        assert Maze(side).check(Maze(side).from_text(maze), answer) == 1.0


def test_check_knows_the_path_and_each_of_its_moves() -> None:
    domain = Maze(5)
    state = domain.from_text(MAZE)
    assert domain.check(state, ANSWER) == 1.0
    assert domain.check(state, MAZE) == 0.0
    assert domain.check(state, 1) == 1.0


def test_a_path_may_run_along_an_open_border_but_not_around_it() -> None:
    domain = Maze(5)
    state = domain.from_text(" S### #### ###  ## G    #")
    assert shortest(state.maze) == (10, 1)
    assert domain.solution(state) == "oS###o####o### o##oGoooo#"
    assert domain.legal_actions(state) == [3]


def test_blanks_count() -> None:
    with pytest.raises(InputError, match="blanks"):
        Maze(5).from_text(MAZE.replace(" ", ""))


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (TWO_WAYS, "2 shortest paths"),
        ("######S  #######G  ######", "no path"),
        (MAZE.replace("G", " "), "exactly one S and one G"),
        (MAZE.replace(" ", "x"), "holds ['x']"),
        (MAZE + "/N", "'N' is not legal"),
    ],
)
def test_a_maze_that_cannot_be_used_is_named(text: str, says: str) -> None:
    with pytest.raises(InputError) as caught:
        Maze(5).from_text(text)
    assert says in str(caught.value)


def test_an_answer_that_is_no_maze_is_named() -> None:
    with pytest.raises(IllegalAction, match="no marked maze"):
        Maze(5).canonical("left, then right")


def test_the_maze_is_drawn_with_the_path_so_far() -> None:
    domain = Maze(5)
    state = domain.from_text(f"{MAZE}/E")
    assert domain.board_text(state) == "#####\n#So #\n### #\n#G  #\n#####"
