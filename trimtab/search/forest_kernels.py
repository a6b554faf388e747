"""The compiled calls of a forest search: plant the roots, and step from leaves to the next leaves.

``plant`` and ``step`` are built for a game; the rest is the same machine code for all games with
the same A and W. A step takes the values of the last leaves in and gathers the next ones: beside a
small net, the way from Python into compiled code costs more than the work there, and is gone once.
B is the number of leaves gathered; ``leaves`` are their trees and nodes, `[2, B]`.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numba
import numpy as np
from numpy.typing import NDArray

from trimtab.protocols import ONGOING, Array, Words
from trimtab.search.compiled import Kernel, Rules, cached, kernel
from trimtab.search.descent import CHOICE, Choice, choose, improved_logits, is_open, softmax
from trimtab.search.forest import (
    EXPANDED,
    Floats,
    Forest,
    Head,
    Ints,
    Tree,
    add_node,
    back_up,
    cancel,
    copy_words,
    settle,
)
from trimtab.search.forest_intake import take_in

Nodes = NDArray[np.void]
STOP = 0
FINISH = 1
GO_ON = 2
"""Gather no leaves; gather only while a tree has no simulation; gather."""


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


def build_step(rules: Rules) -> Kernel:
    """Return ``step``, which takes answers in, then writes rows and places of leaves to evaluate.

    Its arguments are nodes, heads, leaves, the number of answers, `[B, A]` priors and `[B]` values
    (both float32), STOP, FINISH or GO_ON, a CHOICE `[1]`, the schedule, the simulations per tree,
    the most leaves per tree, rows, and scratch `[A]`. In each tree it follows
    :func:`~trimtab.search.descent.choose` to at most ``width`` leaves; it returns their number B. A
    path that ends at a proven node is backed up at once and counts as a simulation. Two paths to
    one leaf collide: the second is taken back, and the tree's width shrinks to what it found;
    after a round without collision it grows by one, up to the most.

    Where an answer is unusable nothing of it is taken in, nothing is gathered, and what is
    returned is below 0: see ``forest_intake.fault_of``.
    """
    gather = _build_gather(rules)

    def step(
        nodes: Nodes,
        heads: Nodes,
        leaves: Ints,
        count: int,
        priors: Array,
        values: Array,
        then: int,
        choice: Nodes,
        schedule: Ints,
        simulations: int,
        most: int,
        rows: Words,
        scores: Floats,
    ) -> int:
        fault = take_in(nodes, heads, leaves, count, priors, values)
        if fault < 0:
            return fault
        if then == STOP or (then == FINISH and _all_begun(heads)):
            return 0
        return int(gather(nodes, heads, choice, schedule, simulations, most, rows, leaves, scores))

    return cached(step)


@lru_cache(maxsize=64)
def entry(step: Kernel, actions: int, words: int) -> Kernel:
    """Return ``step`` for boards of these sizes, without numba's look-up of types at each call.

    The look-up takes several times as long as a step. Whoever calls answers for the types: those
    of ``Search``, which makes all arrays itself and converts what a leaf function returns.
    """
    forest = Forest.allocate(trees=1, nodes=1, actions=actions, words=words)
    ints, one = np.empty((1, 1), np.int32), 1
    arguments = (
        forest.nodes,
        forest.heads,
        ints,
        one,
        np.empty((1, 1), np.float32),
        np.empty(1, np.float32),
        one,
        np.empty(1, CHOICE),
        ints,
        one,
        one,
        np.empty((1, 1), np.uint64),
        np.empty(1, np.float64),
    )
    compiled: Any = step
    typeof: Any = numba.typeof
    direct: Kernel = compiled.compile(tuple(typeof(argument) for argument in arguments))
    return direct


def _build_gather(rules: Rules) -> Kernel:
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

    @kernel
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

    return gather


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


@kernel
def _all_begun(heads: Nodes) -> bool:
    fewest = heads[0].done
    for head in heads:
        fewest = min(fewest, head.done)
    return bool(fewest > 0)


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
