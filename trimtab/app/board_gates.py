"""Adds gates to a board net's bundle: the same net in a new bundle that can be served."""

from __future__ import annotations

from pathlib import Path

from trimtab.agents.board_gates import ACCEPT, SPEC
from trimtab.agents.board_net import BoardNet
from trimtab.datasets.solved_positions import solved_positions
from trimtab.domains.connect_four import ConnectFour
from trimtab.records import Bundle
from trimtab.release.bundle import load, pack
from trimtab.release.manifest import CARD
from trimtab.training.board_gates import HEADING, fit_board_gates

PLIES = range(9, 37)
"""Moves before a position that gates are fitted on; each earlier one takes seconds to solve."""


def add_gates(
    folder: Path, *, out: Path, positions: int, seed: int, plies: range = PLIES
) -> Bundle:
    """Return the bundle of the same net with gates, written to ``out``.

    Its parent is the bundle that it was made from. Gates that were there are replaced.

    Args:
        folder: a Connect Four net's bundle.
        out: must not exist, or be empty.
        positions: to fit on, after uniformly random moves, solved exactly.
        seed: of their draw.
        plies: moves before each.

    Raises:
        BundleError: the bundle cannot be read, or ``out`` cannot be written.
        InputError: too few positions.
    """
    bundle = load(folder, domain=ConnectFour.name)
    net = BoardNet.from_bundle(bundle, ConnectFour().compiled)
    fitted = fit_board_gates(net, solved_positions(positions, plies=plies, seed=seed))
    card = (bundle.folder / CARD).read_text(encoding="utf-8").partition(HEADING)[0].rstrip()
    return pack(
        out,
        domain=bundle.bundle.domain,
        files={name: bundle.read(name) for name in bundle.bundle.files if name != CARD},
        thresholds={**bundle.bundle.thresholds, ACCEPT: fitted.accept},
        metrics={**bundle.bundle.metrics, **fitted.metrics},
        card=f"{card}\n\n{fitted.card()}",
        spec={**bundle.spec, SPEC: fitted.gates.to_json()},
        parent=bundle.bundle.bundle_id,
    )
