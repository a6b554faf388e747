from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from trimtab.agents.board_gates import SEARCHES, BoardGates
from trimtab.agents.board_net import BoardNet
from trimtab.app.board_training import BoardRun, measured, train_board_net
from trimtab.domains.connect_four import ConnectFour
from trimtab.errors import ConfigError
from trimtab.release.bundle import load, load_shipped
from trimtab.training.trainer import Point

GAME = ConnectFour().compiled


def test_smoke_preset_teaches_a_net_that_beats_chance_by_far(tmp_path: Path) -> None:
    points: list[tuple[Point, int]] = []
    run = BoardRun(
        game="connect_four", preset="smoke", out=tmp_path / "net", folder=tmp_path / "run"
    )
    bundle = train_board_net(run, watch=lambda point, total: points.append((point, total)))
    assert [(point["iteration"], total) for point, total in points] == [(i, 5) for i in range(1, 6)]
    # random moves are wrong in two of five
    assert bundle.metrics["net_middle"] < 0.27
    assert bundle.metrics["net_end"] < 0.27
    assert (run.folder / "curves.svg").read_text(encoding="utf-8").startswith("<svg")
    assert BoardGates.from_bundle(load(run.out)).searches.keys() == set(SEARCHES)
    net = BoardNet.from_bundle(load(run.out, domain="connect_four"), GAME)
    alone, searched = measured(
        net, bands=["middle"], simulations=(0, 50), count=100, seed=9
    ).values()
    assert searched.value < alone.value < 0.27
    with pytest.raises(ConfigError, match="never replaced in place"):
        train_board_net(replace(run, resume=True))
    with pytest.raises(ConfigError, match="resume it with --resume"):
        train_board_net(replace(run, out=tmp_path / "other"))


def test_shipped_net_is_small_and_strong() -> None:
    bundle = load_shipped("connect_four")
    size = sum(path.stat().st_size for path in bundle.folder.iterdir())
    assert size <= 2_000_000
    net = BoardNet.from_bundle(bundle, GAME)
    rates = measured(net, bands=["middle", "end"], simulations=(0, 100), count=200, seed=31)
    assert list(rates) == ["net_middle", "net_100_middle", "net_end", "net_100_end"]
    assert all(rate.value < 0.08 for rate in rates.values())
    assert rates["net_100_middle"].value < 0.035
    assert rates["net_100_end"].value < 0.035
