"""Fits what a board net and its searches may believe, on positions whose truth was solved.

N is the number of positions.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from trimtab.agents.board_gates import SEARCHES, BoardGates, policy_features, search_features
from trimtab.agents.board_net import BoardNet
from trimtab.agents.calibration import Gate, accept_threshold, fit_gate
from trimtab.datasets.solved_positions import SolvedPositions
from trimtab.errors import InputError
from trimtab.protocols import ONGOING
from trimtab.search.mcts import MCTSConfig, search
from trimtab.stats.calibration import ece

LEAST = 60
"""Positions that a fit needs."""
HELD_OUT = 3
"""Every third position measures the gates that the others fitted."""
TARGET = 0.98
"""What the accepted part must be right at; see ``accept_threshold``."""

HEADING = "## Gates"
"""Under which a bundle's card tells what was fitted."""

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]


@dataclass(frozen=True, slots=True, kw_only=True)
class FittedGates:
    """What a fit gave.

    Attributes:
        gates: of the net and its searches.
        accept: confidence from which the net's move was right at ``TARGET`` on held-out rows.
        metrics: held-out figures by name: share right and expected calibration error.
        positions: number of all positions.
    """

    gates: BoardGates
    accept: float
    metrics: Mapping[str, float]
    positions: int

    def card(self) -> str:
        """Return the section of a bundle's card."""
        lines = "\n".join(f"| {name} | {value:.4f} |" for name, value in self.metrics.items())
        return (
            f"{HEADING}\n\nThe probability that a move keeps the exact result, fitted on "
            f"{self.positions} positions after uniformly random moves, solved by trimtab's own "
            f"solver; every third one was held out for these figures.\n\n"
            f"| held out | value |\n|---|---|\n{lines}\n"
        )


def fit_board_gates(net: BoardNet, positions: SolvedPositions) -> FittedGates:
    """Return the gates of a net and of its searches with ``SEARCHES`` simulations.

    A move is right if it keeps the exact win, draw or loss. What a search has proven needs no
    gate and is not fitted on.

    Raises:
        InputError: too few positions.
    """
    if len(positions) < LEAST:
        raise InputError(f"{len(positions)} positions fit no gates; give at least {LEAST}")
    held = np.arange(len(positions)) % HELD_OUT == 0
    features, actions = _of_policy(net, positions)
    right = positions.keeps[np.arange(len(positions)), actions]
    policy = fit_gate(features[~held], right[~held])
    sure = _confidences(policy, features)
    metrics = _measured("net", sure[held], right[held])
    searches: dict[int, Gate] = {}
    for simulations in SEARCHES:
        found, moves, proven = _of_search(net, positions, simulations)
        kept = positions.keeps[np.arange(len(positions)), moves]
        fitted = ~held & ~proven
        gate = searches[simulations] = fit_gate(found[fitted], kept[fitted])
        believed = np.where(proven, 1.0, _confidences(gate, found))
        metrics |= _measured(f"mcts_{simulations}", believed[held], kept[held])
    return FittedGates(
        gates=BoardGates(policy=policy, searches=searches),
        accept=accept_threshold(sure, right, target=TARGET),
        metrics=metrics,
        positions=len(positions),
    )


def _of_policy(net: BoardNet, positions: SolvedPositions) -> tuple[Floats, NDArray[np.int64]]:
    priors, values = net.evaluate(positions.rows)
    rows = [policy_features(p, float(v)) for p, v in zip(priors, values, strict=True)]
    return np.array(rows), priors.argmax(axis=1)


def _of_search(
    net: BoardNet, positions: SolvedPositions, simulations: int
) -> tuple[Floats, NDArray[np.int64], Bools]:
    config = MCTSConfig(simulations=simulations)
    found = search(net.game, positions.rows, net.evaluate, config, range(len(positions)))
    rows = [
        search_features(found.visit_counts[i], found.q[i], found.priors[i], int(found.action[i]))
        for i in range(len(positions))
    ]
    return np.array(rows), found.action, found.proven != ONGOING


def _confidences(gate: Gate, features: Floats) -> Floats:
    return np.array([gate.confidence(row) for row in features.tolist()])


def _measured(name: str, confidence: Floats, right: Bools) -> dict[str, float]:
    return {
        f"gate_{name}_right": float(right.mean()),
        f"gate_{name}_ece": ece(confidence, right.astype(np.float64), bins=10),
    }
