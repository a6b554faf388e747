"""Mazes with one shortest path: rules, generator, and breadth-first search as truth.

A maze is a square of ``#`` (wall), blank (open), ``S`` and ``G``; its answer is the same square
with ``o`` on the cells of the shortest path between them. Shortest paths are counted, because a
maze with two would have two right answers. The border may have openings, which lead nowhere.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from trimtab.domains.texts import short
from trimtab.errors import IllegalAction, InputError
from trimtab.protocols import Array

MOVES = "NESW"
CELLS = "# SGo"
"""Every character of a maze and its answer, in the order of their codes."""
EXTRA_OPENINGS = 0.06
"""Share of the inner walls that is opened beyond a spanning tree, so that there are loops."""
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
        for action, cell in _neighbours(self.side)[visited[-1]]:
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
        steps = _steps(self.side)
        for move in state.moves:
            path.append(path[-1] + steps[MOVES.index(move)])
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


def generate(side: int, rng: np.random.Generator) -> tuple[str, str]:
    """Return a maze and its answer; the path has at least ``side`` steps."""
    while True:
        maze = _carve(side, rng)
        open_cells = [cell for cell, c in enumerate(maze) if c == " "]
        for _ in range(8):
            start, goal = rng.choice(open_cells, size=2, replace=False)
            placed = list(maze)
            placed[int(start)], placed[int(goal)] = "S", "G"
            text = "".join(placed)
            length, paths = shortest(text)
            if paths == 1 and length >= side:
                return text, only_path(text)


def shortest(maze: str) -> tuple[int, int]:
    """Return the steps of the shortest path (−1 if there is none) and how many there are."""
    distance, ways = _distances(maze)
    goal = maze.index("G")
    return distance.get(goal, -1), ways.get(goal, 0)


def _steps(side: int) -> tuple[int, int, int, int]:
    """Return what a move adds to a cell's index, in the order of ``MOVES``."""
    return (-side, 1, side, -1)


@lru_cache(maxsize=len(SIDES))
def _neighbours(side: int) -> tuple[tuple[tuple[int, int], ...], ...]:
    """Return (move, cell) of each cell's neighbours; a border may be open, but nothing wraps."""
    return tuple(
        tuple(
            (action, cell + step)
            for action, (step, inside) in enumerate(
                zip(
                    _steps(side),
                    (row > 0, column < side - 1, row < side - 1, column > 0),
                    strict=True,
                )
            )
            if inside
        )
        for cell in range(side**2)
        for row, column in [divmod(cell, side)]
    )


def _distances(maze: str) -> tuple[dict[int, int], dict[int, int]]:
    """Return steps from S and the number of shortest ways, by cell."""
    side = round(len(maze) ** 0.5)
    start = maze.index("S")
    distance, ways = {start: 0}, {start: 1}
    queue = deque([start])
    while queue:
        cell = queue.popleft()
        for _, near in _neighbours(side)[cell]:
            if maze[near] == "#":
                continue
            if near not in distance:
                distance[near] = distance[cell] + 1
                ways[near] = 0
                queue.append(near)
            if distance[near] == distance[cell] + 1:
                ways[near] += ways[cell]
    return distance, ways


@lru_cache(maxsize=4096)
def only_path(maze: str) -> str:
    """Return the maze with its only shortest path marked.

    Raises:
        InputError: there is no path, or more than one shortest one.
    """
    distance, ways = _distances(maze)
    side = round(len(maze) ** 0.5)
    cell = maze.index("G")
    if ways.get(cell, 0) != 1:
        problem = "no path" if cell not in distance else f"{ways[cell]} shortest paths"
        raise InputError(f"text={short(maze)} has {problem} from S to G; give one with exactly one")
    marked = list(maze)
    while distance[cell] > 1:
        cell = next(
            near
            for _, near in _neighbours(side)[cell]
            if distance.get(near, -1) == distance[cell] - 1
        )
        marked[cell] = "o"
    return "".join(marked)


def _carve(side: int, rng: np.random.Generator) -> list[str]:
    """Return a spanning-tree maze with some further openings."""
    cells = ["#"] * side**2
    stack = [side + 1]
    cells[stack[0]] = " "
    while stack:
        cell = stack[-1]
        row, column = divmod(cell, side)
        ahead = [
            step
            for step, inside in zip(
                _steps(side), (row > 2, column < side - 3, row < side - 3, column > 2), strict=True
            )
            if inside and cells[cell + 2 * step] == "#"
        ]
        if not ahead:
            stack.pop()
            continue
        step = ahead[int(rng.integers(len(ahead)))]
        cells[cell + step] = cells[cell + 2 * step] = " "
        stack.append(cell + 2 * step)
    for cell in range(side, side**2 - side):
        row, column = divmod(cell, side)
        # only a wall between two rooms: a corner post would open nothing
        between = (row % 2) != (column % 2) and 0 < column < side - 1
        if between and cells[cell] == "#" and rng.random() < EXTRA_OPENINGS:
            cells[cell] = " "
    return cells
