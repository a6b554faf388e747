"""A two-player domain as PettingZoo's agent-environment cycle (Terry et al. 2021)."""

from __future__ import annotations

from typing import Any, Generic

import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray
from pettingzoo import AECEnv

from trimtab.domains.environments import BoardGame
from trimtab.errors import ConfigError
from trimtab.protocols import Array, S

AGENTS = ("player_0", "player_1")


class DomainEnv(AECEnv, Generic[S]):  # type: ignore[misc]  # the library's class is untyped
    """Rewards are the domain's returns, given to both players at the end of the game.

    An observation is the position as the player to move sees it. The legal actions stand in
    ``infos[agent]["action_mask"]``: ones for the agent to move, all 0 for the other. An illegal
    action raises ``IllegalAction`` and leaves the environment as it was.

    Args:
        domain: the game.
        render_mode: ``ansi`` or None.

    Raises:
        ConfigError: another render mode.
    """

    def __init__(self, domain: BoardGame[S], *, render_mode: str | None = None) -> None:
        super().__init__()
        if render_mode not in (None, "ansi"):
            raise ConfigError(f"render_mode={render_mode!r} is not offered; use 'ansi' or None")
        self.metadata = {
            "name": f"{domain.name}_v0",
            "render_modes": ["ansi"],
            "is_parallelizable": False,
        }
        self.domain = domain
        self.render_mode = render_mode
        self.possible_agents = list(AGENTS)
        shape = domain.compiled.observation_shape
        self.observation_spaces = {
            agent: spaces.Box(0.0, 1.0, shape, np.float32) for agent in AGENTS
        }
        self.action_spaces = {agent: spaces.Discrete(domain.num_actions) for agent in AGENTS}
        self._state: S = domain.initial_state(0)

    def observation_space(self, agent: str) -> spaces.Space[Any]:
        """Return the space of an agent's observations."""
        return self.observation_spaces[agent]

    def action_space(self, agent: str) -> spaces.Space[Any]:
        """Return the space of an agent's actions."""
        return self.action_spaces[agent]

    def reset(self, seed: int | None = None, options: dict[str, Any] | None = None) -> None:
        """Begin a game at the start state of the seed, 0 if there is none."""
        self._state = self.domain.initial_state(seed or 0)
        self.agents = list(AGENTS)
        self.agent_selection = AGENTS[0]
        self.rewards = dict.fromkeys(AGENTS, 0.0)
        self._cumulative_rewards = dict.fromkeys(AGENTS, 0.0)
        self.terminations = dict.fromkeys(AGENTS, False)
        self.truncations = dict.fromkeys(AGENTS, False)
        self.infos = self._masks()

    def observe(self, agent: str) -> Array:
        """Return the position as the player to move sees it, for either agent."""
        return self.domain.observation(self._state)

    def step(self, action: int | None) -> None:
        """Play an action for the agent selected; None takes a finished agent out.

        Raises:
            IllegalAction: the action is not legal in the position.
        """
        agent = self.agent_selection
        if self.terminations[agent]:
            self._was_dead_step(action)
            return
        self._state = self.domain.apply_action(self._state, action)  # type: ignore[arg-type]
        self._cumulative_rewards[agent] = 0.0
        if self.domain.is_terminal(self._state):
            returns = self.domain.returns(self._state)
            self.rewards = dict(zip(AGENTS, returns, strict=True))
            self.terminations = dict.fromkeys(AGENTS, True)
        self.agent_selection = AGENTS[1 - AGENTS.index(agent)]
        self.infos = self._masks()
        self._accumulate_rewards()

    def render(self) -> str | None:
        """Return the board as text with ``render_mode='ansi'``, else None."""
        return self.domain.board_text(self._state) if self.render_mode == "ansi" else None

    def close(self) -> None:
        """Release nothing: the environment holds no resource."""

    def _masks(self) -> dict[str, dict[str, NDArray[np.int8]]]:
        masks = {agent: np.zeros(self.domain.num_actions, np.int8) for agent in AGENTS}
        masks[self.agent_selection][list(self.domain.legal_actions(self._state))] = 1
        return {agent: {"action_mask": mask} for agent, mask in masks.items()}
