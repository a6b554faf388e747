"""Contestants that take turns: rates and ratios from a clock that is handed in."""

from __future__ import annotations

import itertools
import os

import pytest

from trimtab.bench.turns import one_core, take_turns


def test_rates_and_ratios_are_medians_over_the_rounds_without_the_first_turn() -> None:
    # first turns of 9 s and 8 s, then rounds of 1, 2 and 4 s against 2 s each
    seconds = itertools.accumulate([0, 9, 0, 8, 0, 1, 0, 2, 0, 2, 0, 2, 0, 4, 0, 2])
    rates = take_turns(
        {"ours": lambda: 8, "theirs": lambda: 2}, rounds=3, clock=lambda: float(next(seconds))
    )
    assert rates.first_s == {"ours": 9.0, "theirs": 8.0}
    assert rates.per_s == {"ours": [8.0, 4.0, 2.0], "theirs": [1.0, 1.0, 1.0]}
    assert rates.rate("ours", "1/s").value == 4.0
    assert rates.ratio("ours", "theirs").value == 4.0


def test_a_contestant_that_is_not_installed_has_no_figure() -> None:
    rates = take_turns({"ours": lambda: 1}, rounds=1)
    assert rates.rate("mctx", "1/s").value is None
    assert rates.ratio("ours", "mctx").value is None


@pytest.mark.skipif(not hasattr(os, "sched_getaffinity"), reason="the OS cannot pin threads")
def test_one_core_is_given_back() -> None:
    before = os.sched_getaffinity(0)
    with one_core():
        assert len(os.sched_getaffinity(0)) == 1
    assert os.sched_getaffinity(0) == before
