"""The board games that nets are trained for, by name."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from trimtab.datasets.replay_buffer import Symmetry
from trimtab.domains.connect_four import ConnectFour
from trimtab.errors import UnknownDomain
from trimtab.protocols import AnyDomain, AnyGame, Words

NAMES = ("connect_four",)


@dataclass(frozen=True, slots=True)
class BoardGame:
    """What training needs to know of a game.

    Attributes:
        domain: its rules.
        game: the same, compiled.
        symmetry: under which positions count as the same.
        line_length: of the lines that decide it; 0 where lines do not matter.
    """

    domain: AnyDomain
    game: AnyGame
    symmetry: Symmetry
    line_length: int

    @property
    def start(self) -> Words:
        """Return the words `[W]` of the first position."""
        return self.game.encode(self.domain.initial_state(0))


@lru_cache(maxsize=8)
def board_game(name: str) -> BoardGame:
    """Return a game by its domain's name.

    Raises:
        UnknownDomain: no net is trained for it.
        MissingExtra: numba is not installed.
    """
    if name != ConnectFour.name:
        raise UnknownDomain(f"no net is trained for {name!r}; give one of {list(NAMES)}")
    domain = ConnectFour()
    game = domain.compiled
    symmetry = Symmetry.mirror(game.observation_shape, game.num_actions)
    return BoardGame(domain=domain, game=game, symmetry=symmetry, line_length=4)
