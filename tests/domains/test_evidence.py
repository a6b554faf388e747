import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trimtab.domains.evidence import FEATURES, evidence_features

SUDOKU = "53..7....6..195....98....6.8...6...34..8.3..17...2...6.6....28....419..5....8..79"


def found(text: str) -> set[str]:
    return {name for name, value in zip(FEATURES, evidence_features(text), strict=True) if value}


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("", set()),
        ("what is a transformer?", set()),
        ("see 1706.03762.", {"arxiv_id"}),
        ("https://arxiv.org/abs/1706.03762v2", {"arxiv_id"}),
        ("arXiv:hep-th/9711200 please", {"arxiv_id"}),
        ("math.GT/0309136", {"arxiv_id"}),
        ("1706.03762 and 1706.03762v3", {"arxiv_id"}),
        ("1706.03762 vs 1409.0473", {"arxiv_id", "several_arxiv_ids"}),
        ("1713.03762", set()),  # there is no month 13
        ("11706.03762", set()),
        ("1706.037621", set()),
        ("1706.03762.5", set()),
        (f"solve {SUDOKU}", {"grid_81"}),
        (f"solve {SUDOKU}.", {"grid_81"}),
        (f"solve {SUDOKU} ... quickly", {"grid_81"}),
        (f"solve {SUDOKU.replace('.', 'x')}", {"grid_81"}),
        (f"solve {SUDOKU}1", set()),
        ("." * 81, set()),
        ("mini: 1..4 | ..1. | .1.. | 4..1", {"grid_16"}),
        ("[[1,0,0,4],[0,0,1,0],[0,1,0,0],[4,0,0,1]]", {"grid_16"}),
        ("1..5\n..1.\n.1..\n4..1", set()),  # 5 is no digit of a 4 x 4
        ("123456 456123 231564 564231 312645 645312", {"grid_36"}),
        ("make 24 from 4 7 8 8", {"four_numbers", "four_numbers_and_24"}),
        ("(3, 3, 8, 8) → twenty-four", {"four_numbers", "four_numbers_and_24"}),
        ("I drew 1, 5, 5 and 5", {"four_numbers"}),
        ("24 with 4 7 8 14", set()),  # cards end at 13
        ("24 with 4 7 8", set()),
        ("24 with 1.5 4 7 8", set()),
        ("I play column 4", {"column_number"}),
        ("drop it in the third column", {"column_number"}),
        ("2nd col", {"column_number"}),
        ("column seven", {"column_number"}),
        ("column 8", set()),
        ("column 42", set()),
        ("columnist 4", set()),
        ("after 4453321", {"connect_four_moves"}),
        ("moves 4, 4, 3, 5, 2", {"connect_four_moves"}),
        ("4-4-3-5-2 so far", {"connect_four_moves"}),
        ("44444441", set()),  # a column holds six
        ("89123", set()),
        ("12345 * 2", {"arithmetic"}),
        ("2 * 12345", {"arithmetic"}),
        ("17 + 4", {"arithmetic"}),
        ("what is 3*(4+1)?", {"arithmetic"}),
        ("144/12", {"arithmetic"}),
        ("15% of 80", {"arithmetic"}),
        ("7 times 8", {"arithmetic"}),
        ("sqrt(2)", {"arithmetic"}),
        ("log of 100", {"arithmetic"}),
        ("10!/8!", {"arithmetic"}),
        ("on 11/12/2024", set()),
        ("10% of our brain", set()),
        ("24! that was easy", set()),
        ("S.#\n.##\n..E", {"maze_drawing"}),
        ("a way through #### #S.# #.E# ####?", {"maze_drawing"}),
        ("##### #   # #####", set()),
        ("####\n# S#\n#E #\n####", {"maze_drawing"}),
        ("+--+--+\n|S    |\n+  +--+\n|    E|\n+--+--+", {"maze_drawing"}),
        ("# Title\n## Part\ntext", set()),
        ("the cat sat and ran #1", set()),
        (
            ".......\n.......\n...x...\n..ox...\n..oo...\n.xxox..",
            {"connect_four_board"},
        ),
    ],
)
def test_a_text_holds_exactly_this_evidence(text: str, names: set[str]) -> None:
    assert found(text) == names


def test_a_grid_of_nine_lines_with_frames_is_read() -> None:
    rows = [SUDOKU[i : i + 9] for i in range(0, 81, 9)]
    framed = [" | ".join(row[i : i + 3] for i in (0, 3, 6)) for row in rows]
    drawing = "\n".join(
        [*framed[:3], "----+-----+----", *framed[3:6], "----+-----+----", *framed[6:]]
    )
    assert "grid_81" in found(f"please solve\n{drawing}\nthanks")


def test_rows_of_unequal_length_are_no_grid() -> None:
    assert not found("1234\n12\n341234\n1234") & {"grid_16", "grid_36", "grid_81"}


@given(st.text(max_size=300))
def test_any_text_gives_zeros_and_ones(text: str) -> None:
    features = evidence_features(text)
    assert features.shape == (len(FEATURES),)
    assert features.dtype == np.float32
    assert set(features.tolist()) <= {0.0, 1.0}


@given(st.text(alphabet="0123456789.,/*+-x|#[] \n!_?=SE", max_size=300))
def test_dense_notation_gives_zeros_and_ones(text: str) -> None:
    assert set(evidence_features(text).tolist()) <= {0.0, 1.0}


@given(
    st.integers(0, 99),
    st.integers(1, 12),
    st.integers(0, 99_999),
    st.sampled_from(["", "v1", "v12"]),
)
def test_every_new_style_id_is_found(year: int, month: int, number: int, version: str) -> None:
    assert "arxiv_id" in found(f"what does {year:02}{month:02}.{number:05}{version} say?")


@given(st.lists(st.integers(1, 13), min_size=4, max_size=4))
def test_any_four_cards_with_24_are_found(cards: list[int]) -> None:
    text = f"get 24 out of {', '.join(map(str, cards))}"
    assert "four_numbers_and_24" in found(text)


@given(st.text(alphabet="0123456789._*?", min_size=81, max_size=81))
def test_every_run_of_81_cells_with_a_digit_is_a_grid(cells: str) -> None:
    assert ("grid_81" in found(f"solve: {cells}")) == any(cell.isdigit() for cell in cells)


@given(st.lists(st.integers(1, 7), min_size=5, max_size=42))
def test_moves_are_found_exactly_if_no_column_overflows(moves: list[int]) -> None:
    text = "after " + "".join(map(str, moves))
    fits = all(moves.count(column) <= 6 for column in range(1, 8))
    grid = found(text) & {"grid_16", "grid_36", "grid_81"}
    assert ("connect_four_moves" in found(text)) == (fits and not grid)


@pytest.mark.parametrize(
    "unit",
    ["1", "1 ", "1, ", "1,", "1/", "1-", "#", "#\n", "# ", "| |", ". ", "[[1]", "((1))*", "_"],
)
def test_the_longest_texts_are_read_to_their_end(unit: str) -> None:
    text = (unit * 20_000)[:20_000]
    assert evidence_features(text).shape == (len(FEATURES),)
