"""A small board net with gates, as a bundle and as what answers Connect Four."""

from __future__ import annotations

from pathlib import Path

from tests.boards import GAME, small_graph
from trimtab.agents.board_gates import ACCEPT, SEARCHES, SPEC, BoardGates
from trimtab.agents.board_net import GRAPH, KIND, BoardNet
from trimtab.agents.calibration import Gate
from trimtab.release.bundle import pack

GATES = BoardGates(
    policy=Gate((1.0, 0.5, 0.0, 0.2, 0.1), 0.3),
    searches={n: Gate((1.0, 0.5, 0.0, 0.5, 0.1, 0.2, 0.1), 0.8) for n in SEARCHES},
)


def small_net() -> BoardNet:
    """Return an untrained net; its moves are legal and its numbers finite."""
    return BoardNet(small_graph(), GAME)


def game_bundle(folder: Path, *, accept: float = 0.9) -> Path:
    """Pack the small net with gates and return its folder."""
    pack(
        folder,
        domain="connect_four",
        files={GRAPH: small_graph()},
        thresholds={ACCEPT: accept},
        metrics={},
        card="# net\n",
        spec={"kind": KIND, "game": "connect_four", SPEC: GATES.to_json()},
    )
    return folder
