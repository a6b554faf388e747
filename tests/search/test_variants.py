"""Every variant of the search on the same small tasks: tactics, a bandit, and determinism."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.search.bandit import BANDIT, Rewards
from tests.search.evaluators import Uniform
from trimtab.domains.connect_four import ConnectFour, ConnectFourState
from trimtab.protocols import Words
from trimtab.search.mcts import MCTSConfig, SearchResult, search
from trimtab.search.reference import ReferenceSearch, reference_uct
from trimtab.search.uct import UCTConfig, search_uct
from trimtab.search.workers import Leaf

FOUR = ConnectFour()
GAME = FOUR.compiled
SIMULATIONS = 400
CONFIGS: dict[str, MCTSConfig | UCTConfig] = {
    "uct": UCTConfig(simulations=SIMULATIONS),
    "rave": UCTConfig(simulations=SIMULATIONS, c=0.5, rave_bias=0.1),
    "puct": MCTSConfig(simulations=SIMULATIONS),
    "gumbel": MCTSConfig(simulations=SIMULATIONS, root="gumbel", noise=1.0),
    "leaves": MCTSConfig(simulations=SIMULATIONS, leaves=8),
}
VARIANTS = pytest.mark.parametrize("config", CONFIGS.values(), ids=CONFIGS.keys())


def _run(config: MCTSConfig | UCTConfig, states: list[ConnectFourState]) -> SearchResult:
    rows: Words = np.stack([GAME.encode(state) for state in states])
    if isinstance(config, UCTConfig):
        return search_uct(GAME, rows, config, range(len(rows)))
    return search(GAME, rows, Uniform(GAME), config, range(len(rows)))


def _wins(state: ConnectFourState) -> list[int]:
    after = {a: FOUR.apply_action(state, a) for a in FOUR.legal_actions(state)}
    return [a for a, child in after.items() if child.won]


def _tasks(*, block: bool) -> list[tuple[ConnectFourState, list[int]]]:
    """Return positions of random games, for both sides, with the moves that solve them."""
    rng = np.random.default_rng(5)
    tasks: list[tuple[ConnectFourState, list[int]]] = []
    counts = [0, 0]
    while min(counts) < 10:
        state = FOUR.initial_state(0)
        while not FOUR.is_terminal(state):
            wins = _wins(state)
            passed = ConnectFourState(state.mover ^ state.occupied, state.occupied)
            threats = [] if wins or not FOUR.legal_actions(state) else _wins(passed)
            moves = threats if block else wins
            side = state.stones % 2
            # one threat can be blocked, of two one is lost whatever is played
            if moves and (len(moves) == 1 or not block) and counts[side] < 10:
                tasks.append((state, moves))
                counts[side] += 1
            state = FOUR.apply_action(state, int(rng.choice(FOUR.legal_actions(state))))
    return tasks


@VARIANTS
def test_every_win_in_one_is_played_by_both_sides(config: MCTSConfig | UCTConfig) -> None:
    tasks = _tasks(block=False)
    result = _run(config, [state for state, _ in tasks])
    assert all(a in moves for a, (_, moves) in zip(result.action, tasks, strict=True))
    assert (result.proven == 1.0).all()


@VARIANTS
def test_every_threat_is_blocked_by_both_sides(config: MCTSConfig | UCTConfig) -> None:
    tasks = _tasks(block=True)
    result = _run(config, [state for state, _ in tasks])
    # a position that is proven lost has no block left to find
    missed = [
        FOUR.to_text(state)
        for action, proven, (state, moves) in zip(result.action, result.proven, tasks, strict=True)
        if action not in moves and proven != -1.0
    ]
    assert missed == []


def _uniform_leaf(state: ConnectFourState) -> Leaf:
    legal = FOUR.legal_actions(state)
    return Leaf(priors=[(a in legal) / len(legal) for a in range(7)], value=0.0)


@pytest.mark.parametrize("block", [False, True], ids=["win", "block"])
def test_the_reference_wins_and_blocks_in_one(block: bool) -> None:
    def player(state: Any) -> int:
        return int(state.stones % 2)

    for state, moves in _tasks(block=block)[::2]:
        puct = ReferenceSearch(FOUR, state, player=player).run(_uniform_leaf, simulations=200)
        uct = reference_uct(FOUR, state, player=player, simulations=200, c=1.4, seed=0)
        for result in (puct, uct):
            assert result.action in moves or result.proven == -1.0


BANDITS: dict[str, MCTSConfig | UCTConfig] = {
    "uct": UCTConfig(simulations=500),
    "puct": MCTSConfig(simulations=500, c_puct=2.0),
    "gumbel": MCTSConfig(simulations=500, root="gumbel", noise=1.0),
}


@pytest.mark.parametrize("config", BANDITS.values(), ids=BANDITS.keys())
def test_the_best_arm_of_a_bandit_is_found_with_95_of_100_seeds(
    config: MCTSConfig | UCTConfig,
) -> None:
    rows = np.zeros((100, 1), np.uint64)
    if isinstance(config, UCTConfig):
        result = search_uct(BANDIT, rows, config, range(100))
    else:
        result = search(BANDIT, rows, Rewards(0), config, range(100))
    assert (result.action == 3).sum() >= 95


PROGRAM = """
import numpy as np
from tests.search.test_variants import CONFIGS, FOUR, _run
states = [FOUR.initial_state(0)]
rng = np.random.default_rng(1)
while len(states) < 20:
    following = FOUR.apply_action(states[-1], int(rng.choice(FOUR.legal_actions(states[-1]))))
    states.append(FOUR.initial_state(0) if FOUR.is_terminal(following) else following)
for name, config in CONFIGS.items():
    result = _run(config, states)
    for action, counts, tree in zip(result.action, result.visit_counts, result.tree_hash):
        print(name, action, counts.tolist(), tree)
"""


def test_one_seed_gives_one_tree_in_two_processes_100_times_of_100() -> None:
    outputs = [
        subprocess.run(
            [sys.executable, "-c", PROGRAM],
            cwd=Path(__file__).parents[2],
            capture_output=True,
            text=True,
            check=True,
        ).stdout.splitlines()
        for _ in range(2)
    ]
    assert len(outputs[0]) == 100
    assert outputs[0] == outputs[1]
