"""The bench of RAVE against UCT: the factor by interpolation, and games from both sides."""

from __future__ import annotations

import json

import numpy as np
import pytest
from typer.testing import CliRunner

from trimtab.bench.rave import _hex, _log_factor, _pair, run
from trimtab.cli.app import app
from trimtab.errors import ConfigError
from trimtab.search.uct import UCTConfig


@pytest.mark.parametrize(
    ("scores", "factor"),
    [
        ({2.0: 0.6, 4.0: 0.4}, 2**1.5),
        ({2.0: 0.8, 4.0: 0.5}, 4.0),
        ({1.0: 0.7, 2.0: 0.55, 4.0: 0.45}, 2**1.5),
        ({2.0: 0.9, 4.0: 0.8, 8.0: 0.7}, 8.0),
        ({0.25: 0.3, 0.5: 0.2}, 0.25),
        ({2.0: 0.6, 4.0: 0.45, 8.0: 0.55}, 2 ** (1 + 0.1 / 0.15)),
    ],
    ids=["between", "at", "nearest", "beyond", "below", "luck"],
)
def test_the_factor_is_where_the_score_falls_through_a_half(
    scores: dict[float, float], factor: float
) -> None:
    assert 2 ** _log_factor(scores) == pytest.approx(factor)


def test_more_simulations_win_from_both_sides_of_an_opening() -> None:
    match, rng = _hex(3), np.random.default_rng(0)
    strong, weak = UCTConfig(simulations=400, c=0.7), UCTConfig(simulations=8, c=0.7)
    scores = [_pair(match, strong, weak, rng) for _ in range(10)]
    assert set(scores) <= {0.0, 0.5, 1.0}
    assert np.mean(scores) > 0.7


def test_one_seed_gives_one_result_and_every_cell_has_an_interval() -> None:
    first, second = (run(sizes=[3], simulations=[16], games=10, seed=1) for _ in range(2))
    assert first == second
    assert set(first["measures"]) == {"hex_3_16", "hex_3", "connect_four_16", "connect_four"}
    assert set(first["bars"]) == {"hex_3_16", "hex_3"}
    for measure in first["measures"].values():
        assert 0.25 <= measure["low"] <= measure["value"] <= measure["high"] <= 8.0


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        ({"games": 3}, "games=3"),
        ({"games": 0}, "games=0"),
        ({"sizes": []}, r"sizes=\[\]"),
        ({"sizes": [9]}, "size=9"),
        ({"simulations": [50, 4]}, r"simulations=\[50, 4\]"),
    ],
)
def test_a_setting_that_cannot_be_used_is_named(arguments: dict[str, int], named: str) -> None:
    with pytest.raises(ConfigError, match=named):
        run(**arguments)  # type: ignore[arg-type]


def test_the_command_prints_one_object() -> None:
    settings = ["--sizes", "3", "--simulations", "8", "--games", "2", "--json"]
    printed = CliRunner().invoke(app, ["bench", "rave", *settings])
    assert printed.exit_code == 0, printed.output
    assert json.loads(printed.stdout.splitlines()[-1])["name"] == "rave"
    refused = CliRunner().invoke(app, ["bench", "rave", "--sizes", "5;7"])
    assert isinstance(refused.exception, ConfigError)
