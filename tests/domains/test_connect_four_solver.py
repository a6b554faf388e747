"""The exact solver against plain minimax, and its laws."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest

from trimtab.domains.connect_four import ConnectFour, ConnectFourState
from trimtab.domains.connect_four_solver import ConnectFourSolver
from trimtab.errors import ConfigError, IllegalAction, TruthUnknown

GAME = ConnectFour()
SOLVER = ConnectFourSolver(table_bits=18)


def late_positions(stones: int, games: int) -> list[ConnectFourState]:
    """Return positions of drawn games that avoid winning moves while there is another."""
    found = []
    for seed in range(games):
        rng = np.random.default_rng(seed)
        state = GAME.initial_state(0)
        while not GAME.is_terminal(state) and state.stones < stones:
            children = [state.drop(column) for column in GAME.legal_actions(state)]
            quiet = [child for child in children if not child.won] or children
            state = quiet[int(rng.integers(len(quiet)))]
        found.append(state)
    return found


@cache
def minimax(state: ConnectFourState) -> int:
    """Return the score by trying everything."""
    if state.won:
        return -(22 - (state.stones + 1) // 2)
    if state.is_full:
        return 0
    return max(-minimax(state.drop(column)) for column in state.open_columns)


LATE = late_positions(31, 60)


def test_scores_are_those_of_plain_minimax() -> None:
    assert SOLVER.solve_batch(LATE).tolist() == [minimax(state) for state in LATE]
    assert len({minimax(state) for state in LATE}) > 5


def test_move_scores_are_those_of_plain_minimax() -> None:
    for state in LATE:
        legal = GAME.legal_actions(state)
        expected = [-minimax(state.drop(c)) if c in legal else None for c in range(7)]
        assert list(SOLVER.move_scores(state)) == expected


def test_outcomes_are_the_signs_of_the_scores() -> None:
    for state in late_positions(24, 40):
        assert SOLVER.outcome(state) == np.sign(SOLVER.solve(state))
        scores = SOLVER.move_scores(state)
        signs = tuple(None if score is None else int(np.sign(score)) for score in scores)
        assert SOLVER.move_outcomes(state) == signs


def test_a_position_scores_as_its_best_move() -> None:
    for state in late_positions(20, 20):
        scores = [score for score in SOLVER.move_scores(state) if score is not None]
        assert SOLVER.solve(state) == (max(scores) if scores else minimax(state))


def test_the_mirrored_position_has_the_same_score() -> None:
    for state in late_positions(22, 30):
        assert SOLVER.solve(state.mirror()) == SOLVER.solve(state)


def test_a_table_that_overflows_changes_no_score() -> None:
    states = late_positions(20, 20)
    tiny = ConnectFourSolver(table_bits=10)
    assert tiny.solve_batch(states).tolist() == SOLVER.solve_batch(states).tolist()


@pytest.mark.parametrize(
    ("moves", "score"),
    [
        ("112233", 18),  # the first player wins with the fourth stone
        ("1122336", 2),  # the second player must block
        ("1122334", -18),  # it has been done
    ],
)
def test_known_scores(moves: str, score: int) -> None:
    assert SOLVER.solve(GAME.from_text(moves)) == score


def test_the_empty_board_is_not_taken_for_an_empty_entry() -> None:
    # whoever moves first cannot be beaten with four of the opponent's first five stones
    solver = ConnectFourSolver(table_bits=16)
    assert solver.solve_batch([ConnectFour().initial_state(0)], low=-21, high=-17)[0] == -17
    assert solver.nodes > 10


def test_a_finished_game_has_no_move_scores() -> None:
    assert SOLVER.move_scores(GAME.from_text("1122334")) == (None,) * 7


def test_nodes_are_counted() -> None:
    solver = ConnectFourSolver(table_bits=12)
    assert solver.nodes == 0
    solver.solve_batch(late_positions(16, 5))
    assert solver.nodes > 100


@pytest.mark.parametrize("bits", [9, 29])
def test_a_table_has_a_usable_size(bits: int) -> None:
    with pytest.raises(ConfigError, match="use 10 to 28"):
        ConnectFourSolver(table_bits=bits)


def test_a_move_that_keeps_the_result_is_right() -> None:
    for state in late_positions(26, 15):
        for column, outcome in enumerate(SOLVER.move_outcomes(state)):
            if outcome is not None:
                expected = 1.0 if outcome == SOLVER.outcome(state) else 0.0
                assert GAME.check(state, column) == expected
                assert GAME.check(state, str(column + 1)) == expected


def test_missing_a_block_is_wrong() -> None:
    game = ConnectFour(min_truth_stones=0)
    state = game.from_text("1122336")
    assert [game.check(state, column) for column in range(7)] == [0, 0, 0, 1, 0, 0, 0]


def test_an_unplayable_answer_is_illegal_even_where_truth_is_unknown() -> None:
    with pytest.raises(IllegalAction, match="full"):
        GAME.check(GAME.from_text("444444"), "4")


def test_truth_of_an_early_position_is_unknown() -> None:
    with pytest.raises(TruthUnknown, match="7 stones"):
        GAME.check(GAME.from_text("4444455"), "4")
    with pytest.raises(ConfigError, match="use 0 to 42"):
        ConnectFour(min_truth_stones=43)
