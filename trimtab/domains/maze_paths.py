"""Mazes as text: the generator, and breadth-first search that counts shortest paths.

A maze with two shortest paths would have two right answers.
"""

from __future__ import annotations

from collections import deque
from functools import lru_cache

import numpy as np

from trimtab.domains.texts import short
from trimtab.errors import InputError

EXTRA_OPENINGS = 0.06
"""Share of the inner walls that is opened beyond a spanning tree, so that there are loops."""


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


def steps(side: int) -> tuple[int, int, int, int]:
    """Return what a move adds to a cell's index, north, east, south, west."""
    return (-side, 1, side, -1)


@lru_cache(maxsize=8)
def neighbours(side: int) -> tuple[tuple[tuple[int, int], ...], ...]:
    """Return (move, cell) of each cell's neighbours; a border may be open, but nothing wraps."""
    return tuple(
        tuple(
            (action, cell + step)
            for action, (step, inside) in enumerate(
                zip(
                    steps(side),
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
        for _, near in neighbours(side)[cell]:
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
            for _, near in neighbours(side)[cell]
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
                steps(side), (row > 2, column < side - 3, row < side - 3, column > 2), strict=True
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
