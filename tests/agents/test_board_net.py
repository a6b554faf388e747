from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.boards import GAME, rows, small_graph
from trimtab.agents.board_net import GRAPH, KIND, MOST_BOUND, BoardNet, observe_rows
from trimtab.domains.connect_four import ConnectFour
from trimtab.domains.hex import Hex
from trimtab.errors import BundleError, ConfigError
from trimtab.release.bundle import LoadedBundle, load, pack

TEXTS = ("start", "44", "3333334444442", "1111112")


def bundle(folder: Path, **changes: Any) -> LoadedBundle:
    """Return a packed bundle of the small net."""
    arguments: dict[str, Any] = {
        "domain": "connect_four",
        "files": {GRAPH: small_graph()},
        "thresholds": {},
        "metrics": {},
        "card": "# net\n",
        "spec": {"kind": KIND, "game": "connect_four"},
    }
    pack(folder, **arguments | changes)
    return load(folder)


def test_observations_and_legal_actions_are_those_of_the_domain() -> None:
    game = ConnectFour()
    states = [game.from_text(text) for text in TEXTS]
    observations, legal = observe_rows(GAME, rows(*TEXTS))
    for state, observation, mask in zip(states, observations, legal, strict=True):
        np.testing.assert_array_equal(observation, game.observation(state))
        assert np.flatnonzero(mask).tolist() == list(game.legal_actions(state))


def test_priors_are_a_distribution_over_the_legal_actions() -> None:
    priors, values = BoardNet(small_graph(), GAME).evaluate(rows(*TEXTS))
    _, legal = observe_rows(GAME, rows(*TEXTS))
    np.testing.assert_allclose(priors.sum(axis=1), 1.0, rtol=1e-5)
    assert (priors[legal == 0.0] == 0.0).all()
    assert values.shape == (len(TEXTS),)
    assert (np.abs(values) <= 1.0).all()


def test_finished_game_has_no_priors() -> None:
    priors, _ = BoardNet(small_graph(), GAME).evaluate(rows("1212121"))
    assert (priors == 0.0).all()


def test_bundle_answers_like_its_graph(tmp_path: Path) -> None:
    loaded = BoardNet.from_bundle(bundle(tmp_path / "net"), GAME)
    direct = BoardNet(small_graph(), GAME)
    for ours, theirs in zip(
        loaded.evaluate(rows(*TEXTS)), direct.evaluate(rows(*TEXTS)), strict=True
    ):
        np.testing.assert_array_equal(ours, theirs)


def test_answers_outlive_the_next_call() -> None:
    net = BoardNet(small_graph(), GAME)
    priors, values = net.evaluate(rows(TEXTS[0]))
    kept = priors.copy(), values.copy()
    net.evaluate(rows(TEXTS[1]))
    np.testing.assert_array_equal(priors, kept[0])
    np.testing.assert_array_equal(values, kept[1])


@pytest.mark.parametrize("count", [0, 2, MOST_BOUND, MOST_BOUND + 1])
def test_a_position_is_answered_alike_in_every_batch(count: int) -> None:
    net = BoardNet(small_graph(), GAME)
    alone = net.evaluate(rows(TEXTS[1]))
    many = net.evaluate(np.repeat(rows(TEXTS[1]), count, axis=0))
    for found, expected in zip(many, alone, strict=True):
        assert len(found) == count
        np.testing.assert_allclose(found, np.repeat(expected, count, axis=0), atol=1e-6)


def test_threads_share_one_net() -> None:
    net = BoardNet(small_graph(), GAME)
    expected = [net.evaluate(rows(text))[0] for text in TEXTS]
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda text: net.evaluate(rows(text))[0], TEXTS * 20))
    for index, priors in enumerate(found):
        np.testing.assert_array_equal(priors, expected[index % len(TEXTS)])


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"spec": {"kind": "text-policy/1"}}, "kind='text-policy/1'"),
        ({"domain": "hex_5"}, "domain='hex_5'"),
        ({"files": {GRAPH: b"no graph"}}, "cannot be opened"),
        ({"files": {"other.onnx": b"x"}}, "no file 'net.onnx'"),
    ],
)
def test_foreign_bundle_is_refused(tmp_path: Path, changes: dict[str, Any], message: str) -> None:
    with pytest.raises(BundleError, match=message):
        BoardNet.from_bundle(bundle(tmp_path / "net", **changes), GAME)


def test_altered_weights_are_refused(tmp_path: Path) -> None:
    loaded = bundle(tmp_path / "net")
    graph = bytearray(small_graph())
    graph[len(graph) // 2] ^= 1
    (loaded.folder / GRAPH).write_bytes(bytes(graph))
    with pytest.raises(BundleError, match="was altered"):
        BoardNet.from_bundle(loaded, GAME)


def test_net_of_another_board_is_refused() -> None:
    with pytest.raises(ConfigError, match="load a net that was trained for hex_5"):
        BoardNet(small_graph(), Hex(size=5).compiled)
