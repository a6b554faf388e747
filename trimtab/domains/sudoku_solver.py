"""The exact Sudoku solver, in plain Python over bit masks.

The solver is a depth-first search that fills naked and hidden singles first and branches on the
cell with the fewest candidates.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache

from trimtab.domains.texts import short
from trimtab.errors import InputError

BOXES = {4: (2, 2), 6: (2, 3), 9: (3, 3)}
"""Rows and columns of a box, by side."""
MOST_GUESSES = 20_000
"""Guesses after which a puzzle is given up, about two seconds. The hardest known puzzles with one
solution need some hundreds; a few grids of 17 givens with none or many keep a search for hours."""


class Geometry:
    """The cells that see each other on a grid of one side."""

    def __init__(self, side: int) -> None:
        rows, columns = BOXES[side]
        cells = range(side * side)
        self.side = side
        self.digits = "123456789"[:side]
        self.full = (1 << side) - 1
        self.row = [cell // side for cell in cells]
        self.column = [cell % side for cell in cells]
        across = side // columns
        self.box = [(cell // side) // rows * across + (cell % side) // columns for cell in cells]
        self.units: list[list[int]] = [
            [cell for cell in cells if of[cell] == unit]
            for of in (self.row, self.column, self.box)
            for unit in range(side)
        ]
        self.peers: list[list[int]] = [
            sorted({p for unit in self.units if cell in unit for p in unit} - {cell})
            for cell in cells
        ]

    def is_cell(self, text: str) -> bool:
        """Return whether the text names a cell and a digit, as in ``r1c2=3``."""
        head, _, digit = text.partition("=")
        row, _, column = head.removeprefix("r").partition("c")
        names = [str(number) for number in range(1, self.side + 1)]
        return head.startswith("r") and row in names and column in names and digit in self.digits

    def candidates(self, grid: str) -> list[int] | None:
        """Return `[side²]` masks of what each cell may hold; None if two equal digits meet."""
        masks = [self.full] * len(grid)
        for cell, character in enumerate(grid):
            if character != ".":
                masks[cell] = 1 << int(character) - 1
        for cell, character in enumerate(grid):
            if character == ".":
                continue
            bit = masks[cell]
            for peer in self.peers[cell]:
                if grid[peer] == character:
                    return None
                if grid[peer] == ".":
                    masks[peer] &= ~bit
        return masks

    def violations(self, grid: str) -> int:
        """Return how many pairs of equal digits share a unit."""
        return sum(
            grid[cell] == grid[peer]
            for cell in range(len(grid))
            if grid[cell] != "."
            for peer in self.peers[cell]
            if peer > cell
        )


@lru_cache(maxsize=3)
def geometry(side: int) -> Geometry:
    """Return the geometry of a side length.

    Raises:
        InputError: a side that is not 4, 6 or 9.
    """
    if side not in BOXES:
        raise InputError(f"side={side} is not supported; use one of {sorted(BOXES)}")
    return Geometry(side)


Chooser = Callable[[int, list[int]], list[int]]
"""(cell, the masks of its digits) to the order in which they are tried."""


@dataclass(slots=True)
class Search:
    """One depth-first search over candidate masks.

    Attributes:
        limit: stop after so many solutions.
        order: puts the digits of a branching cell in the order in which they are tried.
        hidden: fill hidden singles, too.
        most: stop after so many guesses; without end if None.
        guesses: branches taken so far.
    """

    shape: Geometry
    limit: int
    order: Chooser | None = None
    hidden: bool = True
    most: int | None = None
    guesses: int = 0

    @property
    def gave_up(self) -> bool:
        """Return whether the guesses ran out, so that further solutions may exist."""
        return self.most is not None and self.guesses > self.most

    def run(self, masks: list[int]) -> list[list[int]]:
        """Return up to ``limit`` solutions as masks of one bit a cell."""
        found: list[list[int]] = []
        self._descend(masks, found)
        return found

    def propagate(self, masks: list[int]) -> bool:
        """Fill all singles in place; False if a cell or a digit has no place left."""
        queue = [cell for cell, mask in enumerate(masks) if mask & (mask - 1) == 0]
        while True:
            if not self._naked(masks, queue):
                return False
            if not self.hidden:
                return True
            queue = self._hidden(masks)
            if queue == [-1]:
                return False
            if not queue:
                return True

    def _naked(self, masks: list[int], queue: list[int]) -> bool:
        peers = self.shape.peers
        while queue:
            cell = queue.pop()
            bit = masks[cell]
            if not bit:
                return False
            for peer in peers[cell]:
                mask = masks[peer]
                if mask & bit:
                    mask &= ~bit
                    if not mask:
                        return False
                    masks[peer] = mask
                    if mask & (mask - 1) == 0:
                        queue.append(peer)
        return True

    def _hidden(self, masks: list[int]) -> list[int]:
        """Return the cells that were filled because a digit fits nowhere else; [-1] = dead."""
        filled = []
        for unit in self.shape.units:
            once = twice = 0
            for cell in unit:
                mask = masks[cell]
                twice |= once & mask
                once |= mask
            if once != self.shape.full:
                return [-1]
            once &= ~twice
            if not once:
                continue
            for cell in unit:
                bit = masks[cell] & once
                if bit and masks[cell] != bit:
                    if bit & (bit - 1):
                        return [-1]
                    masks[cell] = bit
                    filled.append(cell)
        return filled

    def _descend(self, masks: list[int], found: list[list[int]]) -> None:
        if not self.propagate(masks):
            return
        open_cells = [
            (mask.bit_count(), cell) for cell, mask in enumerate(masks) if mask & (mask - 1)
        ]
        if not open_cells:
            found.append(masks)
            return
        _, cell = min(open_cells)
        bits = [1 << digit for digit in range(self.shape.side) if masks[cell] >> digit & 1]
        for bit in self.order(cell, bits) if self.order else bits:
            self.guesses += 1
            branch = masks.copy()
            branch[cell] = bit
            self._descend(branch, found)
            if len(found) >= self.limit or self.gave_up:
                return


def solutions(side: int, givens: str, *, limit: int = 2) -> list[str]:
    """Return up to ``limit`` solutions; several if the puzzle is ambiguous, none if impossible.

    Raises:
        InputError: ``MOST_GUESSES`` did not settle how many there are.
    """
    shape = geometry(side)
    masks = shape.candidates(givens)
    if masks is None:
        return []
    search = Search(shape, limit, most=MOST_GUESSES)
    found = search.run(masks)
    if search.gave_up and len(found) < limit:
        raise InputError(
            f"text={short(givens)} is not settled after {MOST_GUESSES:,} guesses, so it is hardly "
            "a puzzle with one solution; check the givens or give more of them"
        )
    return [grid_text(solved) for solved in found]


def grid_text(masks: Sequence[int]) -> str:
    """Return the grid of `[side²]` masks with one bit each."""
    return "".join(str(mask.bit_length()) for mask in masks)
