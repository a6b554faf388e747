"""What a net and a search of a board game may believe of their moves: features, gates, JSON.

A gate turns what was seen beside a move into the probability that the move keeps the exact win,
draw or loss of the position. A is the number of actions.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from trimtab.agents.calibration import Gate, gate_features
from trimtab.errors import BundleError
from trimtab.protocols import Array
from trimtab.release.bundle import LoadedBundle

SPEC = "gates"
"""Key of a bundle's spec under which its gates stand."""
ACCEPT = "accept"
"""Threshold of a bundle: the confidence from which no deeper search is asked."""
SEARCHES = (100, 600)
"""Simulations of the searches that a bundle has gates for."""

Floats = NDArray[np.floating]


@dataclass(frozen=True, slots=True, kw_only=True)
class BoardGates:
    """The gates of one net: of its own first choice, and of searches by their simulations."""

    policy: Gate
    searches: Mapping[int, Gate]

    def search(self, simulations: int) -> Gate:
        """Return the gate of the largest fitted search within a budget, else of the smallest.

        A search with more simulations errs less than its gate says, so that it is believed too
        little rather than too much.
        """
        within = [fitted for fitted in self.searches if fitted <= simulations]
        return self.searches[max(within) if within else min(self.searches)]

    def to_json(self) -> dict[str, Any]:
        """Return the gates as plain JSON values."""
        return {
            "policy": _to_json(self.policy),
            "searches": {str(n): _to_json(gate) for n, gate in self.searches.items()},
        }

    @classmethod
    def from_bundle(cls, bundle: LoadedBundle) -> BoardGates:
        """Return the gates of a bundle.

        Raises:
            BundleError: it has none.
        """
        plain = bundle.spec.get(SPEC)
        if plain is None or ACCEPT not in bundle.bundle.thresholds:
            raise BundleError(
                f"{bundle.folder}: the net has no gates, so nobody knows how sure it is; run: "
                f"trimtab train gates --bundle {bundle.folder} --out FOLDER"
            )
        try:
            return cls(
                policy=_from_json(plain["policy"]),
                searches={int(n): _from_json(gate) for n, gate in plain["searches"].items()},
            )
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise BundleError(
                f"{bundle.folder}: {SPEC}={str(plain)[:80]} cannot be read ({error!r}); fit them "
                "again with trimtab train gates"
            ) from error


def policy_features(priors: Floats, value: float) -> list[float]:
    """Return the features of a net's first choice.

    They are its log-odds, its margin, the entropy of the priors (nats), and the value with its
    square: where a position is lost, no move can make it worse.

    Args:
        priors: `[A]`, sum 1.
        value: of the position in [-1, 1] for the player to move.
    """
    shares = priors.astype(np.float32)
    return [
        *gate_features(shares, int(shares.argmax()), ()),
        entropy(shares),
        value,
        value * value,
    ]


def search_features(visits: Floats, q: Floats, priors: Floats, action: int) -> list[float]:
    """Return the features of a search's move.

    They are the log-odds and the margin of its share of visits, the entropy of the shares (nats),
    the gap of its value over the best other, its prior, and its value with the square of it.

    Args:
        visits: `[A]` simulations per action, one at least.
        q: `[A]` mean value per action, 0 where never visited.
        priors: `[A]` of the net.
        action: the move.
    """
    shares: Array = (visits / visits.sum()).astype(np.float32)
    value = float(q[action])
    others = [float(q[a]) for a in np.flatnonzero(visits) if a != action]
    gap = value - max(others) if others else 1.0
    return [
        *gate_features(shares, action, ()),
        entropy(shares),
        gap,
        float(priors[action]),
        value,
        value * value,
    ]


def entropy(shares: Floats) -> float:
    """Return the entropy of probabilities `[A]` in nats."""
    present = shares[shares > 0].astype(np.float64)
    return max(0.0, -float(present @ np.log(present)))


def _to_json(gate: Gate) -> dict[str, Any]:
    return {"weights": list(gate.weights), "bias": gate.bias}


def _from_json(plain: Mapping[str, Any]) -> Gate:
    weights = tuple(float(weight) for weight in plain["weights"])
    return Gate(weights, float(cast(float, plain["bias"])))
