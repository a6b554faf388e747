"""The compiled calls of a forest search: plant the roots, gather leaves, take their values in.

``plant`` and ``gather`` are built for a game; the rest is the same machine code for all games.
B is the number of leaves gathered.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from trimtab.protocols import ONGOING, Array, Words
from trimtab.search.compiled import Kernel, Rules, cached, kernel
from trimtab.search.descent import Choice, choose
from trimtab.search.forest import (
    EXPANDED,
    Floats,
    Forest,
    Ints,
    add_node,
    back_up,
    cancel,
    is_legal,
    settle,
)

VALID = 0
NOT_FINITE = 1
NO_DISTRIBUTION = 2
VALUE_OUT_OF_RANGE = 3
TOLERANCE = 1e-3


class Leaves(NamedTuple):
    """Leaves on their way: states `[B, W]` as the leaf function gets them, and where they hang."""

    rows: Words
    tree: Ints
    node: Ints


def build_plant(rules: Rules) -> Kernel:
    """Return ``plant(forest, rows)``: a root per row; the index of a finished one, or -1."""
    legal_mask, _, result = rules

    def plant(f: Forest, rows: Words) -> int:
        for t in range(rows.shape[0]):
            if result(rows[t]) != ONGOING:
                return t
            root = add_node(f, t, -1, -1)
            f.words[t, root] = rows[t]
            f.legal[t, root] = legal_mask(rows[t])
        return -1

    return cached(plant)


def _build_descend(rules: Rules) -> Kernel:
    legal_mask, play, result = rules

    @kernel
    def child(f: Forest, t: int, node: int, action: int) -> int:
        existing = f.children[t, node, action]
        if existing >= 0:
            return int(existing)
        new = add_node(f, t, node, action)
        f.children[t, node, action] = new
        words = f.words[t, new]
        play(f.words[t, node], action, words)
        f.legal[t, new] = legal_mask(words)
        f.proven[t, new] = result(words)
        if f.proven[t, new] != ONGOING:
            settle(f, t, new)
        return new

    @kernel
    def descend(f: Forest, t: int, c: Choice, scores: Floats) -> int:
        node = 0
        while f.status[t, node] == EXPANDED and (node == 0 or f.proven[t, node] == ONGOING):
            action = choose(f, t, node, c, scores)
            f.pending[t, node, action] += 1
            node = child(f, t, node, action)
        return node

    return descend


@kernel
def _is_taken(f: Forest, t: int, node: int, found: int) -> bool:
    if node == 0:
        return found > 0
    return bool(f.pending[t, f.parent[t, node], f.parent_action[t, node]] > 1)


def build_gather(rules: Rules) -> Kernel:
    """Return ``gather(forest, choice, simulations, most, leaves, scores)``, which fills leaves.

    In each tree it follows :func:`~trimtab.search.descent.choose` to at most ``width`` leaves and
    returns their number B. A path that ends at a proven node is backed up at once and counts as
    a simulation. Two paths to one leaf collide: the second is taken back and the tree's width
    shrinks to what it found; after a round without collision it grows by one, up to ``most``.
    """
    descend = _build_descend(rules)

    @kernel
    def gather_tree(
        f: Forest, t: int, c: Choice, simulations: int, leaves: Leaves, b: int, scores: Floats
    ) -> int:
        found = 0
        while found < f.width[t] and f.done[t] + found < simulations and f.proven[t, 0] == ONGOING:
            node = descend(f, t, c, scores)
            if f.proven[t, node] != ONGOING:
                back_up(f, t, node, f.proven[t, node])
            elif _is_taken(f, t, node, found):
                cancel(f, t, node)
                return -max(found, 1)
            else:
                leaves.rows[b + found] = f.words[t, node]
                leaves.tree[b + found] = t
                leaves.node[b + found] = node
                found += 1
        return found

    def gather(
        f: Forest, c: Choice, simulations: int, most: int, leaves: Leaves, scores: Floats
    ) -> int:
        b = 0
        for t in range(f.size.shape[0]):
            found = gather_tree(f, t, c, simulations, leaves, b, scores)
            if found < 0:
                f.width[t] = -found
            else:
                f.width[t] = min(f.width[t] + 1, most)
            b += abs(found)
        return b

    return cached(gather)


@cached
def take_in(f: Forest, leaves: Leaves, count: int, priors: Array, values: Array) -> tuple[int, int]:
    """Expand the leaves with `[B, A]` priors and back their `[B]` values up.

    Returns:
        VALID and -1, or what is wrong with the first bad row and its index; the forest is then
        as it was.
    """
    for b in range(count):
        fault = _fault(f.legal[leaves.tree[b], leaves.node[b]], priors[b], values[b])
        if fault != VALID:
            return fault, b
    for b in range(count):
        t, node = leaves.tree[b], leaves.node[b]
        f.status[t, node] = EXPANDED
        f.value[t, node] = values[b]
        for a in range(priors.shape[1]):
            if is_legal(f.legal[t, node], a):
                f.priors[t, node, a] = priors[b, a]
        if node != 0:
            back_up(f, t, node, f.value[t, node])
    return VALID, -1


@kernel
def _fault(legal: np.uint64, priors: Array, value: float) -> int:
    total = 0.0
    for a in range(priors.shape[0]):
        prior = priors[a]
        if not math.isfinite(prior):
            return NOT_FINITE
        if prior < 0.0:
            return NO_DISTRIBUTION
        if is_legal(legal, a):
            total += prior
    if not math.isfinite(value):
        return NOT_FINITE
    if abs(value) > 1.0 + TOLERANCE:
        return VALUE_OUT_OF_RANGE
    return VALID if abs(total - 1.0) <= TOLERANCE else NO_DISTRIBUTION


@cached
def give_up(f: Forest, leaves: Leaves, count: int) -> None:
    """Take the virtual losses of leaves back whose values will not come."""
    for b in range(count):
        cancel(f, leaves.tree[b], leaves.node[b])


@cached
def hash_trees(f: Forest, out: NDArray[np.uint64]) -> None:
    """Write a 64-bit FNV-1a hash of each tree: shape, visits and values, whatever the batch."""
    prime = np.uint64(1099511628211)
    for t in range(out.shape[0]):
        state = np.uint64(14695981039346656037)
        for node in range(f.size[t]):
            for a in range(f.children.shape[2]):
                state = (state ^ np.uint64(f.children[t, node, a] + 1)) * prime
                state = (state ^ np.uint64(f.edge_visits[t, node, a])) * prime
                # values differ by far more than 2^-40 or are equal
                scaled = np.int64(f.edge_sums[t, node, a] * 1099511627776.0)
                state = (state ^ np.uint64(scaled)) * prime
        out[t] = state
