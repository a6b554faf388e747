"""Two-player domains as environments of other libraries; those are imported when asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from trimtab.errors import MissingExtra
from trimtab.protocols import AnyGame, Domain, S

if TYPE_CHECKING:
    from trimtab.domains.pettingzoo_env import DomainEnv


class BoardGame(Domain[S], Protocol[S]):
    """A domain of two players who move in turn, with compiled rules and a drawing."""

    @property
    def compiled(self) -> AnyGame:
        """Return the compiled rules."""
        ...

    def board_text(self, state: S) -> str:
        """Return the board as lines."""
        ...


def pettingzoo_env(domain: BoardGame[S], *, render_mode: str | None = None) -> DomainEnv[S]:
    """Return a two-player domain as a PettingZoo AEC environment.

    >>> from trimtab.domains.connect_four import ConnectFour
    >>> env = pettingzoo_env(ConnectFour())
    >>> env.reset(seed=0)
    >>> env.step(3)
    >>> env.agent_selection
    'player_1'

    Args:
        domain: the game; its observations must lie in [0, 1].
        render_mode: ``ansi`` to have ``render`` return the board as text, or None.

    Raises:
        MissingExtra: pettingzoo is not installed.
        ConfigError: another render mode.
    """
    try:
        from trimtab.domains.pettingzoo_env import DomainEnv
    except ModuleNotFoundError as error:
        raise MissingExtra("pettingzoo", "pettingzoo") from error
    return DomainEnv(domain, render_mode=render_mode)
