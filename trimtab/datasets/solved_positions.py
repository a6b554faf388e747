"""Connect Four positions with the exact result of every move, drawn and solved on demand.

N is the number of positions, A the number of columns.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from trimtab.domains.connect_four import ConnectFour, ConnectFourState
from trimtab.domains.connect_four_solver import ConnectFourSolver
from trimtab.errors import InputError
from trimtab.protocols import Words

MOST_PLIES = 40


@dataclass(frozen=True, slots=True, kw_only=True)
class SolvedPositions:
    """Positions and which of their moves keep the exact win, draw or loss.

    Attributes:
        rows: `[N, 2]` words of the compiled game.
        keeps: `[N, A]` whether a move keeps the result; full columns do not.
        legal: `[N, A]` whether a move is legal.
    """

    rows: Words
    keeps: NDArray[np.bool_]
    legal: NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.rows)

    def mistake_rate(self, actions: NDArray[np.integer]) -> float:
        """Return the share of positions whose action `[N]` makes the result worse."""
        return 1.0 - float(self.keeps[np.arange(len(self)), actions].mean())

    def random_mistake_rate(self) -> float:
        """Return the mistake rate of uniformly drawn legal moves."""
        rights = (self.keeps & self.legal).sum(axis=1) / self.legal.sum(axis=1)
        return 1.0 - float(rights.mean())


def solved_positions(count: int, *, plies: Sequence[int], seed: int) -> SolvedPositions:
    """Return positions after uniformly random moves, solved exactly.

    Args:
        count: N.
        plies: numbers of random moves; each position draws one of them.
        seed: of every draw.

    Raises:
        InputError: no positions are asked for, or a number of moves is not in 0 to 40.
    """
    if count < 1 or not plies or min(plies) < 0 or max(plies) > MOST_PLIES:
        raise InputError(
            f"count={count}, plies={list(plies)[:5]}: give 1 or more, and 0 to {MOST_PLIES} moves"
        )
    rng = np.random.default_rng(seed)
    domain, solver = ConnectFour(), ConnectFourSolver()
    encode = domain.compiled.encode
    rows: list[Words] = []
    keeps: list[list[bool]] = []
    legal: list[list[bool]] = []
    while len(rows) < count:
        state = random_position(domain, int(rng.choice(plies)), rng)
        if state is None:
            continue
        outcomes = solver.move_outcomes(state)
        best = max(outcome for outcome in outcomes if outcome is not None)
        rows.append(encode(state))
        keeps.append([outcome == best for outcome in outcomes])
        legal.append([outcome is not None for outcome in outcomes])
    return SolvedPositions(rows=np.stack(rows), keeps=np.array(keeps), legal=np.array(legal))


def random_position(
    domain: ConnectFour, plies: int, rng: np.random.Generator
) -> ConnectFourState | None:
    """Return the position after random moves, or None if the game ended on the way."""
    state = domain.initial_state(0)
    for _ in range(plies):
        if domain.is_terminal(state):
            return None
        state = domain.apply_action(state, int(rng.choice(domain.legal_actions(state))))
    return None if domain.is_terminal(state) else state
