"""The puzzle bench: what its figures mean, and what it refuses."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from trimtab.bench.puzzles import bundle_of, escalation, run
from trimtab.errors import BundleError, ConfigError


def test_an_order_that_puts_the_wrong_first_has_no_area_to_the_ideal_line() -> None:
    right = np.array([False, False, True, True, True])
    area, at_70 = escalation(np.array([0.1, 0.2, 0.7, 0.8, 0.9]), right)
    assert area == pytest.approx(0.0)
    assert at_70 == 1.0


def test_an_order_that_puts_the_wrong_last_has_the_largest_area() -> None:
    right = np.array([False, True])
    area, _ = escalation(np.array([0.9, 0.1]), right)
    # solved: .5, .5, 1 against the ideal .5, 1, 1
    assert area == pytest.approx(0.25)


def test_escalating_a_weak_net_by_its_confidence_solves_what_is_escalated() -> None:
    rng = np.random.default_rng(0)
    right = rng.random(1000) < 0.29
    confidence = np.where(right, 0.9, 0.1) + rng.normal(0.0, 0.05, 1000)
    assert escalation(confidence, right)[1] > 0.95


def test_a_net_that_is_not_shipped_is_named_with_the_way_to_train_it() -> None:
    with pytest.raises(BundleError, match="trimtab train plain --puzzle sudoku6"):
        bundle_of("sudoku6", "plain")


@pytest.mark.parametrize(
    ("files", "agent", "says"),
    [
        ([], "trm", "at least one file"),
        (["a/x.csv", "b/x.csv"], "trm", "another name"),
        (["x.csv"], "gru", "agent='gru'"),
    ],
)
def test_arguments_that_cannot_be_used_are_named(files: list[str], agent: str, says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        run(files=[Path(file) for file in files], agent=agent)
