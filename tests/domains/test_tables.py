"""Recorded steps as arrays: what fits together, and when two answers are one."""

import numpy as np
import pytest

from tests.recorded_worlds import independent
from trimtab.domains.tables import RecordedSteps, answer_codes, join
from trimtab.errors import InputError


def test_answers_have_one_code_exactly_where_they_are_equal() -> None:
    codes = answer_codes([["4", "5"], ["4", "6"]])
    assert (codes[0] == codes[1]).tolist() == [True, False]


def test_no_answer_equals_no_other() -> None:
    codes = answer_codes([[None], [None], ["None"]])
    assert len(set(codes[:, 0].tolist())) == 3
    assert (codes[:2] < 0).all()


def test_rows_are_taken_in_their_order_and_may_repeat() -> None:
    steps = independent([0.5, 0.9], usd=[1.0, 2.0], n=10)
    taken = steps.take(np.array([7, 2, 7]))
    assert taken.correct[1].tolist() == steps.correct[1, [7, 2, 7]].tolist()


def test_joined_tables_stand_one_after_the_other() -> None:
    first, second = (independent([0.5, 0.9], usd=[1.0, 2.0], n=5, seed=s) for s in (0, 1))
    both = join([first, second])
    assert both.n == 10
    assert both.take(np.arange(5, 10)).codes.tolist() == second.codes.tolist()


def test_tables_of_other_steps_cannot_be_joined() -> None:
    two, three = independent([0.5, 0.9], usd=[1, 2]), independent([0.5] * 3, usd=[1, 2, 3])
    with pytest.raises(InputError, match="differ in steps"):
        join([two, three])


def test_an_unknown_step_is_named_with_those_present() -> None:
    with pytest.raises(InputError, match=r"no step is named 'z'; use one of \['a', 'b'\]"):
        independent([0.5, 0.9], usd=[1.0, 2.0]).index("z")


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"codes": np.zeros((2, 3), np.int64)}, "not all"),
        ({"names": ("a", "a")}, "each with its own name"),
        ({"cost_usd": np.full((2, 4), -1.0)}, "below 0"),
        ({"exact": frozenset({"z"})}, "exact=\\['z'\\]"),
    ],
)
def test_what_does_not_fit_is_named(change: dict[str, object], named: str) -> None:
    plain: dict[str, object] = {
        "names": ("a", "b"),
        "codes": np.zeros((2, 4), np.int64),
        "correct": np.ones((2, 4), np.bool_),
        "cost_usd": np.ones((2, 4)),
        "signals": np.zeros((0, 2, 4)),
    }
    with pytest.raises(InputError, match=named):
        RecordedSteps(**{**plain, **change})  # type: ignore[arg-type]
