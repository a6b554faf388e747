"""Solves the Game of 24 by tree search over steps, with an agent's proposals as priors if wanted.

The tree is that of ``trimtab.search.reference``: PUCT with proven results. A leaf is worth what one
random playout from it reaches, 24 or not. A dead end is proven as soon as all its steps are, so
that a puzzle without a solution ends as proven too.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from trimtab.domains.game24 import Game24, Game24State
from trimtab.errors import ConfigError, ParseError
from trimtab.protocols import Agent
from trimtab.search.reference import ReferenceSearch
from trimtab.search.shared_tree import WIN, TreeNode
from trimtab.search.workers import Leaf

Priors = Callable[[Game24State], Sequence[float]]
"""A state to `[num_actions]` probabilities over its legal steps."""
SIMULATIONS = 5000
"""Enough to settle any puzzle of four numbers: their whole tree has 4,572 steps at most."""
_GAME = Game24()


@dataclass(frozen=True, slots=True, kw_only=True)
class Solved:
    """What a search made of a puzzle.

    Attributes:
        expression: worth 24, or None.
        proven: whether an absent expression is known not to exist.
        simulations: done.
    """

    expression: str | None
    proven: bool
    simulations: int


class Game24Steps(Game24):
    """The Game of 24 asked for one step at a time, as an LLM is asked for its proposal."""

    instructions = (
        "Game of 24: make 24 from the numbers given, each used exactly once, with + - * / and "
        "brackets; fractions on the way are allowed.\n"
        "The numbers are called a, b, c, d in the order in which they are given. Answer with the "
        "first step alone: which two to join and how, such as d-a."
    )


class ProposedPriors:
    """Priors in which half of the weight is on what an agent proposes.

    The agent is asked about puzzles alone, not about what is left after a step: a search asks it
    once. Where its reply is unreadable the priors are even, and ``unreadable`` counts it.

    Args:
        agent: of a :class:`Game24Steps` domain, such as an ``LLMAgent``.
        weight: of the proposal, in [0, 1].

    Raises:
        ConfigError: another weight.
    """

    def __init__(self, agent: Agent[Game24State], *, weight: float = 0.5) -> None:
        if not 0.0 <= weight <= 1.0:
            raise ConfigError(f"weight={weight} is no share; use 0 to 1")
        self._agent, self._weight = agent, weight
        self.asked = self.unreadable = 0

    def __call__(self, state: Game24State) -> Sequence[float]:
        """Return the priors of a state; errors of the agent but ``ParseError`` are passed on."""
        even = even_priors(state)
        if len(state.values) < len(state.numbers):
            return even
        self.asked += 1
        try:
            (prediction,) = self._agent.predict([state])
        except ParseError:
            self.unreadable += 1
            return even
        proposed = prediction.probs
        if proposed is None:
            step = _GAME.index(prediction.action)
            proposed = tuple(float(action == step) for action in range(_GAME.num_actions))
        mixed = (1.0 - self._weight) * np.array(even) + self._weight * np.array(proposed)
        shares: list[float] = (mixed / mixed.sum()).tolist()
        return shares


def even_priors(state: Game24State) -> Sequence[float]:
    """Return equal probabilities of the legal steps."""
    legal = _GAME.legal_actions(state)
    priors = [0.0] * _GAME.num_actions
    for action in legal:
        priors[action] = 1.0 / len(legal)
    return priors


def solve_game24(
    state: Game24State,
    *,
    seed: int,
    simulations: int = SIMULATIONS,
    priors: Priors = even_priors,
) -> Solved:
    """Return the solution that a search finds, if any.

    Args:
        state: the puzzle, of two numbers or more.
        seed: of the playouts.
        simulations: at most, 1 or more.
        priors: of the steps of a state.

    Raises:
        InputError: one number is left.
        LeafFailed: the priors raised; their error is the cause.
    """
    rng = np.random.default_rng(seed)

    def leaf(reached: Game24State) -> Leaf:
        return Leaf(priors=priors(reached), value=_playout(reached, rng))

    search = ReferenceSearch(_GAME, state, player=lambda _: 0)
    search.run(leaf, simulations=simulations)
    root = search.tree.root
    return Solved(
        expression=_GAME.solution(_won_state(root)) if root.exact == WIN else None,
        proven=root.exact is not None,
        simulations=search.tree.done,
    )


def _playout(state: Game24State, rng: np.random.Generator) -> float:
    while not _GAME.is_terminal(state):
        legal = _GAME.legal_actions(state)
        state = _GAME.apply_action(state, legal[int(rng.integers(len(legal)))])
    return _GAME.returns(state)[0]


def _won_state(node: TreeNode[Game24State]) -> Game24State:
    """Return the end of a line of steps that are proven to win."""
    while node.actions:
        edges = zip(node.children, node.proven, strict=True)
        node = next(child for child, value in edges if child is not None and value == WIN)
    return node.state
