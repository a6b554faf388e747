from __future__ import annotations

import numpy as np
import pytest

from trimtab.errors import InputError
from trimtab.training.research_fit import (
    accept_threshold,
    balanced_threshold,
    best_f_threshold,
    fit_rows,
)


def test_a_row_is_judged_by_a_fit_that_has_not_seen_its_group() -> None:
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(200, 2))
    labels = rows[:, 0] > 0.0
    groups = list(np.arange(200) // 2)
    fitted = fit_rows(("a", "b"), rows, labels, groups)
    assert ((fitted.held_out > 0.5) == labels).mean() > 0.9
    assert fitted.logistic.weights[0] > abs(fitted.logistic.weights[1])
    noise = fit_rows(("a", "b"), rows, rng.random(200) > 0.5, groups)
    assert abs(float(noise.held_out.mean()) - 0.5) < 0.1


def test_one_label_alone_cannot_be_fitted() -> None:
    with pytest.raises(InputError, match="one label"):
        fit_rows(("a",), np.zeros((4, 1)), np.ones(4, dtype=bool), [0, 1, 2, 3])


def test_thresholds_stand_where_their_measure_is_largest() -> None:
    p = np.array([0.1, 0.2, 0.6, 0.7, 0.9])
    labels = np.array([False, False, True, False, True])
    assert best_f_threshold(p, labels, beta=0.5) == pytest.approx(0.8)
    assert balanced_threshold(p, labels) == pytest.approx(0.4)
    assert accept_threshold(p, labels, share=0.6) == pytest.approx(0.6)
    assert accept_threshold(p[:2], labels[:2], share=0.6) == 1.0
