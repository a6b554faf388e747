"""The routing rule: whose answer is shown, and when the expert must be asked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from trimtab.errors import ConfigError
from trimtab.records import Admission, Prediction, Route


@dataclass(frozen=True, slots=True, kw_only=True)
class ThresholdRule:
    """Shows the cheap answer where its calibrated confidence reaches a threshold.

    Attributes:
        threshold: smallest confidence in [0, 1] that is shown.
        expert: name of the agent that is asked below it.
    """

    threshold: float
    expert: str = "llm"

    def __post_init__(self) -> None:
        if not 0.0 <= self.threshold <= 1.0:
            raise ConfigError(
                f"threshold={self.threshold} is not a confidence; give a number in [0, 1]"
            )

    def admit(self, decision_id: str) -> Admission:
        """Return an admission without audit: this rule draws nothing."""
        return Admission(audit=False, propensity=1.0)

    def route(self, predictions: Sequence[Prediction]) -> Route:
        """Return the expert's route below the threshold, else the most confident agent's.

        Ties go to the agent that answered first, which is the cheapest.
        """
        for prediction in predictions:
            if prediction.agent == self.expert:
                return Route(
                    agent=self.expert,
                    reason="uncertain",
                    confidence=prediction.confidence,
                    threshold=self.threshold,
                )
        best = most_confident(predictions)
        if best is not None and (best.confidence or 0.0) >= self.threshold:
            return Route(
                agent=best.agent,
                reason="confident",
                confidence=best.confidence,
                threshold=self.threshold,
            )
        return Route(
            agent=self.expert, reason="uncertain", confidence=None, threshold=self.threshold
        )


def most_confident(predictions: Sequence[Prediction]) -> Prediction | None:
    """Return the prediction with the largest confidence, the earliest of equals."""
    if not predictions:
        return None
    return max(predictions, key=lambda prediction: prediction.confidence or 0.0)
