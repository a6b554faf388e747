"""A GRU that reads a trail answer by answer and tells what each further step would bring.

Trails that begin alike share their states: a trail's state is that of the trail without its last
step, moved on by one word. So one pass serves all trails of a question.

Source: Cho et al. 2014, "Learning phrase representations using RNN encoder-decoder" (arXiv
1406.1078), §2.3. n is the number of questions, T of trails, M of steps, L of prices λ, F the width
of a word, H of a state.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn


@dataclass(frozen=True, slots=True)
class Level:
    """All trails of one size above 0.

    Attributes:
        parents: `[T_s]` place of each one's beginning among the trails one smaller.
        words: `[T_s, n, F]` what its last step says.
    """

    parents: Tensor
    words: Tensor

    def take(self, rows: Tensor) -> Level:
        """Return the level for these questions."""
        return Level(self.parents, self.words.index_select(1, rows))


class TrailGru(nn.Module):
    """What each further step is expected to bring after every trail, its price not deducted.

    Args:
        width: F.
        steps: M.
        prices: L.
        hidden: H.
    """

    def __init__(self, *, width: int, steps: int, prices: int, hidden: int) -> None:
        super().__init__()
        self.cell = nn.GRUCell(width, hidden)
        self.start = nn.Parameter(torch.zeros(hidden))
        self.head = nn.Linear(hidden, steps * prices)
        self.shape = (steps, prices)

    def forward(self, levels: Sequence[Level]) -> Tensor:
        """Return `[T, n, M, L]`, the empty trail first and then level by level."""
        n = levels[0].words.shape[1]
        states = [self.start.expand(1, n, -1)]
        for level in levels:
            begun = states[-1].index_select(0, level.parents)
            moved: Tensor = self.cell(level.words.flatten(0, 1), begun.flatten(0, 1))
            states.append(moved.view(len(level.parents), n, -1))
        gains: Tensor = self.head(torch.cat(states))
        return gains.view(*gains.shape[:2], *self.shape)
