"""The compiled calls of a forest search: plant the roots, gather leaves, take their values in.

``plant`` and ``gather`` are built for a game; the rest is the same machine code for all games with
the same A and W. B is the number of leaves gathered; ``leaves`` are their trees and nodes,
`[2, B]`.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from trimtab.protocols import ONGOING, Array, Words
from trimtab.search.compiled import Kernel, Rules, cached, kernel
from trimtab.search.descent import Choice, choose, improved_logits, is_open, softmax
from trimtab.search.forest import (
    EXPANDED,
    Floats,
    Head,
    Ints,
    Tree,
    add_node,
    back_up,
    cancel,
    copy_words,
    is_legal,
    settle,
)

Nodes = NDArray[np.void]
VALID = 0
NOT_FINITE = 1
NO_DISTRIBUTION = 2
VALUE_OUT_OF_RANGE = 3
TOLERANCE = 1e-3


def build_plant(rules: Rules) -> Kernel:
    """Return ``plant(nodes, heads, rows)``: a root per row; the index of a finished one, or -1."""
    legal_mask, _, result = rules

    def plant(nodes: Nodes, heads: Nodes, rows: Words) -> int:
        for t in range(len(rows)):
            if result(rows[t]) != ONGOING:
                return t
            tree = nodes[t]
            add_node(tree, heads[t], -1, -1)
            copy_words(rows[t], tree[0].words)
            tree[0].legal = legal_mask(rows[t])
        return -1

    return cached(plant)


def build_gather(rules: Rules) -> Kernel:
    """Return ``gather``, which writes the rows and places of the leaves to evaluate.

    Its arguments are nodes, heads, a CHOICE `[1]`, the schedule, the simulations per tree, the most
    leaves per tree, rows, leaves, and scratch `[A]`. In each tree it follows
    :func:`~trimtab.search.descent.choose` to at most ``width`` leaves; it returns their number B. A
    path that ends at a proven node is backed up at once and counts as a simulation. Two paths to
    one leaf collide: the second is taken back, and the tree's width shrinks to what it found;
    after a round without collision it grows by one, up to the most.
    """
    descend = _build_descend(rules)

    @kernel
    def gather_tree(
        tree: Tree,
        head: Head,
        choice: Choice,
        schedule: Ints,
        simulations: int,
        rows: Words,
        places: Ints,
        scores: Floats,
    ) -> int:
        found = 0
        while found < head.width and head.done + found < simulations and is_open(tree[0]):
            index = descend(tree, head, choice, schedule, scores)
            if not is_open(tree[index]):
                back_up(tree, head, index, tree[index].proven)
            elif _is_taken(tree, index, found):
                cancel(tree, index)
                return -max(found, 1)
            else:
                copy_words(tree[index].words, rows[found])
                places[found] = index
                found += 1
        return found

    def gather(
        nodes: Nodes,
        heads: Nodes,
        choice: Nodes,
        schedule: Ints,
        simulations: int,
        most: int,
        rows: Words,
        leaves: Ints,
        scores: Floats,
    ) -> int:
        b = 0
        for t in range(len(heads)):
            head = heads[t]
            found = gather_tree(
                nodes[t],
                head,
                choice[0],
                schedule,
                simulations,
                rows[b:],
                leaves[1, b:],
                scores,
            )
            head.width = -found if found < 0 else min(head.width + 1, most)
            for _ in range(abs(found)):
                leaves[0, b] = t
                b += 1
        return b

    return cached(gather)


def _build_descend(rules: Rules) -> Kernel:
    legal_mask, play, result = rules

    @kernel
    def child(tree: Tree, head: Head, index: int, action: int) -> int:
        existing = tree[index].children[action]
        if existing >= 0:
            return int(existing)
        new = add_node(tree, head, index, action)
        tree[index].children[action] = new
        node = tree[new]
        play(tree[index].words, action, node.words)
        node.legal = legal_mask(node.words)
        node.proven = result(node.words)
        settle(tree, new)
        return new

    @kernel
    def descend(tree: Tree, head: Head, c: Choice, schedule: Ints, scores: Floats) -> int:
        index = 0
        while tree[index].status == EXPANDED and is_open(tree[index]):
            action = choose(tree[index], index, head, c, schedule, scores)
            tree[index].pending[action] += 1
            index = child(tree, head, index, action)
        return index

    return descend


@kernel
def _is_taken(tree: Tree, index: int, found: int) -> bool:
    if index == 0:
        return found > 0
    node = tree[index]
    return bool(tree[node.parent].pending[node.parent_action] > 1)


@cached
def take_in(
    nodes: Nodes, heads: Nodes, leaves: Ints, count: int, priors: Array, values: Array
) -> tuple[int, int]:
    """Expand the leaves with `[B, A]` priors and back their `[B]` values up.

    Returns:
        VALID and -1, or what is wrong with the first bad row and its index; the forest is then
        as it was.
    """
    for b in range(count):
        fault = _fault(nodes[leaves[0, b], leaves[1, b]].legal, priors[b], values[b])
        if fault != VALID:
            return fault, b
    for b in range(count):
        tree, index = nodes[leaves[0, b]], leaves[1, b]
        node = tree[index]
        node.status = EXPANDED
        node.value = values[b]
        for a in range(len(node.priors)):
            if is_legal(node.legal, a):
                node.priors[a] = priors[b, a]
        if index != 0:
            back_up(tree, heads[leaves[0, b]], index, node.value)
    return VALID, -1


@kernel
def _fault(legal: np.uint64, priors: Array, value: float) -> int:
    total = 0.0
    for a in range(len(priors)):
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
def give_up(nodes: Nodes, leaves: Ints, count: int) -> None:
    """Take the virtual losses of leaves back whose values will not come."""
    for b in range(count):
        cancel(nodes[leaves[0, b]], leaves[1, b])


@cached
def improved_policies(nodes: Nodes, c_visit: float, c_scale: float, out: Floats) -> None:
    """Write ``logits + σ(completed Q)`` of each root to `[0, T, A]`, its softmax to `[1, T, A]`."""
    for t in range(len(nodes)):
        improved_logits(nodes[t, 0], c_visit, c_scale, out[0, t])
        for a in range(out.shape[2]):
            out[1, t, a] = out[0, t, a]
        softmax(out[1, t])


@cached
def hash_trees(nodes: Nodes, heads: Nodes, out: NDArray[np.uint64]) -> None:
    """Write a 64-bit FNV-1a hash of each tree: shape, visits and values, whatever the batch."""
    prime = np.uint64(1099511628211)
    for t in range(len(out)):
        state = np.uint64(14695981039346656037)
        for index in range(heads[t].size):
            node = nodes[t, index]
            for a in range(len(node.children)):
                state = (state ^ np.uint64(node.children[a] + 1)) * prime
                state = (state ^ np.uint64(node.edge_visits[a])) * prime
                # sums of values differ by far more than 2^-40 or are equal
                scaled = np.int64(node.edge_sums[a] * 1099511627776.0)
                state = (state ^ np.uint64(scaled)) * prime
        out[t] = state
