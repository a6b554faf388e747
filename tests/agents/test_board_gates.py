from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.games import GATES, game_bundle
from trimtab.agents.board_gates import (
    SPEC,
    BoardGates,
    entropy,
    policy_features,
    search_features,
)
from trimtab.errors import BundleError
from trimtab.release.bundle import load


def test_gates_survive_their_bundle(tmp_path: Path) -> None:
    assert BoardGates.from_bundle(load(game_bundle(tmp_path / "net"))) == GATES


@pytest.mark.parametrize(
    ("gates", "message"),
    [
        (None, "has no gates.*trimtab train gates"),
        ({"policy": {"weights": [1.0]}}, "fit them again"),
        ([], "fit them again"),
    ],
)
def test_bundle_without_readable_gates_is_refused(
    tmp_path: Path, gates: object, message: str
) -> None:
    bundle = load(game_bundle(tmp_path / "net"))
    with pytest.raises(BundleError, match=message):
        BoardGates.from_bundle(replace(bundle, spec={**bundle.spec, SPEC: gates}))


@pytest.mark.parametrize(("budget", "fitted"), [(25, 100), (100, 100), (599, 100), (9999, 600)])
def test_budget_is_believed_as_much_as_the_largest_fitted_one_within(
    budget: int, fitted: int
) -> None:
    assert GATES.search(budget) is GATES.searches[fitted]


def test_entropy_of_equal_shares_is_the_logarithm_of_their_number() -> None:
    assert entropy(np.full(4, 0.25)) == pytest.approx(np.log(4))
    assert entropy(np.array([1.0, 0.0])) == 0.0


def test_forced_move_has_finite_features() -> None:
    single = np.array([0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 0.0])
    assert np.isfinite(policy_features(single, -1.0)).all()
    assert np.isfinite(search_features(single * 100, single * -1.0, single, 2)).all()


def test_gap_is_over_the_best_other_move_that_was_tried() -> None:
    visits = np.array([60.0, 30.0, 10.0, 0.0])
    q = np.array([0.5, 0.2, -0.9, 0.0])
    features = search_features(visits, q, np.full(4, 0.25), 0)
    assert features[3] == pytest.approx(0.3)
