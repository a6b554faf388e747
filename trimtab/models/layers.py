"""The layers of the recursive nets: RMS norm, SwiGLU, and three ways to mix positions.

B is the batch, L the positions, D the width.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

EPSILON = 1e-5
ROUNDED_TO = 8
"""Hidden widths are rounded up to this; 256, as in the papers' code, quadruples a small block."""


def rms_norm(x: Tensor) -> Tensor:
    """Return x divided by its root mean square over the last axis; no parameters.

    Source: Zhang & Sennrich 2019, "Root Mean Square Layer Normalization".
    """
    normed: Tensor = x * torch.rsqrt(x.square().mean(-1, keepdim=True) + EPSILON)
    return normed


class SwiGLU(nn.Module):
    """Gated feed-forward layer over the last axis.

    Source: Shazeer 2020, "GLU Variants Improve Transformer".

    Args:
        width: of input and output.
        expansion: as of a layer without a gate; two thirds of it are as many parameters.
    """

    def __init__(self, width: int, *, expansion: float) -> None:
        super().__init__()
        hidden = -(-round(width * expansion * 2 / 3) // ROUNDED_TO) * ROUNDED_TO
        self.gate_up = nn.Linear(width, 2 * hidden, bias=False)
        self.down = nn.Linear(hidden, width, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """Return `[..., width]`."""
        gate, up = self.gate_up(x).chunk(2, dim=-1)
        out: Tensor = self.down(functional.silu(gate) * up)
        return out


class TokenMixer(nn.Module):
    """Mixes positions by a SwiGLU over the axis L; for inputs of one fixed length.

    Source: Tolstikhin et al. 2021, "MLP-Mixer"; as in Jolicoeur-Martineau 2025, section 4.5.
    """

    def __init__(self, length: int, *, expansion: float) -> None:
        super().__init__()
        self.mix = SwiGLU(length, expansion=expansion)

    def forward(self, x: Tensor) -> Tensor:
        """Return `[B, L, D]`."""
        mixed: Tensor = self.mix(x.transpose(1, 2)).transpose(1, 2)
        return mixed


class GridMixer(nn.Module):
    """Mixes each cell of a grid with its eight neighbours by one convolution.

    Information walks one cell a call, as a path does; attention learns nothing on mazes within
    minutes on a processor.
    """

    def __init__(self, rows: int, columns: int, width: int) -> None:
        super().__init__()
        self.rows, self.columns = rows, columns
        self.mix = nn.Conv2d(width, width, 3, padding=1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """Return `[B, rows · columns, D]`."""
        batch, length, width = x.shape
        grid = x.transpose(1, 2).reshape(batch, width, self.rows, self.columns)
        mixed: Tensor = self.mix(grid).reshape(batch, width, length).transpose(1, 2)
        return mixed


class Attention(nn.Module):
    """Multi-head self-attention with rotary positions, every position seeing every other.

    Sources: Vaswani et al. 2017; Su et al. 2021, "RoFormer" (rotary positions).
    """

    def __init__(self, width: int, *, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.inputs = nn.Linear(width, 3 * width, bias=False)
        self.output = nn.Linear(width, width, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """Return `[B, L, D]`."""
        batch, length, width = x.shape
        split = self.inputs(x).reshape(batch, length, 3, self.heads, width // self.heads)
        q, k, v = split.permute(2, 0, 3, 1, 4)
        mixed = functional.scaled_dot_product_attention(rotated(q), rotated(k), v)
        out: Tensor = self.output(mixed.transpose(1, 2).reshape(batch, length, width))
        return out


def rotated(x: Tensor, *, base: float = 10_000.0) -> Tensor:
    """Return `[B, H, L, E]` with each pair of channels turned by an angle that grows with L."""
    length, channels = x.shape[-2:]
    half = channels // 2
    rates = base ** (-torch.arange(half, dtype=x.dtype, device=x.device) / half)
    angles = torch.arange(length, dtype=x.dtype, device=x.device)[:, None] * rates
    first, second = x[..., :half], x[..., half : 2 * half]
    cos, sin = angles.cos(), angles.sin()
    return torch.cat((first * cos - second * sin, first * sin + second * cos), dim=-1)


class Block(nn.Module):
    """Mixes positions, then channels; the sum is normed after each (post-norm)."""

    def __init__(self, mixer: nn.Module, *, width: int, expansion: float) -> None:
        super().__init__()
        self.mixer = mixer
        self.channels = SwiGLU(width, expansion=expansion)

    def forward(self, x: Tensor) -> Tensor:
        """Return `[B, L, D]`."""
        x = rms_norm(x + self.mixer(x))
        return rms_norm(x + self.channels(x))
