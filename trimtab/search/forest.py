"""A forest of search trees as flat arrays of records, and what the kernels do to one node of it.

T is the number of trees, N of nodes that a tree can hold, A of actions, W of words of a state. Each
field of the records is an edge array `[T, N, A]` or a node array `[T, N]`; side by side in memory
lies what one step of a descent reads. Node 0 is the root. Everything is allocated once; a node's
row is written when the node is made.

A *proven* value is the exact result of a position under best play. It arises at terminal states and
goes up: a node is won if one child is lost, and settled at its best child once all children are
settled (Winands, Björnsson & Saito 2008, "Monte-Carlo tree search solver"; draws as by Cazenave &
Saffidine 2010, "Score bounded Monte-Carlo tree search").
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from trimtab.protocols import ONGOING, Words
from trimtab.search.checks import room
from trimtab.search.compiled import kernel
from trimtab.search.selection import virtual_loss_mean

Ints = NDArray[np.int32]
Floats = NDArray[np.float64]
Node: TypeAlias = Any
"""A record of type :func:`node_type`, by reference."""
Tree: TypeAlias = Any
"""`[N]` records of type :func:`node_type`."""
Head: TypeAlias = Any
"""A record of type :func:`head_type`, by reference."""
NEW = 0
EXPANDED = 1
WIN = 1.0

pending_mean = kernel(virtual_loss_mean)


def node_type(actions: int, words: int) -> np.dtype[np.void]:
    """Return the record of a node; its values are from the player to move in it.

    Fields: ``words`` the state; ``legal`` the mask of its actions; ``parent`` and
    ``parent_action`` the way here; ``status`` NEW until priors and value are in, then EXPANDED;
    ``visits`` the simulations that went on from here; ``proven`` the exact value or ONGOING;
    ``value`` what the leaf function said. Per action: ``children`` the node below or -1;
    ``priors``, 0 where illegal; ``edge_visits`` the values in; ``edge_sums`` their sum;
    ``pending`` the leaves below that are on their way; ``edge_proven`` the exact value or ONGOING.
    """
    return np.dtype(
        [
            ("words", np.uint64, (words,)),
            ("legal", np.uint64),
            ("proven", np.float64),
            ("value", np.float64),
            ("parent", np.int32),
            ("parent_action", np.int32),
            ("status", np.int32),
            ("visits", np.int32),
            ("edge_sums", np.float64, (actions,)),
            ("edge_proven", np.float64, (actions,)),
            ("priors", np.float64, (actions,)),
            ("edge_visits", np.int32, (actions,)),
            ("pending", np.int32, (actions,)),
            ("children", np.int32, (actions,)),
        ],
        align=True,
    )


def head_type(actions: int) -> np.dtype[np.void]:
    """Return the record of a tree.

    Fields: ``size`` nodes made; ``done`` simulations finished; ``width`` leaves to gather in the
    next round; ``gumbel`` the noise of its root actions.
    """
    return np.dtype(
        [
            ("gumbel", np.float64, (actions,)),
            ("size", np.int32),
            ("done", np.int32),
            ("width", np.int32),
        ],
        align=True,
    )


@dataclass(frozen=True, slots=True)
class Forest:
    """T trees: their nodes `[T, N]` and heads `[T]`.

    >>> forest = Forest.allocate(trees=2, nodes=5, actions=7, words=2)
    >>> forest.nodes["edge_visits"].shape
    (2, 5, 7)
    """

    nodes: NDArray[np.void]
    heads: NDArray[np.void]

    @classmethod
    def allocate(cls, *, trees: int, nodes: int, actions: int, words: int) -> Forest:
        """Return trees without nodes; no row may be read before :func:`add_node` wrote it.

        Raises:
            ConfigError: the nodes are more than the memory holds.
        """
        heads = np.zeros(trees, head_type(actions))
        heads["width"] = 1
        return cls(room(trees, nodes, node_type(actions, words)), heads)


@kernel
def add_node(tree: Tree, head: Head, parent: int, action: int) -> int:
    """Return a new node without priors; the caller writes its words, mask and proven value."""
    index = head.size
    head.size = index + 1
    node = tree[index]
    node.parent = parent
    node.parent_action = action
    node.status = NEW
    node.proven = ONGOING
    node.value = 0.0
    node.visits = 0
    for a in range(len(node.children)):
        node.children[a] = -1
        node.edge_visits[a] = 0
        node.edge_sums[a] = 0.0
        node.edge_proven[a] = ONGOING
        node.pending[a] = 0
        node.priors[a] = 0.0
    return int(index)


@kernel
def copy_words(source: Words, target: Words) -> None:
    """Copy a state; assigning a slice would do the same and take seconds to compile."""
    for w in range(len(source)):
        target[w] = source[w]


@kernel
def is_legal(mask: np.uint64, action: int) -> bool:
    """Return whether bit ``action`` of the mask is set."""
    return bool((mask >> np.uint64(action)) & np.uint64(1))


@kernel
def edge_value(node: Node, action: int, unvisited: float) -> float:
    """Return Q of an action: exact where proven, else the mean under virtual loss."""
    proven = node.edge_proven[action]
    if proven != ONGOING:
        return float(proven)
    visits, pending = node.edge_visits[action], node.pending[action]
    if visits + pending == 0:
        return unvisited
    return pending_mean(node.edge_sums[action], visits, pending)


@kernel
def back_up(tree: Tree, head: Head, index: int, value: float) -> None:
    """Add a leaf's value to every edge above it and take its virtual losses back."""
    while index != 0:
        action = tree[index].parent_action
        index = tree[index].parent
        value = -value
        node = tree[index]
        node.pending[action] -= 1
        node.edge_visits[action] += 1
        node.edge_sums[action] += value
        node.visits += 1
    head.done += 1


@kernel
def cancel(tree: Tree, index: int) -> None:
    """Take the virtual losses above a leaf back, as if nobody had gone there."""
    while index != 0:
        action = tree[index].parent_action
        index = tree[index].parent
        tree[index].pending[action] -= 1


@kernel
def settle(tree: Tree, index: int) -> None:
    """Carry a node's proven value up as far as it decides the nodes above."""
    while index != 0 and tree[index].proven != ONGOING:
        value = -tree[index].proven
        action = tree[index].parent_action
        index = tree[index].parent
        node = tree[index]
        node.edge_proven[action] = value
        if node.proven == ONGOING:
            node.proven = settled_value(node)


@kernel
def settled_value(node: Node) -> float:
    """Return the exact value that the actions of a node prove, or ONGOING."""
    best, settled = -np.inf, True
    for a in range(len(node.children)):
        if is_legal(node.legal, a):
            exact = node.edge_proven[a]
            if exact == ONGOING:
                settled = False
            else:
                best = max(best, exact)
    return float(best) if settled or best >= WIN else ONGOING
