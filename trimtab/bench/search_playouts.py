"""Search with one random playout per leaf: ours compiled, ours in plain Python, and OpenSpiel's.

OpenSpiel's searches run as its authors give them: ``MCTSBot`` with ``RandomRolloutEvaluator`` of
one playout and the same ``uct_c``, and without their solver, which costs time: ours has its own on.
The C++ search gets enough memory to keep its whole tree.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from importlib.util import find_spec
from typing import Any

import numpy as np

from trimtab.bench.turns import Rates, Turn, take_turns
from trimtab.domains.connect_four import ConnectFour, ConnectFourState
from trimtab.search.parallel import Leaf
from trimtab.search.reference import ReferenceSearch
from trimtab.search.uct import UCTConfig, search_uct

C = 1.4
_COLUMN = 0b111111
MEMORY_MB = 4096


def playout_rates(*, simulations: int, rounds: int, seed: int) -> Rates:
    """Return the rates of UCT in simulations per CPU-second, from the start position.

    Args:
        simulations: of one search.
        rounds: turns of each.
        seed: of the playouts.
    """
    turns = {"ours": our_uct(simulations, seed)}
    if find_spec("pyspiel") is not None:
        turns["openspiel_cpp"] = openspiel_cpp(simulations, seed)
        turns["openspiel_python"] = openspiel_python(simulations, seed, puct=False)
    return take_turns(turns, rounds=rounds)


def reference_rates(*, simulations: int, rounds: int, seed: int) -> Rates:
    """Return the rates of PUCT in plain Python: our reference and OpenSpiel's search.

    Each leaf gets equal priors and the value of one random playout in plain Python; OpenSpiel's
    playout draws its moves in Python and plays them in C++.
    """
    turns = {"ours": our_reference(simulations, seed)}
    if find_spec("pyspiel") is not None:
        turns["openspiel_python"] = openspiel_python(simulations, seed, puct=True)
    return take_turns(turns, rounds=rounds)


def our_reference(simulations: int, seed: int) -> Turn:
    """Return a turn of one search by the plain-Python reference."""
    domain = ConnectFour()
    draws = _draws(np.random.default_rng(seed))
    priors = {n: 1.0 / n for n in range(1, 8)}

    def leaf(state: ConnectFourState) -> Leaf:
        legal = domain.legal_actions(state)
        equal = priors[len(legal)]
        return Leaf(
            priors=[equal if column in legal else 0.0 for column in range(7)],
            value=playout(state, draws),
        )

    def turn() -> int:
        start = domain.initial_state(seed)
        search = ReferenceSearch(domain, start, player=lambda s: s.stones % 2, c_puct=C)
        search.run(leaf, simulations=simulations)
        return search.tree.done

    return turn


def playout(state: ConnectFourState, draws: Iterator[float]) -> float:
    """Return the value of random moves to the end, for the player to move; plain Python.

    Cells are numbered as in ``trimtab.domains.connect_four``.
    """
    other, mine = state.mover ^ state.occupied, state.mover
    tops = [7 * c + (state.occupied >> 7 * c & _COLUMN).bit_count() for c in range(7)]
    free = [c for c in range(7) if tops[c] < 7 * c + 6]
    sign = 1.0
    while free:
        place = int(next(draws) * len(free))
        column = free[place]
        mine |= 1 << tops[column]
        tops[column] += 1
        if tops[column] == 7 * column + 6:
            del free[place]
        for step in (1, 6, 7, 8):
            pairs = mine & mine >> step
            if pairs & pairs >> 2 * step:
                return sign
        mine, other = other, mine
        sign = -sign
    return 0.0


def _draws(rng: np.random.Generator) -> Iterator[float]:
    while True:
        yield from rng.random(4096).tolist()


def our_uct(simulations: int, seed: int) -> Turn:
    """Return a turn of three searches, or the clock would see too little of them."""
    domain = ConnectFour()
    game = domain.compiled
    rows = np.stack([game.encode(domain.initial_state(seed))] * 3)
    config = UCTConfig(simulations=simulations, c=C)
    seeds = [seed, seed + 1, seed + 2]

    def turn() -> int:
        return int(search_uct(game, rows, config, seeds).simulations.sum())

    return turn


def openspiel_cpp(simulations: int, seed: int) -> Turn:
    """Return a turn of one search by OpenSpiel's C++ code."""
    import pyspiel

    game: Any = pyspiel.load_game("connect_four")
    bot: Any = pyspiel.MCTSBot(
        game,
        pyspiel.RandomRolloutEvaluator(1, seed),
        C,
        simulations,
        MEMORY_MB,
        False,
        seed,
        False,
    )

    def turn() -> int:
        return int(bot.mcts_search(game.new_initial_state()).explore_count)

    return turn


def openspiel_python(simulations: int, seed: int, *, puct: bool) -> Turn:
    """Return a turn of one search by OpenSpiel's Python code."""
    import pyspiel
    from open_spiel.python.algorithms import mcts

    # OpenSpiel takes numpy's old generator and no other
    draws = np.random.RandomState(seed)
    game: Any = pyspiel.load_game("connect_four")
    select: Callable[..., float] = mcts.SearchNode.puct_value if puct else mcts.SearchNode.uct_value
    bot: Any = mcts.MCTSBot(
        game,
        C,
        simulations,
        mcts.RandomRolloutEvaluator(1, draws),
        solve=False,
        random_state=draws,
        child_selection_fn=select,
    )

    def turn() -> int:
        return int(bot.mcts_search(game.new_initial_state()).explore_count)

    return turn
