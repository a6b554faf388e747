"""What searches refuse before they begin."""

from __future__ import annotations

import numpy as np
import pytest

from tests.search.tictactoe import TicTacToe
from trimtab.errors import ConfigError, InputError
from trimtab.search.checks import checked_seeds, room
from trimtab.search.config import MCTSConfig
from trimtab.search.mcts import Search
from trimtab.search.uct import UCT, UCTConfig

_GAME = TicTacToe()
_ROW = _GAME.compiled.encode(_GAME.after([]))
_NODE = np.dtype([("visits", np.int64)])


def test_more_nodes_than_the_memory_holds_are_refused() -> None:
    with pytest.raises(ConfigError, match="simulations are too many: 1000000 tree"):
        room(1_000_000, 2_000_000_000, _NODE)


@pytest.mark.parametrize("simulations", [1 << 31, 10**20])
def test_more_simulations_than_an_index_counts_are_refused(simulations: int) -> None:
    with pytest.raises(ConfigError, match="take fewer simulations"):
        Search(_GAME.compiled, _ROW[None], MCTSConfig(simulations=simulations), [0])
    with pytest.raises(ConfigError, match="take fewer simulations"):
        UCT(_GAME.compiled, _ROW, UCTConfig(simulations=simulations), 0)


def test_a_seed_that_the_compiled_code_cannot_hold_is_refused() -> None:
    with pytest.raises(InputError, match=r"below 2 \*\* 63"):
        UCT(_GAME.compiled, _ROW, UCTConfig(simulations=2), 1 << 63)
    assert checked_seeds([1 << 80], 1) == [1 << 80]
