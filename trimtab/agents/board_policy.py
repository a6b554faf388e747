"""The agent ``policy`` of a board game: the net's first choice, without any search."""

from __future__ import annotations

import time
from collections.abc import Sequence

import numpy as np

from trimtab.agents.board_gates import entropy, policy_features
from trimtab.agents.board_net import BoardNet
from trimtab.agents.calibration import Gate
from trimtab.agents.routing import DEPTH
from trimtab.domains.texts import short
from trimtab.errors import InputError
from trimtab.protocols import AnyDomain, Words
from trimtab.records import Passage, Prediction, Usage


class BoardPolicy:
    """Plays what the net thinks likeliest; safe to call from several threads.

    Args:
        domain: the game.
        net: made for its compiled rules.
        gate: turns :func:`policy_features` into the probability that the move keeps the result.
        usd_per_cpu_s: price of this machine's processor time.
    """

    name = "policy"
    reads_context = False

    def __init__(
        self, domain: AnyDomain, net: BoardNet, *, gate: Gate, usd_per_cpu_s: float
    ) -> None:
        self._domain, self._net, self._gate = domain, net, gate
        self._usd_per_cpu_s = usd_per_cpu_s

    def predict(
        self, states: Sequence[object], *, context: Sequence[Sequence[Passage]] = ()
    ) -> list[Prediction]:
        """Return one move per state; ``context`` is not read.

        Raises:
            InputError: a game is over.
        """
        # one by one: a batch would change the last bits
        return [self._predict(state) for state in states]

    def _predict(self, state: object) -> Prediction:
        clock = Spending(self._usd_per_cpu_s)
        priors, values = self._net.evaluate(row_of(self._domain, self._net, state))
        shares = priors[0].astype(np.float64)
        shares /= shares.sum()
        features = policy_features(shares, float(values[0]))
        return Prediction(
            agent=self.name,
            action=int(shares.argmax()),
            confidence=self._gate.confidence(features),
            probs=tuple(shares.tolist()),
            value=float(values[0]),
            usage=clock.usage(),
            tier="net",
            signals={"margin": features[1], "entropy": entropy(shares), DEPTH: 0.0},
        )


class Spending:
    """Measures this thread's processor time and wall time from its making on."""

    def __init__(self, usd_per_cpu_s: float) -> None:
        self._usd_per_cpu_s = usd_per_cpu_s
        self._cpu, self._wall = time.thread_time(), time.perf_counter()

    def usage(self) -> Usage:
        """Return what was used so far."""
        spent = time.thread_time() - self._cpu
        return Usage(
            cpu_s=spent,
            latency_s=time.perf_counter() - self._wall,
            cost_usd=spent * self._usd_per_cpu_s,
        )


def row_of(domain: AnyDomain, net: BoardNet, state: object) -> Words:
    """Return a state as `[1, W]` words.

    Raises:
        InputError: the game is over.
    """
    if domain.is_terminal(state):
        raise InputError(
            f"state={short(domain.to_text(state))} is a finished game; give a position in which "
            "there is a move to play"
        )
    row: Words = net.game.encode(state)[None]
    return row
