"""The routing rule of a fitted meta-controller that no promise was certified for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from trimtab.agents.routing import most_confident
from trimtab.records import Admission, Prediction, Reason, Route


@dataclass(frozen=True, slots=True, kw_only=True)
class ControllerRule:
    """Shows what the meta-controller believes, the expert's answer where it asked the expert.

    It makes no promise: the price of a dollar that the controller was fitted for is all it keeps.

    Attributes:
        expert: name of the agent that is asked where nothing ran.
    """

    expert: str = "llm"

    def admit(self, decision_id: str) -> Admission:
        """Return that nothing is audited: there is no certificate to keep honest."""
        return Admission(audit=False, propensity=1.0)

    def route(self, predictions: Sequence[Prediction]) -> Route:
        """Return the route of the most confident answer."""
        best = most_confident(predictions)
        if best is None:
            return Route(agent=self.expert, reason="uncertain", confidence=None, threshold=None)
        reason: Reason = "uncertain" if best.agent == self.expert else "confident"
        return Route(agent=best.agent, reason=reason, confidence=best.confidence, threshold=None)
