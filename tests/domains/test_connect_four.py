"""Connect Four's rules, text form and drawing."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.contracts.compiled_game import CompiledGameContract
from tests.contracts.domain import DomainContract
from trimtab.domains.connect_four import ConnectFour, ConnectFourState
from trimtab.errors import IllegalAction, InputError
from trimtab.protocols import AnyGame

GAME = ConnectFour()


def played(columns: list[int]) -> ConnectFourState:
    """Return the position after the columns, without those that cannot be played."""
    state = GAME.initial_state(0)
    for column in columns:
        if column in GAME.legal_actions(state):
            state = GAME.apply_action(state, column)
    return state


positions = st.lists(st.integers(0, 6), max_size=60).map(played)


class TestConnectFourKeepsTheLaws(DomainContract, CompiledGameContract):
    num_players = 2

    @pytest.fixture
    def domain(self) -> ConnectFour:
        return GAME

    @pytest.fixture
    def game(self) -> AnyGame:
        return GAME.compiled


@given(positions)
def test_returns_sum_to_zero(state: ConnectFourState) -> None:
    if GAME.is_terminal(state):
        assert sum(GAME.returns(state)) == 0.0
    else:
        with pytest.raises(InputError, match="not over"):
            GAME.returns(state)


@given(positions)
def test_text_form_gives_the_position_back(state: ConnectFourState) -> None:
    assert GAME.from_text(GAME.to_text(state)) == state


@given(st.permutations([0, 2, 4]), st.permutations([1, 3, 5]))
def test_a_position_has_one_text_however_it_was_reached(
    first: list[int], second: list[int]
) -> None:
    columns = [column for pair in zip(first, second, strict=True) for column in pair]
    assert GAME.to_text(played(columns)) == GAME.to_text(played([0, 1, 2, 3, 4, 5]))


@given(positions)
def test_a_mirrored_position_has_mirrored_moves(state: ConnectFourState) -> None:
    mirrored = state.mirror()
    assert mirrored.mirror() == state
    assert mirrored.won == state.won
    legal = [6 - column for column in reversed(GAME.legal_actions(state))]
    assert GAME.legal_actions(mirrored) == legal
    for column in GAME.legal_actions(state):
        child = GAME.apply_action(state, column).mirror()
        assert GAME.apply_action(mirrored, 6 - column) == child


@given(positions)
def test_a_mirrored_position_is_observed_in_a_mirror(state: ConnectFourState) -> None:
    assert (GAME.observation(state.mirror()) == GAME.observation(state)[:, :, ::-1]).all()


@pytest.mark.parametrize(
    ("moves", "winner"),
    [
        ("4262543", 0),  # a row
        ("3135313", 0),  # a column
        ("4417424343342", 0),  # rising
        ("35435463423", 0),  # falling
        ("23342625", 1),
        ("74341414", 1),
        ("655666451423", 1),
        ("323325742274", 1),
    ],
)
def test_four_in_a_row_wins(moves: str, winner: int) -> None:
    state = GAME.from_text(moves)
    assert GAME.is_terminal(state)
    assert GAME.returns(state)[winner] == 1.0
    assert GAME.compiled.legal_mask(GAME.compiled.encode(state)) == 0


LINES = [
    [(column + step * right, row + step * up) for step in range(4)]
    for right, up in ((1, 0), (0, 1), (1, 1), (1, -1))
    for column in range(7)
    for row in range(6)
    if column + 3 * right < 7 and 0 <= row + 3 * up < 6
]


@given(st.integers(0, 2**42 - 1))
def test_a_win_is_one_of_the_69_lines_and_nothing_else(bits: int) -> None:
    assert len(LINES) == 69
    cells = sum((bits >> 6 * column & 63) << 7 * column for column in range(7))
    found = any(all(cells >> 7 * c + r & 1 for c, r in line) for line in LINES)
    assert ConnectFourState(0, cells).won == found


def test_a_full_board_without_a_four_is_a_draw() -> None:
    state = GAME.from_text("461547114517541355666172452242736227373363")
    assert state.stones == 42
    assert GAME.returns(state) == (0.0, 0.0)
    assert GAME.outcome_text(state) == "draw"


@pytest.mark.parametrize(
    ("moves", "said"),
    [
        ("", "is empty"),
        ("44x", "move 3 is 'x'"),
        ("448", "move 3 is '8'"),
        ("4444444", "move 7 into column 4 is not possible: the column is full; open: 1 2 3 5 6 7"),
        ("11223345", "move 8 into column 5 is not possible: the game is over: X has won"),
    ],
)
def test_unusable_moves_are_named(moves: str, said: str) -> None:
    with pytest.raises(InputError, match=said):
        GAME.from_text(moves)


@pytest.mark.parametrize("action", [7, -1, True, 1.5, "1"])
def test_an_action_is_a_column_index(action: object) -> None:
    with pytest.raises(IllegalAction, match="is no column index"):
        GAME.apply_action(GAME.initial_state(0), action)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "state",
    [
        ConnectFourState(0, 0b10),  # a stone in the air
        ConnectFourState(0b10, 0b01),  # a stone of the mover on an empty cell
        ConnectFourState(0b11, 0b11),  # two stones of one player
        ConnectFourState(0, 1 << 48 | 0b11),
    ],
)
def test_a_position_that_no_game_reaches_has_no_text(state: ConnectFourState) -> None:
    with pytest.raises(InputError, match="no legal game"):
        GAME.to_text(state)


def test_the_board_of_a_won_game_names_the_winner() -> None:
    assert GAME.board_text(GAME.from_text("1122334")).splitlines() == [
        ". . . . . . .",
        ". . . . . . .",
        ". . . . . . .",
        ". . . . . . .",
        "O O O . . . .",
        "X X X X . . .",
        "1 2 3 4 5 6 7",
        "X has won",
    ]
