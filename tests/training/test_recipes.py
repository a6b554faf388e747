from __future__ import annotations

import json
from dataclasses import replace

import pytest

from trimtab.errors import ConfigError, UnknownDomain
from trimtab.training.recipes import PRESET_NAMES, preset


@pytest.mark.parametrize("name", PRESET_NAMES)
def test_preset_is_plain_json_and_fits_the_game(name: str) -> None:
    config = preset(name, seed=4)
    assert json.loads(json.dumps(config.to_json()))["seed"] == 4
    assert config.net.observation_shape == (2, 6, 7)


def test_rate_is_full_at_first_and_falls_to_its_floor() -> None:
    config = replace(preset("smoke"), iterations=100, decay_from=0.5)
    rates = [config.rate(iteration) for iteration in range(100)]
    assert rates[:51] == [1.0] * 51
    assert rates == sorted(rates, reverse=True)
    assert rates[-1] == pytest.approx(0.02)


def test_window_grows_by_its_share() -> None:
    config = replace(preset("smoke"), window=4, window_growth=0.5)
    assert [config.keep(iteration) for iteration in (0, 3, 5, 13)] == [4, 4, 5, 9]


@pytest.mark.parametrize(
    ("name", "value"),
    [("iterations", 0), ("shards", 0), ("reuse", 0.0), ("window_growth", 2.0), ("seed", -1)],
)
def test_unusable_setting_is_refused_by_name(name: str, value: float) -> None:
    with pytest.raises(ConfigError, match=name):
        replace(preset("smoke"), **{name: value})  # type: ignore[arg-type]


def test_unknown_names_are_refused() -> None:
    with pytest.raises(ConfigError, match="preset='huge'"):
        preset("huge")
    with pytest.raises(UnknownDomain, match="no net is trained for 'chess'"):
        preset("smoke", game="chess")
