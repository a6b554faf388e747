"""The recursive core: one step function, and TRM, HRM and a plain net as its configurations.

Sources: TRM – Jolicoeur-Martineau 2025, "Less is More: Recursive Reasoning with Tiny Networks"
(arXiv 2510.04871); HRM – Wang et al. 2025, "Hierarchical Reasoning Model" (arXiv 2506.21734).
The symbols are TRM's: x the embedded question, y the current answer, z the latent reasoning. In
HRM's words y is z_H and z is z_L. B is the batch, L the positions, D the width, V the classes.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal

import torch
from torch import Tensor, nn

from trimtab.errors import ConfigError
from trimtab.models.layers import Attention, Block, GridMixer, TokenMixer

Mixer = Literal["token", "grid", "attention"]
Configuration = Literal["trm", "hrm", "plain"]
HALT_BIAS = -3.0
"""Start of the halting head's bias: at first no answer is taken to be right."""
POSITION_SCALE = 0.3
"""Size of a position's vector beside a token's: as large as a token's, they drown the givens and
a 6×6 net learns nothing within 300 steps."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RecursiveConfig:
    """The shape of a recursive net.

    Attributes:
        kind: ``trm`` (one net, gradient through the last full recursion), ``hrm`` (a fast and a
            slow net, gradient through the last call of each) or ``plain`` (feed-forward).
        inputs: number of token codes; 0 if the inputs are embeddings.
        input_width: width of the embeddings; 0 if the inputs are tokens.
        outputs: V.
        rows: of the grid; L = rows · columns.
        columns: of the grid.
        box: rows and columns of a box; (0, 0) for a grid without boxes.
        width: D.
        expansion: hidden over outer width of each SwiGLU.
        blocks: in each net.
        mixer: of positions.
        heads: of the attention.
        cycles: T, recursions per supervision step.
        inner: n, updates of z per recursion.
    """

    kind: Configuration
    outputs: int
    rows: int
    columns: int
    inputs: int = 0
    input_width: int = 0
    box: tuple[int, int] = (0, 0)
    width: int = 64
    expansion: float = 2.0
    blocks: int = 2
    mixer: Mixer = "token"
    heads: int = 4
    cycles: int = 2
    inner: int = 2

    def __post_init__(self) -> None:
        for name in ("outputs", "rows", "columns", "width", "blocks", "cycles", "inner", "heads"):
            if getattr(self, name) < 1:
                raise ConfigError(f"{name}={getattr(self, name)} must be at least 1")
        if (self.inputs > 0) == (self.input_width > 0):
            raise ConfigError(
                f"inputs={self.inputs}, input_width={self.input_width}: give exactly one of them"
            )
        if self.mixer == "attention" and self.width % (2 * self.heads):
            raise ConfigError(f"width={self.width} is not a multiple of 2 · heads={2 * self.heads}")

    @property
    def length(self) -> int:
        """Return L."""
        return self.rows * self.columns

    def to_json(self) -> dict[str, Any]:
        """Return the settings as plain JSON values."""
        return {**asdict(self), "box": list(self.box)}

    @classmethod
    def from_json(cls, plain: dict[str, Any]) -> RecursiveConfig:
        """Return the settings that :meth:`to_json` wrote.

        Raises:
            ConfigError: a setting is missing, unknown or out of range.
        """
        try:
            return cls(**{**plain, "box": tuple(plain["box"])})
        except (KeyError, TypeError) as error:
            raise ConfigError(f"not the settings of a recursive net: {error}") from error


class Net(nn.Module):
    """A stack of blocks: the function that is applied again and again."""

    def __init__(self, config: RecursiveConfig) -> None:
        super().__init__()
        self.blocks = nn.ModuleList(
            Block(_mixer(config), width=config.width, expansion=config.expansion)
            for _ in range(config.blocks)
        )

    def forward(self, x: Tensor) -> Tensor:
        """Return `[B, L, D]`."""
        for block in self.blocks:
            x = block(x)
        return x


class RecursiveNet(nn.Module):
    """A net that improves its answer step by step and says when it believes it.

    One call is one *supervision step*: T recursions of n updates of z and one of y. The carry
    (y, z) that it returns goes into the next step, detached.
    """

    y_init: Tensor
    z_init: Tensor

    def __init__(self, config: RecursiveConfig) -> None:
        super().__init__()
        self.config = config
        width = config.width
        self.scale = width**0.5
        self.embed: nn.Module = (
            nn.Embedding(config.inputs, width)
            if config.inputs
            else nn.Linear(config.input_width, width, bias=False)
        )
        self.positions = nn.ParameterList(
            nn.Parameter(POSITION_SCALE * torch.randn(count, width) / self.scale)
            for count, _ in _axes(config)
        )
        for number, (_, index) in enumerate(_axes(config)):
            self.register_buffer(f"axis{number}", index, persistent=False)
        self.net = Net(config)
        # HRM's slow net; TRM and the plain net have one net for all
        self.slow = Net(config) if config.kind == "hrm" else None
        self.head = nn.Linear(width, config.outputs, bias=False)
        self.halt = nn.Linear(width, 1)
        # buffers, not parameters: they are drawn once and must be saved with the weights
        self.register_buffer("y_init", torch.randn(width))
        self.register_buffer("z_init", torch.randn(width))
        self._initialise()

    def _initialise(self) -> None:
        for module in self.modules():
            if isinstance(module, nn.Linear):
                # a third of the variance that keeps the size: the sum with x is normed anyway
                nn.init.trunc_normal_(module.weight, std=(3.0 * module.in_features) ** -0.5)
            elif isinstance(module, nn.Embedding):
                nn.init.trunc_normal_(module.weight, std=1.0 / self.scale)
        nn.init.zeros_(self.halt.weight)
        nn.init.constant_(self.halt.bias, HALT_BIAS)

    def carry(self, batch: int) -> tuple[Tensor, Tensor]:
        """Return the (y, z), `[B, L, D]` each, with which every puzzle begins."""
        shape = (batch, self.config.length, self.config.width)
        return self.y_init.expand(shape).clone(), self.z_init.expand(shape).clone()

    def forward(self, x: Tensor, y: Tensor, z: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Return (y, z, logits, q) after one supervision step.

        Args:
            x: `[B, L]` token codes, or `[B, L, input_width]` embeddings.
            y: `[B, L, D]` answer so far.
            z: `[B, L, D]` latent reasoning so far.

        Returns:
            The new y and z, `[B, L, V]` logits of the answer, and `[B]` halting logits q: the
            log-odds that every position of the answer is right.
        """
        embedded = self.embedded(x)
        if self.config.kind == "plain":
            y = self.net(embedded)
        elif self.config.kind == "trm":
            y, z = self._trm(embedded, y, z)
        else:
            y, z = self._hrm(embedded, y, z)
        q: Tensor = self.halt(y.mean(dim=1)).squeeze(-1)
        return y, z, self.head(y), q

    def embedded(self, x: Tensor) -> Tensor:
        """Return `[B, L, D]`: the input plus one learned vector for its row, column and box."""
        places = torch.zeros((), device=x.device)
        for number, table in enumerate(self.positions):
            places = places + table[getattr(self, f"axis{number}")]
        embedded: Tensor = self.scale * (self.embed(x) + places)
        return embedded

    def _trm(self, x: Tensor, y: Tensor, z: Tensor) -> tuple[Tensor, Tensor]:
        """Return (y, z) after T recursions; only the last one keeps its gradient (section 4.1)."""
        with torch.no_grad():
            for _ in range(self.config.cycles - 1):
                y, z = self._recursion(x, y, z, self.config.inner)
        return self._recursion(x, y, z, self.config.inner)

    def _hrm(self, x: Tensor, y: Tensor, z: Tensor) -> tuple[Tensor, Tensor]:
        """Return (y, z); gradient through the last fast and the last slow call (section 2.2)."""
        with torch.no_grad():
            for _ in range(self.config.cycles - 1):
                y, z = self._recursion(x, y, z, self.config.inner)
            for _ in range(self.config.inner - 1):
                z = self.net(z + y + x)
        return self._recursion(x, y, z, 1)

    def _recursion(self, x: Tensor, y: Tensor, z: Tensor, inner: int) -> tuple[Tensor, Tensor]:
        for _ in range(inner):
            z = self.net(x + y + z)
        slow = self.net if self.slow is None else self.slow
        return slow(y + z), z


def _mixer(config: RecursiveConfig) -> nn.Module:
    if config.mixer == "token":
        return TokenMixer(config.length, expansion=config.expansion)
    if config.mixer == "grid":
        return GridMixer(config.rows, config.columns, config.width)
    return Attention(config.width, heads=config.heads)


def _axes(config: RecursiveConfig) -> list[tuple[int, Tensor]]:
    """Return (how many, `[L]` which) for rows, columns and, where there are any, boxes."""
    cells = torch.arange(config.length)
    row, column = cells // config.columns, cells % config.columns
    axes = [(config.rows, row), (config.columns, column)]
    box_rows, box_columns = config.box
    if box_rows:
        across = config.columns // box_columns
        box = row // box_rows * across + column // box_columns
        axes.append((int(box.max()) + 1, box))
    return axes
