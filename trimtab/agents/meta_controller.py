"""The meta-controller: which computation comes next, and when to stop."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from trimtab.records import Budget, Prediction, Step


@dataclass(frozen=True, slots=True, kw_only=True)
class CheapestFirst:
    """Runs the cheapest remaining agent until one is confident enough or none is left.

    Attributes:
        prices: expected price of one prediction in US dollars, by agent.
        stop_at: confidence in [0, 1] from which no further agent is run.
    """

    prices: Mapping[str, float]
    stop_at: float

    def next(self, trail: Sequence[Prediction], remaining: Sequence[str], budget: Budget) -> Step:
        """Return the cheapest remaining agent, or None where the trail is confident enough.

        Ties go to the agent that stands first in ``remaining``. An agent that would exceed the
        budget in calls or dollars is not run.
        """
        prices = {name: self.prices[name] for name in remaining}
        confident = any((p.confidence or 0.0) >= self.stop_at for p in trail)
        out_of_calls = budget.calls is not None and len(trail) >= budget.calls
        if confident or out_of_calls or not prices:
            return Step(agent=None, prices=prices)
        cheapest = min(prices, key=prices.__getitem__)
        spent = sum(prediction.usage.cost_usd for prediction in trail)
        if budget.usd is not None and spent + prices[cheapest] > budget.usd:
            return Step(agent=None, prices=prices)
        return Step(agent=cheapest, prices=prices)
