"""Policy-value nets for boards: residual blocks with squeeze-and-excitation, and two heads.

Sources: Silver et al. 2018, "A general reinforcement learning algorithm that masters chess, shogi,
and Go through self-play", Methods (one tower, two heads); He et al. 2016, "Identity mappings in
deep residual networks" (arXiv 1603.05027); Hu et al. 2018, "Squeeze-and-excitation networks" (arXiv
1709.01507). Blocks carry no batch normalisation: each branch starts small instead (Zhang et al.
2019, "Fixup initialization", arXiv 1901.09321), so weights may be averaged and a position's
answer never depends on its batch.

B is the batch, P the planes of an observation, H and W the board, A the actions, C the channels.
"""

from __future__ import annotations

import itertools
from dataclasses import asdict, dataclass, fields
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from trimtab.errors import ConfigError

MAX_BLOCKS = 19
BRANCH_SCALE = 0.3


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyValueConfig:
    """Sizes of a net.

    Attributes:
        planes: P; the first two must hold the stones of the player to move and of the other.
        height: H.
        width: W.
        actions: A.
        channels: C of every block, a multiple of 8.
        blocks: depth of the tower, 1 to 19.
        line_length: if not 0, planes that count open lines of so many cells are computed from the
            stones and joined to the observation.
        head_channels: channels into which each head reads the tower.
        value_hidden: width of the value head's hidden layer.
    """

    planes: int
    height: int
    width: int
    actions: int
    channels: int = 32
    blocks: int = 4
    line_length: int = 0
    head_channels: int = 16
    value_hidden: int = 64

    def __post_init__(self) -> None:
        for field in fields(self):
            least = 0 if field.name == "line_length" else 1
            value = getattr(self, field.name)
            if type(value) is not int or value < least:
                raise ConfigError(f"{field.name}={value!r} is no whole number of {least} or more")
        if self.blocks > MAX_BLOCKS:
            raise ConfigError(f"blocks={self.blocks} is over {MAX_BLOCKS}; give 1 to {MAX_BLOCKS}")
        if self.channels % 8:
            raise ConfigError(f"channels={self.channels} is no multiple of 8; give 32, 48 or 64")
        if self.line_length and (self.planes < 2 or self.line_length < 2):
            raise ConfigError(
                f"line_length={self.line_length} needs 2 planes of stones and 2 cells or more; "
                f"planes={self.planes}"
            )

    @property
    def observation_shape(self) -> tuple[int, int, int]:
        """Return (P, H, W)."""
        return self.planes, self.height, self.width

    def to_json(self) -> dict[str, int]:
        """Return the sizes as plain JSON values."""
        return asdict(self)

    @classmethod
    def from_json(cls, plain: dict[str, Any]) -> PolicyValueConfig:
        """Return the sizes that :meth:`to_json` wrote; raises ``ConfigError`` for others."""
        known = {field.name for field in fields(cls)}
        if set(plain) != known:
            raise ConfigError(f"net={sorted(plain)} has not the fields {sorted(known)}")
        return cls(**plain)


class LineCounts(nn.Module):
    """For each empty cell and player, how many open lines through it hold at least k stones.

    A line is open for a player while it holds no stone of the other.
    """

    def __init__(self, height: int, width: int, length: int) -> None:
        super().__init__()
        lines = board_lines(height, width, length)
        members = torch.zeros(height * width, len(lines))
        for index, cells in enumerate(lines):
            members[cells, index] = 1.0
        self.length = length
        self.register_buffer("members", members, persistent=False)

    @property
    def planes(self) -> int:
        """Return how many planes are computed."""
        return 2 * (self.length - 1)

    def forward(self, x: Tensor) -> Tensor:
        """Return `[B, 2 (length - 1), H, W]` counts, about 1, of observations `[B, P, H, W]`."""
        members = self.get_buffer("members")
        stones = x[:, :2].flatten(2)
        counts = stones @ members
        # one stone of the other player outweighs a full line
        free = counts - self.length * counts.flip(1)
        held = torch.stack([(free - k).clamp(0.0, 1.0) for k in range(self.length - 1)], dim=2)
        empty = 1.0 - stones.sum(dim=1, keepdim=True)
        through = (held.flatten(1, 2) @ members.T) * empty
        return (0.5 * through).view(x.shape[0], self.planes, x.shape[2], x.shape[3])


