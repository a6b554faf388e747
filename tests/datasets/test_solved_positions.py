from __future__ import annotations

import numpy as np
import pytest

from trimtab.datasets.solved_positions import solved_positions
from trimtab.domains.connect_four import ConnectFour
from trimtab.domains.connect_four_solver import ConnectFourSolver
from trimtab.errors import InputError


def test_moves_that_keep_the_result_are_those_of_the_solver() -> None:
    found = solved_positions(8, plies=range(28, 34), seed=5)
    decode, solver = ConnectFour().compiled.decode, ConnectFourSolver(table_bits=16)
    for row, keeps, legal in zip(found.rows, found.keeps, found.legal, strict=True):
        scores = solver.move_scores(decode(row))
        signs = [None if score is None else np.sign(score) for score in scores]
        best = max(sign for sign in signs if sign is not None)
        assert keeps.tolist() == [sign == best for sign in signs]
        assert legal.tolist() == [sign is not None for sign in signs]


def test_right_moves_make_no_mistake_and_wrong_ones_do() -> None:
    found = solved_positions(20, plies=[30], seed=1)
    assert found.mistake_rate(found.keeps.argmax(axis=1)) == 0.0
    wrong = (found.legal & ~found.keeps).argmax(axis=1)
    possible = (found.legal & ~found.keeps).any(axis=1)
    assert found.mistake_rate(wrong) >= possible.mean()
    assert 0.0 < found.random_mistake_rate() < 1.0


def test_one_seed_gives_the_same_positions() -> None:
    first, second = (solved_positions(4, plies=[34, 35], seed=9).rows for _ in range(2))
    np.testing.assert_array_equal(first, second)


@pytest.mark.parametrize(("count", "plies"), [(0, [30]), (1, []), (1, [41]), (1, [-1])])
def test_impossible_request_is_refused(count: int, plies: list[int]) -> None:
    with pytest.raises(InputError, match=f"count={count}"):
        solved_positions(count, plies=plies, seed=0)
