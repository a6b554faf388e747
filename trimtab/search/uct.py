"""UCT: tree search with one random playout per leaf, no net, one thread.

Example::

    rows = game.encode(state)[None]                                      # [1, W]
    result = search_uct(game, rows, UCTConfig(simulations=1000), seeds=[7])
    result.action[0], result.visit_counts[0], result.proven[0]

With ``rave_bias`` the same search is UCT-RAVE, for games in which a move is worth about the same
now and later, such as Hex.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial

import numpy as np
from numpy.typing import NDArray

from trimtab.errors import InputError, SearchError
from trimtab.protocols import ONGOING, AnyGame, Words
from trimtab.search import uct_kernels as kernels
from trimtab.search.checks import checked_rows, checked_seeds, finite, one_of, room, whole
from trimtab.search.compiled import build
from trimtab.search.config import FINAL_MOVES, FinalMove
from trimtab.search.outcome import Edges, SearchResult, chosen, line, stacked
from trimtab.search.rave_kernels import build_rave
from trimtab.search.selection import ucb1_widths

CHUNK = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class UCTConfig:
    """Settings of a search with random playouts.

    Attributes:
        simulations: budget; also the limit on memory where ``milliseconds`` is set.
        milliseconds: if set, no 1,000 simulations begin later than this.
        c: weight of exploration; 1.4 is near sqrt(2), the constant of UCB1 for values in [0, 1].
        rave_bias: b of RAVE's β; None is plain UCT.
        final_move: as in ``MCTSConfig``.
    """

    simulations: int = 1000
    milliseconds: float | None = None
    c: float = 1.4
    rave_bias: float | None = None
    final_move: FinalMove = "visits"

    def __post_init__(self) -> None:
        """Check every field.

        Raises:
            ConfigError: a field is out of range.
        """
        whole("simulations", self.simulations)
        finite("c", self.c, above=False)
        if self.milliseconds is not None:
            finite("milliseconds", self.milliseconds, above=True)
        if self.rave_bias is not None:
            finite("rave_bias", self.rave_bias, above=False)
        one_of("final_move", self.final_move, FINAL_MOVES)


def search_uct(
    game: AnyGame,
    rows: Words,
    config: UCTConfig,
    seeds: Sequence[int] | NDArray[np.integer],
) -> SearchResult:
    """Search `[T, W]` positions one after the other.

    Raises:
        InputError: a row has the wrong shape or is finished, or the seeds do not fit.
    """
    rows = checked_rows(game, rows)
    numbers = checked_seeds(seeds, len(rows))
    return stacked([UCT(game, row, config, n).run() for row, n in zip(rows, numbers, strict=True)])


class UCT:
    """A search of one position `[W]`; ``run`` with a larger budget goes on where it stopped.

    Raises:
        InputError: the position has the wrong shape or is finished, or the seed is negative or
            of more than 63 bits.
        ConfigError: the simulations are more than the memory holds.
    """

    def __init__(
        self,
        game: AnyGame,
        row: Words,
        config: UCTConfig,
        seed: int,
        *,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        row = checked_rows(game, np.asarray(row)[None])[0]
        (seed,) = checked_seeds([seed], 1, bits=63)
        self._config = config
        self._clock = clock
        rave = config.rave_bias is not None
        node_type = kernels.uct_node_type(game.num_actions, game.words, rave=rave)
        self._nodes = room(1, config.simulations + 1, node_type)[0]
        self._state = np.zeros(1, kernels.RUN)
        self._words = np.empty(game.words, np.uint64)
        self._run = build(build_rave if rave else kernels.build_uct, game)
        if not build(kernels.build_plant_uct, game)(self._nodes, self._state, row, seed):
            raise InputError(
                f"{game.name}: the game is finished; search only positions with a legal action"
            )

    def run(self) -> SearchResult:
        """Search until the budget is used up or the position is settled."""
        simulations, milliseconds = self._config.simulations, self._config.milliseconds
        if milliseconds is None:
            self._advance(simulations)
            return self.result()
        end = self._clock() + milliseconds / 1000.0
        while True:
            done = int(self._state[0]["done"])
            self._advance(min(done + CHUNK, simulations))
            settled = self._nodes[0]["proven"] != ONGOING
            if settled or self._state[0]["done"] >= simulations or self._clock() >= end:
                return self.result()

    def _advance(self, simulations: int) -> None:
        widths = _widths(self._config.simulations + 1, self._config.c)
        arguments = (self._nodes, self._state, widths, simulations, self._words)
        if self._config.rave_bias is None:
            self._run(*arguments)
        else:
            self._run(*arguments, float(self._config.rave_bias))

    def result(self) -> SearchResult:
        """Return the search so far.

        Raises:
            SearchError: no simulation is finished.
        """
        state, root = self._state[0], self._nodes[0]
        if not state["done"]:
            raise SearchError("no simulation is finished yet; run the search first")
        edges = _edges(self._nodes, 0)
        visits = edges.kept_visits()[None]
        actions = np.arange(len(edges.visits), dtype=np.uint64)
        legal = (root["legal"] >> actions & np.uint64(1)).astype(np.float64)
        action = chosen(visits, edges.values[None], legal[None], self._config.final_move)
        proven = root["proven"][None].copy()
        mean = (edges.visits * edges.values).sum() / edges.visits.sum()
        return SearchResult(
            action=action,
            visit_counts=edges.visits[None],
            q=edges.values[None],
            value=np.where(proven == ONGOING, mean, proven),
            proven=proven,
            proven_actions=edges.exact[None],
            policy=visits / visits.sum(),
            priors=legal[None] / legal.sum(),
            simulations=state["done"][None].copy(),
            tree_hash=np.array([kernels.hash_tree(self._nodes, self._state)], np.uint64),
            _lines=(partial(line, partial(_edges, self._nodes), int(action[0])),),
        )


def _edges(nodes: NDArray[np.void], index: int) -> Edges:
    node = nodes[index]
    actions = np.arange(len(node["means"]), dtype=np.uint64)
    bit = np.uint64(1)
    tried = ((node["legal"] & ~node["untried"]) >> actions & bit).astype(np.bool_)
    settled = (node["settled"] >> actions & bit).astype(np.bool_)
    # a proven loss stands in the means as -inf
    values = np.where(tried, np.maximum(node["means"], -1.0), 0.0)
    return Edges(
        visits=np.where(tried, node["edge_visits"], 0),
        values=values,
        exact=np.where(settled, values, ONGOING),
        children=np.where(tried, node["children"], -1),
        proven=node["proven"],
    )


# a table takes as long as a thousand simulations
_widths = lru_cache(maxsize=8)(ucb1_widths)
