from __future__ import annotations

from pathlib import Path

import pytest

from trimtab.agents.citations import MEASURES
from trimtab.agents.extractive import FEATURES
from trimtab.agents.research_fit import Logistic, load_fitted
from trimtab.errors import BundleError, ConfigError


def test_the_shipped_fit_is_over_the_features_that_the_code_measures() -> None:
    fitted = load_fitted()
    assert fitted.support.names == MEASURES
    assert fitted.answerable.names == fitted.right.names == FEATURES
    assert fitted.recipe["command"] == "trimtab train research"


def test_a_probability_rises_with_a_feature_of_positive_weight() -> None:
    one = Logistic(names=("x",), mean=(1.0,), scale=(2.0,), weights=(3.0,), bias=0.0)
    assert one.probability([1.0]) == 0.5
    assert one.probability([0.0]) < 0.5 < one.probability([2.0])
    assert one.probability([1e9]) == 1.0


def test_a_logistic_of_unequal_parts_is_refused() -> None:
    with pytest.raises(ConfigError, match="unequal"):
        Logistic(names=("x",), mean=(), scale=(1.0,), weights=(1.0,), bias=0.0)


@pytest.mark.parametrize("text", ["", "[]", '{"schema": "other"}'])
def test_a_file_that_is_no_fit_names_the_remedy(tmp_path: Path, text: str) -> None:
    path = tmp_path / "fit.json"
    path.write_text(text)
    with pytest.raises(BundleError, match="trimtab train research"):
        load_fitted(path)
