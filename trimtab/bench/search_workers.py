"""Worker threads on a slow leaf function: how much faster eight are than one, and no worse.

Speed is wall-clock time, for the leaf function sleeps. Quality is measured without the sleep:
answers are taken in by the order of the descents, so the tree is the same with it. A move is right
if it keeps the exact win, draw or loss, by our solver.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np

from trimtab.bench.result import Measure
from trimtab.bench.turns import Rates, Turn, take_turns
from trimtab.domains.connect_four import ConnectFour, ConnectFourState
from trimtab.domains.connect_four_solver import ConnectFourSolver
from trimtab.search.parallel import Leaf, WorkerConfig, WorkerSearch
from trimtab.search.uct import UCTConfig, search_uct
from trimtab.stats import paired_proportion_difference
from trimtab.training.self_play import random_openings

SLEEP_S = 0.02
WORKERS = 8
LEAF_SIMULATIONS = 20
FEWEST_STONES, MOST_PLIES = 10, 26
DOMAIN = ConnectFour()


def worker_rates(*, simulations: int, rounds: int) -> Rates:
    """Return simulations per second of one worker and of eight, from the start position."""

    def sleeping(state: ConnectFourState) -> Leaf:
        time.sleep(SLEEP_S)
        return judged(state)

    def turn_of(workers: int) -> Turn:
        return lambda: _search(DOMAIN.initial_state(0), sleeping, workers, simulations)[1]

    turns = {"one": turn_of(1), "eight": turn_of(WORKERS)}
    return take_turns(turns, rounds=rounds, clock=time.perf_counter)


def quality_loss(*, positions: int, simulations: int, seed: int) -> dict[str, Measure]:
    """Return the shares of right moves with one worker and with eight, and their difference."""
    solver = ConnectFourSolver()
    right: dict[int, list[bool]] = {1: [], WORKERS: []}
    for state, kept in _positions(solver, positions, seed):
        for workers, moves in right.items():
            moves.append(_search(state, judged, workers, simulations)[0] in kept)
    loss = paired_proportion_difference(right[1], right[WORKERS])
    shares = {
        f"workers_{workers}_right_moves": Measure(value=float(np.mean(moves)), unit="share")
        for workers, moves in right.items()
    }
    difference = Measure(value=loss.value, low=loss.low, high=loss.high, unit="share of moves")
    return {**shares, "workers_8_quality_loss": difference}


def judged(state: ConnectFourState) -> Leaf:
    """Return equal priors, and the value that a few playouts give: the same for a state always."""
    game = DOMAIN.compiled
    legal = DOMAIN.legal_actions(state)
    priors = [1.0 / len(legal) if column in legal else 0.0 for column in range(7)]
    seed = (state.mover * 0x9E3779B97F4A7C15 + state.occupied) % 2**31
    config = UCTConfig(simulations=LEAF_SIMULATIONS)
    value = search_uct(game, game.encode(state)[None], config, [seed]).value[0]
    return Leaf(priors=priors, value=float(value))


def _search(
    state: ConnectFourState,
    leaf: Callable[[ConnectFourState], Leaf],
    workers: int,
    simulations: int,
) -> tuple[int, int]:
    config = WorkerConfig(simulations=simulations, workers=workers)
    search = WorkerSearch(DOMAIN, state, player=lambda s: s.stones % 2, config=config)
    result = search.run(leaf)
    return result.action, result.simulations


def _positions(
    solver: ConnectFourSolver, count: int, seed: int
) -> list[tuple[ConnectFourState, list[int]]]:
    """Return positions in which a move can go wrong, each with the moves that do not."""
    game = DOMAIN.compiled
    rng = np.random.default_rng(seed)
    found: list[tuple[ConnectFourState, list[int]]] = []
    while len(found) < count:
        row = random_openings(game, games=1, most_plies=MOST_PLIES, rng=rng)[0]
        state = DOMAIN.compiled.decode(row)
        if state.stones < FEWEST_STONES:
            continue
        outcomes = {c: v for c, v in enumerate(solver.move_outcomes(state)) if v is not None}
        kept = [column for column, value in outcomes.items() if value == max(outcomes.values())]
        if len(kept) < len(outcomes):
            found.append((state, kept))
    return found
