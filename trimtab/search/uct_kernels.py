"""The loop of a search with random playouts, compiled: UCB1 and proven results, one tree.

N is the number of nodes, A of actions, W of words of a state. Node 0 is the root.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from trimtab.protocols import ONGOING, Words
from trimtab.search.compiled import Kernel, Rules, cached, kernel
from trimtab.search.forest import WIN, Floats, Head, Node, Tree, copy_words, is_legal
from trimtab.search.playout import GOLDEN, ONE, ZERO, build_playout, draw_bit, mixed

LOSS = -1.0
RUN = np.dtype(
    [("counter", np.uint64), ("size", np.int32), ("done", np.int32)],
    align=True,
)
"""A search: the generator's counter, nodes made, simulations finished."""


def uct_node_type(actions: int, words: int, *, rave: bool = False) -> np.dtype[np.void]:
    """Return the record of a node; values are from the player to move in it.

    Fields: ``words``; ``legal``, ``untried`` and ``settled``, masks of actions; ``proven``, exact
    or ONGOING; ``parent`` and ``parent_action``; ``visits``. Per action, defined once tried:
    ``means``, -inf where illegal or proven lost; ``spreads``, 1 / sqrt(visits); ``edge_visits``;
    ``children``. With RAVE also ``amaf_means`` and ``amaf_visits``.
    """
    amaf = [("amaf_means", np.float64, (actions,)), ("amaf_visits", np.int32, (actions,))]
    fields = [
        # in front: numba takes a record that only adds fields at the end for its shorter kin
        *(amaf if rave else ()),
        ("words", np.uint64, (words,)),
        ("legal", np.uint64),
        ("untried", np.uint64),
        ("settled", np.uint64),
        ("proven", np.float64),
        ("parent", np.int32),
        ("parent_action", np.int32),
        ("visits", np.int32),
        ("means", np.float64, (actions,)),
        ("spreads", np.float64, (actions,)),
        ("edge_visits", np.int32, (actions,)),
        ("children", np.int32, (actions,)),
    ]
    return np.dtype(fields, align=True)


def build_uct(rules: Rules) -> Kernel:
    """Return ``run(nodes, state, widths, simulations, words)``.

    It adds simulations to the tree `[N]` until ``done`` of the RUN `[1]` has grown to
    ``simulations`` or the root is settled. ``widths`` is ``ucb1_widths``; ``words`` is
    scratch, `[W]`. The root must have been made by ``plant``.
    """
    playout = build_playout(rules)
    try_action = build_try(rules)

    @kernel
    def simulate(tree: Tree, state: Head, widths: Floats, words: Words) -> None:
        index = 0
        while tree[index].untried == ZERO and tree[index].proven == ONGOING:
            node = tree[index]
            index = node.children[_best(node, widths[node.visits])]
        if tree[index].proven == ONGOING:
            state.counter += GOLDEN
            action = draw_bit(tree[index].untried, state.counter)
            index = try_action(tree, state, index, action)
        if tree[index].proven == ONGOING:
            copy_words(tree[index].words, words)
            value, state.counter = playout(words, state.counter)
        else:
            value = tree[index].proven
        _back_up(tree, index, value)
        settle_above(tree, index)

    def run(
        nodes: NDArray[np.void],
        states: NDArray[np.void],
        widths: Floats,
        simulations: int,
        words: Words,
    ) -> None:
        state = states[0]
        while state.done < simulations and nodes[0].proven == ONGOING:
            simulate(nodes, state, widths, words)
            state.done += 1

    return cached(run)


def build_plant_uct(rules: Rules) -> Kernel:
    """Return ``plant(nodes, states, row, seed)``: make the root; False for a finished game."""
    legal_mask, _, result = rules

    def plant(nodes: NDArray[np.void], states: NDArray[np.void], row: Words, seed: int) -> bool:
        states[0].counter = mixed(np.uint64(seed) + GOLDEN)
        states[0].size = 1
        states[0].done = 0
        root = nodes[0]
        copy_words(row, root.words)
        clear_node(root, -1, -1)
        root.legal = legal_mask(root.words)
        root.untried = root.legal
        root.proven = result(root.words)
        return bool(root.proven == ONGOING)

    return cached(plant)


def build_try(rules: Rules) -> Kernel:
    """Return ``try_action(tree, state, index, action)``: the new node below an untried action."""
    legal_mask, play, result = rules

    @kernel
    def try_action(tree: Tree, state: Head, index: int, action: int) -> int:
        new = state.size
        state.size = new + 1
        above, node = tree[index], tree[new]
        above.untried &= ~(ONE << np.uint64(action))
        above.children[action] = new
        above.edge_visits[action] = 0
        above.means[action] = 0.0
        clear_node(node, index, action)
        play(above.words, action, node.words)
        node.legal = legal_mask(node.words)
        node.untried = node.legal
        node.proven = result(node.words)
        return int(new)

    return try_action


@kernel
def clear_node(node: Node, parent: int, action: int) -> None:
    """Write the fields of a new node that do not depend on the rules."""
    node.parent = parent
    node.parent_action = action
    node.visits = 0
    node.settled = ZERO
    for a in range(len(node.means)):
        node.means[a] = -np.inf
        node.spreads[a] = 0.0


@kernel
def _best(node: Node, width: float) -> int:
    best, best_score = 0, -np.inf
    for a in range(len(node.means)):
        score = node.means[a] + width * node.spreads[a]
        if score > best_score:
            best, best_score = a, score
    return best


@kernel
def _back_up(tree: Tree, index: int, value: float) -> None:
    while index != 0:
        action = tree[index].parent_action
        index = tree[index].parent
        value = -value
        add_value(tree[index], action, value)


@kernel
def add_value(node: Node, action: int, value: float) -> None:
    """Add a value to an action of a node."""
    visits = node.edge_visits[action] + 1
    node.edge_visits[action] = visits
    node.visits += 1
    node.means[action] += (value - node.means[action]) / visits
    node.spreads[action] = 1.0 / math.sqrt(visits)


@kernel
def settle_above(tree: Tree, index: int) -> None:
    """Carry a node's exact value up as far as it decides the nodes above."""
    while index != 0 and tree[index].proven != ONGOING:
        value = -tree[index].proven
        action = tree[index].parent_action
        index = tree[index].parent
        node = tree[index]
        node.settled |= ONE << np.uint64(action)
        node.means[action] = value if value > LOSS else -np.inf
        if node.proven == ONGOING:
            if value >= WIN:
                node.proven = value
            elif node.settled == node.legal:
                node.proven = _best_settled(node)


@kernel
def _best_settled(node: Node) -> float:
    best = LOSS
    for a in range(len(node.means)):
        if is_legal(node.legal, a):
            best = max(best, node.means[a])
    return best


@cached
def hash_tree(nodes: NDArray[np.void], states: NDArray[np.void]) -> np.uint64:
    """Return a 64-bit FNV-1a hash of the tree: shape, visits and results."""
    prime = np.uint64(1099511628211)
    state = np.uint64(14695981039346656037)
    for index in range(states[0].size):
        node = nodes[index]
        tried = node.legal & ~node.untried
        for a in range(len(node.means)):
            if is_legal(tried, a):
                state = (state ^ np.uint64(node.children[a])) * prime
                state = (state ^ np.uint64(node.edge_visits[a])) * prime
                total = node.means[a] * node.edge_visits[a]
                # the sum is a whole number of wins and losses; -inf marks a proven loss
                scaled = np.int64(round(total)) if math.isfinite(total) else np.int64(1) << 40
                state = (state ^ np.uint64(scaled)) * prime
    return state
