"""The gain model: what it learns, and what it refuses to read."""

import json

import numpy as np
import pytest

from trimtab.agents.gain import GainModel, fit_gain, fit_gain_on, prediction_features
from trimtab.errors import ConfigError, InputError
from trimtab.records import Prediction


def _prediction(confidence: float | None, **signals: float) -> Prediction:
    return Prediction(agent="policy", action=0, confidence=confidence, signals=signals)


def _fitted(seed: int = 0) -> tuple[GainModel, np.ndarray]:
    """Return a model of a world in which only the first of two features tells anything."""
    rng = np.random.default_rng(seed)
    x = rng.random((1500, 2))
    gains = np.where(rng.random(1500) < 0.6 * (1.0 - x[:, 0]), 1.0, 0.0)
    gains = np.where(rng.random(1500) < 0.05, -1.0, gains)
    return fit_gain(x, gains, names=("confidence", "margin")), x


def test_gain_falls_where_the_cheap_answer_is_right_more_often() -> None:
    model, _ = _fitted()
    assert model.gain((0.05, 0.5)) == pytest.approx(0.95 * 0.57 - 0.05, abs=0.08)
    assert model.gain((0.95, 0.5)) == pytest.approx(0.95 * 0.03 - 0.05, abs=0.05)


def test_an_unrelated_feature_hardly_moves_the_gain() -> None:
    model, _ = _fitted()
    assert abs(model.gain((0.5, 0.0)) - model.gain((0.5, 1.0))) < 0.1


def test_where_both_fail_asking_gains_nothing() -> None:
    """A confidence would call for the LLM here; a gain does not."""
    rng = np.random.default_rng(1)
    confidence = rng.random((800, 1))
    model = fit_gain(confidence, np.zeros(800), names=("confidence",))
    assert abs(model.gain((0.01,))) < 0.02


def test_model_survives_json() -> None:
    model, x = _fitted()
    again = GainModel.from_json(json.loads(json.dumps(model.to_json())))
    assert again == model
    assert again.gain(x[0]) == model.gain(x[0])


def test_score_is_minus_the_gain_of_the_prediction() -> None:
    model, _ = _fitted()
    prediction = _prediction(0.3, margin=0.2, entropy=1.0)
    assert model.score(prediction) == -model.gain((0.3, 0.2))


def test_only_features_that_every_prediction_carries_are_used() -> None:
    rows = [_prediction(0.1 * i, margin=0.5, known_cosine=0.1) for i in range(5)]
    rows.append(_prediction(0.9, margin=0.4))
    model = fit_gain_on(rows, [1, 1, 0, 0, 0, -1])
    assert model.features == ("confidence", "margin")


def test_a_prediction_without_a_feature_is_named() -> None:
    with pytest.raises(ConfigError, match=r"'policy'.*'known_cosine'"):
        prediction_features(_prediction(0.5), ("confidence", "known_cosine"))


@pytest.mark.parametrize(
    ("features", "gains", "named"),
    [
        ([[0.1], [0.2]], [0.0], "named columns"),
        ([[np.nan]], [0.0], "finite"),
        ([[0.1]], [0.5], "-1, 0 or 1"),
    ],
)
def test_rows_that_cannot_be_fitted_are_named(
    features: list[list[float]], gains: list[float], named: str
) -> None:
    with pytest.raises(InputError, match=named):
        fit_gain(features, gains, names=("confidence",))


def test_predictions_without_any_feature_are_an_error() -> None:
    with pytest.raises(InputError, match="share none"):
        fit_gain_on([_prediction(None)], [0])


@pytest.mark.parametrize("damage", ["gained", "features"])
def test_damaged_json_is_no_model(damage: str) -> None:
    plain = _fitted()[0].to_json()
    del plain[damage]
    with pytest.raises(InputError, match="fit it again"):
        GainModel.from_json(plain)


def test_weights_that_do_not_fit_the_features_are_an_error() -> None:
    plain = {**_fitted()[0].to_json(), "features": ["confidence"]}
    with pytest.raises(InputError, match="1 features"):
        GainModel.from_json(plain)
