"""The promise by slices."""

import numpy as np
import pytest

from trimtab.agents.slices import judge_slices
from trimtab.errors import InputError


def _judged(losses: dict[str, np.ndarray]) -> dict[str, str]:
    categories = [name for name, values in losses.items() for _ in values]
    found = judge_slices(np.concatenate(list(losses.values())), categories, loss=0.02, delta=0.05)
    return {one.category: one.verdict for one in found}


def test_a_category_that_loses_is_named_beside_one_that_keeps() -> None:
    rng = np.random.default_rng(0)
    bad = rng.choice([1.0, 0.0], p=[0.2, 0.8], size=400)
    assert _judged({"good": np.zeros(500), "bad": bad, "rare": np.ones(20)}) == {
        "good": "kept",
        "bad": "loses",
        "rare": "too few",
    }


def test_a_category_at_the_border_stays_open() -> None:
    losses = np.zeros(400)
    losses[::25] = 1.0  # 4 %
    assert _judged({"border": losses}) == {"border": "open"}


def test_wrong_verdicts_stay_below_the_allowed_error() -> None:
    rng = np.random.default_rng(1)
    draws = rng.choice([1.0, 0.0], p=[0.04, 0.96], size=(200, 2, 250))
    wrong = sum("kept" in _judged({"a": pair[0], "b": pair[1]}).values() for pair in draws)
    assert wrong <= 18  # 5 % of 200, and what chance adds in one of a hundred runs


def test_every_loss_needs_a_category() -> None:
    with pytest.raises(InputError, match="3 losses, 2 categories"):
        judge_slices(np.zeros(3), ["a", "b"], loss=0.02, delta=0.05)
