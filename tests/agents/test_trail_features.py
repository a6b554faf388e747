"""What a trail tells."""

import numpy as np

from trimtab.agents.trail_features import agreements, members, trail_features
from trimtab.domains.tables import answer_codes

NO_SIGNALS = np.zeros((0, 3, 2))


def _features(trail: int, answers: list[list[str | None]]) -> list[list[float]]:
    codes = answer_codes(answers)
    return trail_features(trail, codes, agreements(codes), NO_SIGNALS).tolist()


def test_the_members_of_a_trail_ascend() -> None:
    assert members(0b1011) == (0, 1, 3)
    assert members(0) == ()


def test_an_empty_trail_tells_nothing() -> None:
    assert _features(0, [["4", "5"], ["4", "6"], ["4", "7"]]) == [[1.0], [1.0]]


def test_flags_pairs_supports_largest_support_and_loners_follow_each_other() -> None:
    found = _features(0b111, [["4", "5"], ["4", None], ["9", "5"]])
    #                  1  no answer    ab ac bc    supports   largest  loners
    assert found[0] == [1, 0, 0, 0, 1, 0, 0, 2, 2, 1, 2, 1]
    assert found[1] == [1, 0, 1, 0, 0, 1, 0, 2, 0, 2, 2, 0]


def test_steps_outside_the_trail_are_not_read() -> None:
    first = _features(0b101, [["4", "5"], ["4", None], ["9", "5"]])
    second = _features(0b101, [["4", "5"], ["x", "y"], ["9", "5"]])
    assert first == second


def test_no_answer_agrees_with_nothing_not_even_itself() -> None:
    same = agreements(answer_codes([[None], [None]]))
    assert not same.any()


def test_signals_come_last() -> None:
    codes = answer_codes([["4"], ["5"]])
    signals = np.array([[[3.0], [7.0]]])
    found = trail_features(0b11, codes, agreements(codes), signals)
    assert found[0, -2:].tolist() == [3.0, 7.0]
