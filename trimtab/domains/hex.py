"""Hex on small boards, 2 by 2 to 8 by 8, without the swap rule.

Cell (row r from above, column c from the left) is bit ``size r + c``; its neighbours are the cells
beside it in row and column, and those above right and below left.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import zip_longest

import numpy as np

from trimtab.domains.compiled import GameKernels
from trimtab.domains.texts import short
from trimtab.errors import ConfigError, IllegalAction, InputError, MissingExtra, TruthUnknown
from trimtab.protocols import Array, Words

START = "start"
MIN_SIZE, MAX_SIZE = 2, 8
_CELL = re.compile(r"([a-h])([1-8])")


@dataclass(frozen=True, slots=True)
class HexState:
    """The stones of both players as bit masks; the first player moves at equal counts."""

    first: int = 0
    second: int = 0

    @property
    def second_to_move(self) -> bool:
        """Return whether it is the second player's turn."""
        return self.first.bit_count() > self.second.bit_count()


class Hex:
    """Hex: the first player joins the top to the bottom, the second the left to the right.

    There is no draw. Truth is not known: ``check`` raises ``TruthUnknown``.

    Example:
        >>> game = Hex(3)
        >>> game.is_terminal(game.from_text("b1 a1 b2 a2 b3"))
        True

    Args:
        size: rows and columns, 2 to 8: at most 64 actions fit one word.

    Raises:
        ConfigError: another size.
    """

    def __init__(self, size: int = 5) -> None:
        if isinstance(size, bool) or not isinstance(size, int) or not 2 <= size <= MAX_SIZE:
            raise ConfigError(f"size={size!r} is no board size; use {MIN_SIZE} to {MAX_SIZE}")
        self.size = size
        self.name = f"hex_{size}"
        self.num_actions = size * size
        last = f"{'abcdefgh'[size - 1]}{size}"
        self.instructions = (
            f"Hex on a board of {size} by {size} cells, named a1 (top left) to {last} (bottom "
            f"right), the letter for the column. A cell touches those beside it in its row and "
            f"column, and those above right and below left. Two players place stones in turn; the "
            f"first to move wins with a chain from the top to the bottom, the other with one from "
            f"the left to the right.\n"
            f"A position is written as the cells played, first player first, in turn; start is "
            f"the empty board.\n"
            f"Answer with the name of a free cell."
        )
        self._full = (1 << size * size) - 1
        self._left = sum(1 << size * row for row in range(size))
        self._top = (1 << size) - 1

    def initial_state(self, seed: int) -> HexState:
        """Return the empty board, whatever the seed."""
        return HexState()

    def legal_actions(self, state: HexState) -> Sequence[int]:
        """Return the free cells, none once somebody has won."""
        if self.is_terminal(state):
            return []
        free = self._full & ~(state.first | state.second)
        return [cell for cell in range(self.num_actions) if free >> cell & 1]

    def apply_action(self, state: HexState, action: int) -> HexState:
        """Return the position after a stone on cell ``action``.

        Raises:
            IllegalAction: the game is over, the cell is taken, or there is no such cell.
        """
        cell = None if isinstance(action, str) else self._cell(action)
        if cell is None:
            raise IllegalAction(
                f"action {short(action)} is no cell index; legal: {self.legal_actions(state)}"
            )
        if self.is_terminal(state):
            raise IllegalAction("the game is over; legal: []")
        if (state.first | state.second) >> cell & 1:
            raise IllegalAction(
                f"cell {self.canonical(cell)} is taken; legal: {self.legal_actions(state)}"
            )
        if state.second_to_move:
            return HexState(state.first, state.second | 1 << cell)
        return HexState(state.first | 1 << cell, state.second)

    def is_terminal(self, state: HexState) -> bool:
        """Return whether one of the players has joined the sides."""
        return self._joined(state.first, second=False) or self._joined(state.second, second=True)

    def returns(self, state: HexState) -> tuple[float, ...]:
        """Return 1 for the winner and -1 for the loser.

        Raises:
            InputError: the game is not over.
        """
        if self._joined(state.first, second=False):
            return (1.0, -1.0)
        if self._joined(state.second, second=True):
            return (-1.0, 1.0)
        raise InputError("the game is not over yet; play on until is_terminal")

    def observation(self, state: HexState) -> Array:
        """Return `[3, size, size]`: the mover's stones, the opponent's, and ones for the first.

        The last plane is 1 everywhere if the mover joins top and bottom, else 0.
        """
        planes = np.zeros((3, self.size, self.size), np.float32)
        pair = (state.first, state.second)
        stones = pair[::-1] if state.second_to_move else pair
        for plane, bits in enumerate(stones):
            for cell in range(self.num_actions):
                planes[plane, cell // self.size, cell % self.size] = bits >> cell & 1
        planes[2] = 0.0 if state.second_to_move else 1.0
        return planes

    def to_text(self, state: HexState) -> str:
        """Return the cells of both players in turn, ``start`` for the empty board.

        A position has one text, however it was reached: cells ascend, but the stone that won
        stands last.
        """
        first, second = _cells(state.first), _cells(state.second)
        if self.is_terminal(state):
            winner, is_second = (first, False) if state.second_to_move else (second, True)
            stones = state.second if is_second else state.first
            last = max(c for c in winner if not self._joined(stones & ~(1 << c), second=is_second))
            winner.remove(last)
            winner.append(last)
        turns = zip_longest(first, second)
        return " ".join(self.canonical(c) for turn in turns for c in turn if c is not None) or START

    def from_text(self, text: str) -> HexState:
        """Return the position after the moves, such as ``a1 b2``; ``start`` is the empty board.

        Raises:
            InputError: empty, no cell of the board, a taken cell, or a move after the end; the
                message names the move.
        """
        if not isinstance(text, str) or not text.strip():
            raise InputError(
                f"moves={short(text)} is empty; write cells such as a1 b2, or {START} for the "
                f"empty board"
            )
        state = HexState()
        if text.strip() == START:
            return state
        for number, name in enumerate(text.split(), start=1):
            try:
                state = self.apply_action(state, self.index(name))
            except IllegalAction as error:
                raise InputError(
                    f"moves={short(text)}: move {number}, {short(name)}, is not possible: {error}"
                ) from error
        return state

    def canonical(self, answer: int | str) -> str:
        """Return the cell's name, ``a1`` for action 0; raises ``IllegalAction`` for none."""
        row, column = divmod(self.index(answer), self.size)
        return f"{'abcdefgh'[column]}{row + 1}"

    def index(self, answer: int | str) -> int:
        """Return the action of an answer: an index, or a cell's name in any case.

        Raises:
            IllegalAction: there is no such cell.
        """
        cell = self._cell(answer)
        if cell is None:
            last = f"{'abcdefgh'[self.size - 1]}{self.size}"
            raise IllegalAction(
                f"answer {short(answer)} is no cell; legal: the indices 0..{self.num_actions - 1}, "
                f"or a1..{last}"
            )
        return cell

    def check(self, state: HexState, answer: int | str) -> float:
        """Raise ``TruthUnknown``, after ``IllegalAction`` for what is no cell."""
        raise TruthUnknown(f"{self.name} keeps no truth for {self.canonical(answer)}")

    def board_text(self, state: HexState) -> str:
        """Return the board as lines, each row half a cell further right; X moves first.

        >>> game = Hex(3)
        >>> print(game.board_text(game.from_text("b2 a3")))
          a b c
        1 . . .
         2 . X .
          3 O . .
        X to move
        """
        lines = ["  " + " ".join("abcdefgh"[: self.size])]
        for row in range(self.size):
            cells = range(row * self.size, (row + 1) * self.size)
            marks = [
                "X" if state.first >> c & 1 else "O" if state.second >> c & 1 else "."
                for c in cells
            ]
            lines.append(" " * row + f"{row + 1} " + " ".join(marks))
        if self.is_terminal(state):
            lines.append("X has won" if self.returns(state)[0] > 0 else "O has won")
        else:
            lines.append("O to move" if state.second_to_move else "X to move")
        return "\n".join(lines)

    def rotate(self, state: HexState) -> HexState:
        """Return the position turned by half a turn, which keeps everybody's sides."""
        last = self.num_actions - 1
        first, second = (sum(1 << last - c for c in _cells(s)) for s in (state.first, state.second))
        return HexState(first, second)

    @cached_property
    def compiled(self) -> GameKernels[HexState]:
        """Return the rules for compiled search (``trimtab.protocols.CompiledGame``).

        Raises:
            MissingExtra: numba is not installed.
        """
        try:
            from trimtab.domains.hex_kernels import hex_rules
        except ModuleNotFoundError as error:
            raise MissingExtra("numba", "search") from error
        rules = hex_rules(self.size)
        return GameKernels(
            name=self.name,
            num_actions=self.num_actions,
            words=3,
            max_plies=self.num_actions,
            observation_shape=(3, self.size, self.size),
            legal_mask=rules.legal_mask,
            play=rules.play,
            result=rules.result,
            observe=rules.observe,
            encode=self._encode,
            decode=_decode,
        )

    def __repr__(self) -> str:
        return f"Hex({self.size})"

    def _encode(self, state: HexState) -> Words:
        flags = int(state.second_to_move) | int(self.is_terminal(state)) << 1
        return np.array([state.first, state.second, flags], np.uint64)

    def _cell(self, answer: object) -> int | None:
        if isinstance(answer, str):
            match = _CELL.fullmatch(answer.lower())
            if match is None:
                return None
            column, row = "abcdefgh".index(match[1]), int(match[2]) - 1
            return row * self.size + column if max(row, column) < self.size else None
        if isinstance(answer, bool) or not isinstance(answer, int | np.integer):
            return None
        return int(answer) if 0 <= answer < self.num_actions else None

    def _joined(self, stones: int, *, second: bool) -> bool:
        n, left, right = self.size, self._left, self._left << self.size - 1
        start = left if second else self._top
        goal = right if second else self._top << n * (n - 1)
        group, grown = 0, stones & start
        while grown != group:
            group = grown
            rightward = (group << 1 | group >> n - 1) & ~left
            leftward = (group >> 1 | group << n - 1) & ~right
            grown |= (rightward | leftward | group << n | group >> n) & stones
        return bool(group & goal)


def _decode(words: Words) -> HexState:
    return HexState(int(words[0]), int(words[1]))


def _cells(stones: int) -> list[int]:
    return [cell for cell in range(stones.bit_length()) if stones >> cell & 1]
