"""Mazes with one shortest path: rules, generator, and breadth-first search as truth.

A maze is a square of ``#`` (wall), blank (open), ``S`` and ``G``; its answer is the same square
with ``o`` on the cells of the shortest path between them. Shortest paths are counted, because a
maze with two would have two right answers. The border may have openings, which lead nowhere.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from trimtab.domains.maze_paths import generate, neighbours, only_path, steps
from trimtab.domains.texts import short
from trimtab.errors import IllegalAction, InputError
from trimtab.protocols import Array

MOVES = "NESW"
CELLS = "# SGo"
"""Every character of a maze and its answer, in the order of their codes."""
SIDES = (11, 15)
_BEGUN = "/"


@dataclass(frozen=True, slots=True)
class MazeState:
    """A maze and the moves made from its start."""

    maze: str
    moves: str = ""


class Maze:
    """The domain of one side length; an action moves the path's head north, east, south or west.

    Truth: an answer is right exactly if it marks the only shortest path.

    Args:
        side: cells in a row, odd, walls included.

    Raises:
        InputError: a side below 5 or an even one.

    Example:
        >>> maze = Maze(5).from_text("######S  #### ##G  ######")
        >>> Maze(5).check(maze, "######Soo####o##Goo######")
        1.0
    """

    def __init__(self, side: int) -> None:
        if side < 5 or side % 2 == 0:
            raise InputError(f"side={side} cannot hold a maze; give an odd one from 5 on")
        self.side = side

    @property
    def name(self) -> str:
        """Return ``maze`` and the side."""
        return f"maze{self.side}"

    @property
    def num_actions(self) -> int:
        """Return 4: north, east, south, west."""
        return len(MOVES)

    @property
    def instructions(self) -> str:
        """Return the task in words."""
        return (
            f"Find the shortest path from S to G in a maze of {self.side} rows with {self.side} "
            f"cells each, given row by row in one line. # is a wall, a blank is open; moves go "
            "up, down, left and right. Answer with the same line, with o on each blank of the "
            "path."
        )

    def initial_state(self, seed: int) -> MazeState:
        """Return a generated maze."""
        return MazeState(generate(self.side, np.random.default_rng(seed))[0])

    def legal_actions(self, state: MazeState) -> Sequence[int]:
        """Return the moves to open cells that the path has not visited."""
        visited = self._path(state)
        if state.maze[visited[-1]] == "G":
            return []
        legal = []
        for action, cell in neighbours(self.side)[visited[-1]]:
            if state.maze[cell] != "#" and cell not in visited:
                legal.append(action)
        return legal

    def apply_action(self, state: MazeState, action: int) -> MazeState:
        """Return the state one move on."""
        legal = self.legal_actions(state)
        if action not in legal:
            raise IllegalAction(f"action={action!r} is not legal; legal: {list(legal)}")
        return MazeState(state.maze, state.moves + MOVES[action])

    def is_terminal(self, state: MazeState) -> bool:
        """Return whether the goal is reached, or the path is stuck."""
        return not self.legal_actions(state)

    def returns(self, state: MazeState) -> tuple[float, ...]:
        """Return 1 if the path is the shortest, else −1."""
        return (1.0 if self._marked(state) == self.solution(state) else -1.0,)

    def observation(self, state: MazeState) -> Array:
        """Return `[side²]` codes of the cells, positions in ``CELLS``."""
        return np.array([CELLS.index(c) for c in self._marked(state)], dtype=np.float32)

    def to_text(self, state: MazeState) -> str:
        """Return the maze, and the moves behind a slash where there are any."""
        return f"{state.maze}{_BEGUN}{state.moves}" if state.moves else state.maze

    def from_text(self, text: str) -> MazeState:
        """Return the state of a text form; blanks count.

        Raises:
            InputError: wrong size or characters, or no single shortest path.
        """
        maze, _, moves = text.strip("\r\n").partition(_BEGUN)
        self._check(maze)
        state = MazeState(maze)
        for move in moves:
            if move not in MOVES or MOVES.index(move) not in self.legal_actions(state):
                raise InputError(f"text={short(text)}: move {move!r} is not legal there")
            state = MazeState(maze, state.moves + move)
        return state

    def canonical(self, answer: int | str) -> str:
        """Return the marked maze as one line; line ends are dropped."""
        if isinstance(answer, int):
            if not 0 <= answer < len(MOVES):
                raise IllegalAction(f"action={answer} is not in 0..{len(MOVES) - 1}")
            return MOVES[answer]
        return answer if answer in MOVES and len(answer) == 1 else self.whole(answer)

    @property
    def answer_pattern(self) -> str:
        """Return the regular expression of a marked maze in one line."""
        return f"^[{CELLS}]{{{self.side**2}}}$"

    def whole(self, answer: str) -> str:
        """Return a marked maze as one line; line ends are dropped."""
        plain = answer.replace("\n", "").replace("\r", "")
        if len(plain) != self.side**2 or not set(plain) <= set(CELLS):
            raise IllegalAction(
                f"answer={short(answer)} is no marked maze; give {self.side**2} of {CELLS!r}"
            )
        return plain

    def check(self, state: MazeState, answer: int | str) -> float:
        """Return 1 for the marked shortest path (or, for a move, for the next one on it)."""
        solution = self.solution(state)
        if isinstance(answer, int):
            moved = self._marked(self.apply_action(state, answer))
            return float(all(solution[i] in "oSG" for i, c in enumerate(moved) if c == "o"))
        plain = self.canonical(answer)
        if len(plain) == 1:
            return self.check(state, MOVES.index(plain))
        return float(plain == solution)

    def solution(self, state: MazeState) -> str:
        """Return the maze with its shortest path marked."""
        return only_path(state.maze)

    def board_text(self, state: MazeState) -> str:
        """Return the maze, a line a row, with the path so far."""
        marked = self._marked(state)
        rows = range(0, self.side**2, self.side)
        return "\n".join(marked[start : start + self.side] for start in rows)

    def _marked(self, state: MazeState) -> str:
        cells = list(state.maze)
        for cell in self._path(state):
            if cells[cell] == " ":
                cells[cell] = "o"
        return "".join(cells)

    def _path(self, state: MazeState) -> list[int]:
        path = [state.maze.index("S")]
        for move in state.moves:
            path.append(path[-1] + steps(self.side)[MOVES.index(move)])
        return path

    def _check(self, maze: str) -> None:
        side = self.side
        if len(maze) != side**2:
            raise InputError(
                f"text={short(maze)} has {len(maze)} cells; a {self.name} has {side**2}, blanks "
                "included"
            )
        bad = sorted(set(maze) - set("# SG"))
        if bad:
            raise InputError(f"text={short(maze)} holds {bad}; use '#', ' ', one S and one G")
        if maze.count("S") != 1 or maze.count("G") != 1:
            raise InputError(f"text={short(maze)} needs exactly one S and one G")
        only_path(maze)
