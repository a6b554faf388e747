"""The shipped Connect Four bundle is whole: a net, and gates that say how sure it is."""

from __future__ import annotations

from trimtab.agents.board_gates import ACCEPT, SEARCHES, BoardGates
from trimtab.release.bundle import load_shipped


def test_shipped_net_has_gates_and_a_threshold() -> None:
    # a new net is shipped with `trimtab train gates --bundle NET --out FOLDER`
    bundle = load_shipped("connect_four")
    assert set(BoardGates.from_bundle(bundle).searches) == set(SEARCHES)
    assert 0.5 < bundle.bundle.thresholds[ACCEPT] < 1.0