class SqueezeExcite(nn.Module):
    """Scales each channel by what the whole board says of it."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.squeeze = nn.Linear(channels, channels // 4)
        self.excite = nn.Linear(channels // 4, channels)

    def forward(self, x: Tensor) -> Tensor:
        """Return `[B, C, H, W]`."""
        means = x.mean(dim=(2, 3))
        gates = torch.sigmoid(self.excite(functional.relu(self.squeeze(means))))
        return x * gates[:, :, None, None]


class ResidualBlock(nn.Module):
    """Two convolutions and squeeze-and-excitation beside an identity."""

    def __init__(self, channels: int, blocks: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(channels, channels, 3, padding=1)
        self.second = nn.Conv2d(channels, channels, 3, padding=1)
        self.gate = SqueezeExcite(channels)
        with torch.no_grad():
            self.second.weight.mul_(BRANCH_SCALE * blocks**-0.5)

    def forward(self, x: Tensor) -> Tensor:
        """Return `[B, C, H, W]`."""
        branch = self.gate(self.second(functional.relu(self.first(x))))
        return functional.relu(x + branch)


class PolicyValueNet(nn.Module):
    """Observations and legal actions to priors and values."""

    def __init__(self, config: PolicyValueConfig) -> None:
        super().__init__()
        channels, cells = config.channels, config.height * config.width
        planes = config.planes
        self.config = config
        self.lines: LineCounts | None = None
        if config.line_length:
            self.lines = LineCounts(config.height, config.width, config.line_length)
            planes += self.lines.planes
        self.stem = nn.Conv2d(planes, channels, 3, padding=1)
        # where a cell lies decides as much as what is around it
        self.place = nn.Parameter(torch.zeros(1, channels, config.height, config.width))
        self.tower = nn.Sequential(
            *(ResidualBlock(channels, config.blocks) for _ in range(config.blocks))
        )
        width = config.head_channels * cells
        self.policy_read = nn.Conv2d(channels, config.head_channels, 1)
        self.policy_out = nn.Linear(width, config.actions)
        self.value_read = nn.Conv2d(channels, config.head_channels, 1)
        self.value_hidden = nn.Linear(width, config.value_hidden)
        self.value_out = nn.Linear(config.value_hidden, 1)
        self._initialise()

    def logits(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Return policy logits `[B, A]`, unmasked, and value logits `[B]` of `[B, P, H, W]`.

        The value logit is that of the expected score (value + 1) / 2 of the player to move.
        """
        if self.lines is not None:
            x = torch.cat([x, self.lines(x)], dim=1)
        x = self.tower(functional.relu(self.stem(x) + self.place))
        policy = self.policy_out(functional.relu(self.policy_read(x)).flatten(1))
        hidden = self.value_hidden(functional.relu(self.value_read(x)).flatten(1))
        value = self.value_out(functional.relu(hidden))
        return policy, value[:, 0]

    def forward(self, observation: Tensor, legal: Tensor) -> tuple[Tensor, Tensor]:
        """Return priors `[B, A]`, 0 where ``legal`` `[B, A]` is 0, and values `[B]` in [-1, 1]."""
        policy, value = self.logits(observation)
        return masked_softmax(policy, legal), torch.tanh(0.5 * value)

    def _initialise(self) -> None:
        for module in (self.policy_out, self.value_out):
            # the first search must not follow what an untrained net happens to say
            nn.init.normal_(module.weight, std=0.01)
            nn.init.zeros_(module.bias)


def masked_softmax(logits: Tensor, legal: Tensor) -> Tensor:
    """Return `[B, A]` probabilities over the actions where ``legal`` `[B, A]` is 1."""
    return torch.softmax(logits - 1e9 * (1.0 - legal), dim=1) * legal


def board_lines(height: int, width: int, length: int) -> list[list[int]]:
    """Return the cells, row by row numbered, of every straight line of ``length`` cells."""
    lines = []
    for row, column in itertools.product(range(height), range(width)):
        for down, right in ((0, 1), (1, 0), (1, 1), (1, -1)):
            last_row = row + down * (length - 1)
            last_column = column + right * (length - 1)
            if last_row < height and 0 <= last_column < width:
                lines.append([(row + down * k) * width + column + right * k for k in range(length)])
    return lines
