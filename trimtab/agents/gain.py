"""What asking the LLM is expected to gain on one request, from the cheap answer's signals.

n is the number of requests, J of features.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from trimtab.agents.calibration import Gate, fit_gate
from trimtab.errors import ConfigError, InputError
from trimtab.records import Prediction

Floats = NDArray[np.float64]

FEATURES = ("confidence", "margin", "agreement", "known_cosine", "entropy")
"""What a cheap answer may tell of itself; a model uses those that its fit rows all carry."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GainModel:
    """P(the LLM is right where this answer is wrong) − P(the reverse), as two logistic models.

    A confidence says how sure the cheap answer is, not whether the LLM would do better: where
    both fail, asking buys nothing.

    Attributes:
        features: names of the J features, in the order of the weights.
        gained: of "the LLM is right, the cheap answer wrong".
        lost: of the reverse.
    """

    features: tuple[str, ...]
    gained: Gate
    lost: Gate

    def gain(self, values: Sequence[float]) -> float:
        """Return the expected gain in (-1, 1) of asking, from `[J]` features."""
        return self.gained.confidence(values) - self.lost.confidence(values)

    def covers(self, prediction: Prediction) -> bool:
        """Return whether a prediction carries every feature of the model."""
        return all(_feature(prediction, name) is not None for name in self.features)

    def score(self, prediction: Prediction) -> float:
        """Return minus the expected gain, larger where the cheap answer may be shown.

        Raises:
            ConfigError: the prediction lacks a feature that the model was fitted on.
        """
        return -self.gain(prediction_features(prediction, self.features))

    def to_json(self) -> dict[str, Any]:
        """Return the model as plain JSON values."""
        return {
            "features": list(self.features),
            **{
                name: {"weights": list(gate.weights), "bias": gate.bias}
                for name, gate in (("gained", self.gained), ("lost", self.lost))
            },
        }

    @classmethod
    def from_json(cls, plain: Mapping[str, Any]) -> GainModel:
        """Return the model that :meth:`to_json` wrote.

        Raises:
            InputError: a part is missing, or the weights do not fit the features.
        """
        try:
            features = tuple(str(name) for name in plain["features"])
            gained, lost = (
                Gate(tuple(float(w) for w in plain[k]["weights"]), float(plain[k]["bias"]))
                for k in ("gained", "lost")
            )
        except (KeyError, TypeError, ValueError) as error:
            raise InputError(f"not a gain model ({error!r}); fit it again") from error
        if len(gained.weights) != len(features) or len(lost.weights) != len(features):
            raise InputError(
                f"a gain model of {len(features)} features has {len(gained.weights)} and "
                f"{len(lost.weights)} weights; fit it again"
            )
        return cls(features=features, gained=gained, lost=lost)


def fit_gain(
    features: ArrayLike, gains: ArrayLike, *, names: Sequence[str], ridge: float = 1.0
) -> GainModel:
    """Return the gain model fitted on requests other than those it will be certified on.

    Args:
        features: `[n, J]`.
        gains: `[n]` right(LLM) − right(cheap) in {-1, 0, 1}.
        names: of the J features.
        ridge: penalty on the weights of the standardised features.
    """
    x, d = np.asarray(features, dtype=np.float64), np.asarray(gains, dtype=np.float64)
    if x.shape != (len(d), len(names)) or not len(d) or not np.isfinite(x).all():
        raise InputError(
            f"features {x.shape} must be finite, {len(d)} rows of {len(names)} named columns, and "
            f"at least one row"
        )
    if not np.isin(d, (-1.0, 0.0, 1.0)).all():
        raise InputError("gains must be -1, 0 or 1: right(LLM) − right(cheap)")
    return GainModel(
        features=tuple(names),
        gained=fit_gate(x, d > 0.0, ridge=ridge),
        lost=fit_gate(x, d < 0.0, ridge=ridge),
    )


def fit_gain_on(
    predictions: Sequence[Prediction], gains: ArrayLike, *, ridge: float = 1.0
) -> GainModel:
    """Return the gain model of predictions, on those of ``FEATURES`` that all of them carry."""
    names = [name for name in FEATURES if all(_feature(p, name) is not None for p in predictions)]
    if not predictions or not names:
        raise InputError(
            f"{len(predictions)} predictions share none of the features {list(FEATURES)}; give "
            f"predictions with a confidence"
        )
    rows = [prediction_features(p, names) for p in predictions]
    return fit_gain(rows, gains, names=names, ridge=ridge)


def prediction_features(prediction: Prediction, names: Sequence[str]) -> list[float]:
    """Return the named features of a prediction.

    Raises:
        ConfigError: the prediction does not carry one of them.
    """
    values = []
    for name in names:
        value = _feature(prediction, name)
        if value is None:
            raise ConfigError(
                f"the answer of {prediction.agent!r} (tier {prediction.tier!r}) has no {name!r}; "
                f"route such answers by another rule, or fit the gain model without it"
            )
        values.append(value)
    return values


def _feature(prediction: Prediction, name: str) -> float | None:
    if name == "confidence":
        return prediction.confidence
    return prediction.signals.get(name)
