"""The agents ``mcts`` of a board game: a tree search that the net guides.

A larger budget is an agent of its own, so that asking it is a step with a price.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from trimtab.agents.board_gates import entropy, search_features
from trimtab.agents.board_net import BoardNet
from trimtab.agents.board_policy import Spending, row_of
from trimtab.agents.calibration import Gate
from trimtab.agents.routing import DEPTH
from trimtab.protocols import ONGOING, AnyDomain
from trimtab.records import Passage, Prediction
from trimtab.search.mcts import MCTSConfig, SearchResult, search

PROVEN = "proven"
LINE = 8
"""Moves of the principal variation that a trace keeps."""


class TreeSearch:
    """Plays what a search found; safe to call from several threads.

    The confidence is the gate's, and 1 where the search has proven the result of the position.
    The trace holds ``moves`` (each with visits, value and prior), ``line`` (the principal
    variation) and ``simulations``.

    Args:
        domain: the game.
        net: made for its compiled rules.
        gate: turns :func:`search_features` into the probability that the move keeps the result.
        config: budget in simulations or milliseconds, and how to search.
        usd_per_cpu_s: price of this machine's processor time.
        name: of its predictions.
    """

    reads_context = False

    def __init__(
        self,
        domain: AnyDomain,
        net: BoardNet,
        *,
        gate: Gate,
        config: MCTSConfig,
        usd_per_cpu_s: float,
        name: str = "mcts",
    ) -> None:
        self.name = name
        self.config = config
        self._domain, self._net, self._gate = domain, net, gate
        self._usd_per_cpu_s = usd_per_cpu_s

    def predict(
        self, states: Sequence[object], *, context: Sequence[Sequence[Passage]] = ()
    ) -> list[Prediction]:
        """Return one move per state; ``context`` is not read.

        Raises:
            InputError: a game is over.
            SearchError: the net gave what cannot be used.
        """
        # one by one: a batch would change the last bits of the net, and with them the tree
        return [self._predict(state) for state in states]

    def _predict(self, state: object) -> Prediction:
        clock = Spending(self._usd_per_cpu_s)
        row = row_of(self._domain, self._net, state)
        found = search(self._net.game, row, self._net.evaluate, self.config, [0])
        action = int(found.action[0])
        proven = bool(found.proven[0] != ONGOING)
        visits = found.visit_counts[0].astype(np.float64)
        features = search_features(visits, found.q[0], found.priors[0], action)
        shares = visits / visits.sum()
        return Prediction(
            agent=self.name,
            action=action,
            confidence=1.0 if proven else self._gate.confidence(features),
            probs=tuple(shares.tolist()),
            value=float(found.value[0]),
            usage=clock.usage(),
            tier=PROVEN if proven else f"{self.config.simulations} simulations",
            signals={
                "margin": features[1],
                "entropy": entropy(shares),
                "value_gap": features[3],
                "proven": float(proven),
                DEPTH: float(self.config.simulations),
            },
            trace=self._trace(found),
        )

    def _trace(self, found: SearchResult) -> dict[str, Any]:
        spell = self._domain.canonical
        return {
            "simulations": int(found.simulations[0]),
            "moves": [
                {
                    "move": spell(action),
                    "visits": int(found.visit_counts[0, action]),
                    "value": round(float(found.q[0, action]), 3),
                    "prior": round(float(found.priors[0, action]), 3),
                }
                for action in np.flatnonzero(found.visit_counts[0]).tolist()
            ],
            "line": [
                {"move": spell(step.action), "visits": step.visits, "value": round(step.value, 3)}
                for step in found.principal_variation(0)[:LINE]
            ],
        }
