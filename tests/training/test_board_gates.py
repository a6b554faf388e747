from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.games import game_bundle, small_net
from trimtab.agents.board_gates import ACCEPT, SEARCHES, BoardGates
from trimtab.app.board_gates import add_gates
from trimtab.datasets.solved_positions import SolvedPositions, solved_positions
from trimtab.errors import InputError
from trimtab.release.bundle import load
from trimtab.training.board_gates import FittedGates, fit_board_gates


@pytest.fixture(scope="module")
def positions() -> SolvedPositions:
    return solved_positions(90, plies=range(24, 34), seed=3)


@pytest.fixture(scope="module")
def fitted(positions: SolvedPositions) -> FittedGates:
    return fit_board_gates(small_net(), positions)


def test_gates_believe_the_net_as_often_as_it_was_right(
    fitted: FittedGates, positions: SolvedPositions
) -> None:
    from trimtab.agents.board_gates import policy_features

    priors, values = small_net().evaluate(positions.rows)
    rows = [policy_features(p, float(v)) for p, v in zip(priors, values, strict=True)]
    believed = np.mean([fitted.gates.policy.confidence(row) for row in rows])
    right = 1.0 - positions.mistake_rate(priors.argmax(axis=1))
    assert believed == pytest.approx(right, abs=0.1)


def test_every_search_has_a_gate_and_held_out_figures(fitted: FittedGates) -> None:
    assert set(fitted.gates.searches) == set(SEARCHES)
    for name in ("net", "mcts_100", "mcts_600"):
        assert 0.0 <= fitted.metrics[f"gate_{name}_right"] <= 1.0
        assert 0.0 <= fitted.metrics[f"gate_{name}_ece"] <= 1.0
    assert 0.0 <= fitted.accept <= 1.0


def test_search_is_right_more_often_than_the_untrained_net(fitted: FittedGates) -> None:
    assert fitted.metrics["gate_mcts_600_right"] > fitted.metrics["gate_net_right"]


def test_too_few_positions_are_refused() -> None:
    with pytest.raises(InputError, match="at least 60"):
        fit_board_gates(small_net(), solved_positions(5, plies=[30], seed=0))


def test_net_with_gates_is_a_bundle_of_its_own(tmp_path: Path) -> None:
    before = load(game_bundle(tmp_path / "net", accept=0.5))
    packed = add_gates(
        before.folder, out=tmp_path / "gated", positions=60, seed=1, plies=range(28, 36)
    )
    after = load(tmp_path / "gated")
    assert after.bundle == packed
    assert packed.parent == before.bundle.bundle_id
    assert after.read("net.onnx") == before.read("net.onnx")
    assert set(BoardGates.from_bundle(after).searches) == set(SEARCHES)
    assert packed.thresholds[ACCEPT] != before.bundle.thresholds[ACCEPT]
    card = (after.folder / "card.md").read_text(encoding="utf-8")
    assert card.startswith("# net\n")
    assert "| gate_net_ece |" in card
