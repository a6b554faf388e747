"""What is known of each move of a scored position, from the file or from the solver."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from tests.bench.test_solver import scored
from trimtab.datasets.judged_positions import judged_positions
from trimtab.datasets.positions import ScoredPosition
from trimtab.domains.connect_four import ConnectFour
from trimtab.errors import InputError


def _positions() -> list[ScoredPosition]:
    game = ConnectFour()
    return [
        ScoredPosition(
            moves=row["moves"],
            state=game.from_text(row["moves"]),
            score=row["score"],
            move_scores=row["move_scores"],
        )
        for row in scored(range(120))
    ]


def test_solved_moves_are_those_that_the_move_scores_say() -> None:
    positions = _positions()
    said = judged_positions(positions)
    solved = judged_positions([replace(position, move_scores=None) for position in positions])
    assert np.array_equal(said.solved.keeps, solved.solved.keeps)
    assert np.array_equal(said.best, solved.best)
    assert {np.sign(position.score) for position in positions} == {-1, 0, 1}
    assert not said.solved.keeps[said.solved.legal].all()
    assert said.solved.legal[said.best].all()


def test_the_time_of_solving_is_said_before_it_is_spent() -> None:
    positions = [replace(position, move_scores=None) for position in _positions()]
    lines: list[str] = []
    judged_positions(positions, progress=lines.append)
    assert lines[0] == f"solving the moves of {len(positions)} positions"
    assert lines[1].startswith("about ")
    assert len(lines) == 2


@pytest.mark.parametrize("off", [-1, 1])
def test_a_score_that_is_not_exact_is_named(off: int) -> None:
    first = _positions()[0]
    wrong = replace(first, score=first.score + off, move_scores=None)
    with pytest.raises(InputError, match=f"is not exact, it is {first.score};"):
        judged_positions([wrong])
