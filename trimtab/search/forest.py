"""A forest of search trees as flat arrays, and what the kernels do to one node of it.

T is the number of trees, N of nodes that a tree can hold, A of actions, W of words of a state.
Node 0 is the root. Everything is allocated once; a node's row is written when the node is made.

A *proven* value is the exact result of a position under best play. It arises at terminal states and
goes up: a node is won if one child is lost, and settled at its best child once all children are
settled (Winands, Björnsson & Saito 2008, "Monte-Carlo tree search solver"; draws as by Cazenave &
Saffidine 2010, "Score bounded Monte-Carlo tree search").
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from trimtab.protocols import ONGOING, Words
from trimtab.search.compiled import kernel
from trimtab.search.selection import virtual_loss_mean

Ints = NDArray[np.int32]
Floats = NDArray[np.float64]
NEW = 0
EXPANDED = 1
WIN = 1.0

pending_mean = kernel(virtual_loss_mean)


class Forest(NamedTuple):
    """The arrays; all values are from the player to move at the node that the row belongs to.

    Attributes:
        words: `[T, N, W]` states.
        legal: `[T, N]` masks of the legal actions.
        parent: `[T, N]` node above.
        parent_action: `[T, N]` action that leads here from above.
        status: `[T, N]` NEW until priors and value are in, then EXPANDED.
        proven: `[T, N]` exact value, or ONGOING.
        value: `[T, N]` what the leaf function said.
        visits: `[T, N]` simulations that went on through the node.
        children: `[T, N, A]` node below, or -1.
        edge_visits: `[T, N, A]` values in.
        edge_sums: `[T, N, A]` their sum.
        edge_proven: `[T, N, A]` exact value of the action, or ONGOING.
        pending: `[T, N, A]` leaves below that are on their way.
        priors: `[T, N, A]`, 0 where illegal.
        gumbel: `[T, A]` noise of the root.
        size: `[T]` nodes made.
        done: `[T]` simulations finished.
        width: `[T]` leaves to gather in the next round.
    """

    words: Words
    legal: NDArray[np.uint64]
    parent: Ints
    parent_action: Ints
    status: Ints
    proven: Floats
    value: Floats
    visits: Ints
    children: Ints
    edge_visits: Ints
    edge_sums: Floats
    edge_proven: Floats
    pending: Ints
    priors: Floats
    gumbel: Floats
    size: Ints
    done: Ints
    width: Ints


def allocate(trees: int, nodes: int, actions: int, words: int) -> Forest:
    """Return a forest without nodes; nothing in it may be read before :func:`add_node`."""
    node, edge = (trees, nodes), (trees, nodes, actions)
    return Forest(
        words=np.empty((trees, nodes, words), np.uint64),
        legal=np.empty(node, np.uint64),
        parent=np.empty(node, np.int32),
        parent_action=np.empty(node, np.int32),
        status=np.empty(node, np.int32),
        proven=np.empty(node, np.float64),
        value=np.empty(node, np.float64),
        visits=np.empty(node, np.int32),
        children=np.empty(edge, np.int32),
        edge_visits=np.empty(edge, np.int32),
        edge_sums=np.empty(edge, np.float64),
        edge_proven=np.empty(edge, np.float64),
        pending=np.empty(edge, np.int32),
        priors=np.empty(edge, np.float64),
        gumbel=np.zeros((trees, actions), np.float64),
        size=np.zeros(trees, np.int32),
        done=np.zeros(trees, np.int32),
        width=np.ones(trees, np.int32),
    )


@kernel
def add_node(f: Forest, t: int, parent: int, action: int) -> int:
    """Return a new node of tree t, without priors; the caller writes its words, mask and result."""
    node = f.size[t]
    f.size[t] = node + 1
    f.parent[t, node] = parent
    f.parent_action[t, node] = action
    f.status[t, node] = NEW
    f.proven[t, node] = ONGOING
    f.value[t, node] = 0.0
    f.visits[t, node] = 0
    for a in range(f.children.shape[2]):
        f.children[t, node, a] = -1
        f.edge_visits[t, node, a] = 0
        f.edge_sums[t, node, a] = 0.0
        f.edge_proven[t, node, a] = ONGOING
        f.pending[t, node, a] = 0
        f.priors[t, node, a] = 0.0
    return int(node)


@kernel
def is_legal(mask: np.uint64, action: int) -> bool:
    """Return whether bit ``action`` of the mask is set."""
    return bool((mask >> np.uint64(action)) & np.uint64(1))


@kernel
def edge_value(f: Forest, t: int, node: int, action: int, unvisited: float) -> float:
    """Return Q of an action: exact where proven, else the mean under virtual loss."""
    proven = f.edge_proven[t, node, action]
    if proven != ONGOING:
        return float(proven)
    visits, pending = f.edge_visits[t, node, action], f.pending[t, node, action]
    if visits + pending == 0:
        return unvisited
    return pending_mean(f.edge_sums[t, node, action], visits, pending)


@kernel
def back_up(f: Forest, t: int, node: int, value: float) -> None:
    """Add a leaf's value to every edge above it and take its virtual losses back."""
    while node != 0:
        action = f.parent_action[t, node]
        node = f.parent[t, node]
        value = -value
        f.pending[t, node, action] -= 1
        f.edge_visits[t, node, action] += 1
        f.edge_sums[t, node, action] += value
        f.visits[t, node] += 1
    f.done[t] += 1


@kernel
def cancel(f: Forest, t: int, node: int) -> None:
    """Take the virtual losses above a leaf back, as if nobody had gone there."""
    while node != 0:
        action = f.parent_action[t, node]
        node = f.parent[t, node]
        f.pending[t, node, action] -= 1


@kernel
def settle(f: Forest, t: int, node: int) -> None:
    """Carry a node's proven value up as far as it decides the nodes above."""
    while node != 0 and f.proven[t, node] != ONGOING:
        value = -f.proven[t, node]
        action = f.parent_action[t, node]
        node = f.parent[t, node]
        f.edge_proven[t, node, action] = value
        if f.proven[t, node] != ONGOING:
            return
        best, settled = -np.inf, True
        for a in range(f.children.shape[2]):
            if is_legal(f.legal[t, node], a):
                exact = f.edge_proven[t, node, a]
                if exact == ONGOING:
                    settled = False
                else:
                    best = max(best, exact)
        if settled or best >= WIN:
            f.proven[t, node] = best
