"""UCT with rapid action value estimation (RAVE), compiled: ``run`` as in ``uct_kernels``.

Source: Gelly & Silver 2011, "Monte-Carlo tree search and rapid action value estimation in computer
Go". An action's all-moves-as-first (AMAF) mean is over the simulations in which the player to
move plays it now or later; β shifts the weight from it to the action's own mean.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from trimtab.protocols import ONGOING, Words
from trimtab.search import selection
from trimtab.search.compiled import Kernel, Rules, cached, kernel
from trimtab.search.forest import Floats, Head, Node, Tree, copy_words, is_legal
from trimtab.search.playout import GOLDEN, ONE, ZERO, build_recorded_playout, draw_bit
from trimtab.search.uct_kernels import add_value, build_try, settle_above

_weight = kernel(selection.rave_weight)
_score = kernel(selection.rave_score)


def build_rave(rules: Rules) -> Kernel:
    """Return ``run(nodes, states, widths, simulations, words, bias)``; ``bias`` is β's b."""
    playout = build_recorded_playout(rules)
    try_action = build_try(rules)

    @kernel
    def simulate(tree: Tree, state: Head, widths: Floats, words: Words, bias: float) -> None:
        index = 0
        while tree[index].proven == ONGOING:
            node = tree[index]
            state.counter += GOLDEN
            action = _choose(node, widths[node.visits + 1], bias, state.counter)
            if is_legal(node.untried, action):
                index = try_action(tree, state, index, action)
                clear_amaf(tree[index])
                break
            index = node.children[action]
        value, mine, theirs = tree[index].proven, ZERO, ZERO
        if value == ONGOING:
            copy_words(tree[index].words, words)
            value, state.counter, mine, theirs = playout(words, state.counter)
        _back_up(tree, index, value, mine, theirs)
        settle_above(tree, index)

    def run(
        nodes: NDArray[np.void],
        states: NDArray[np.void],
        widths: Floats,
        simulations: int,
        words: Words,
        bias: float,
    ) -> None:
        state = states[0]
        if state.done == 0:
            clear_amaf(nodes[0])
        while state.done < simulations and nodes[0].proven == ONGOING:
            simulate(nodes, state, widths, words, bias)
            state.done += 1

    return cached(run)


@kernel
def clear_amaf(node: Node) -> None:
    """Write the AMAF fields of a new node."""
    for a in range(len(node.amaf_means)):
        node.amaf_means[a] = 0.0
        node.amaf_visits[a] = 0


@kernel
def _choose(node: Node, width: float, bias: float, counter: np.uint64) -> int:
    """Return the action of the best score; one of which nothing is known yet comes first."""
    unknown = ZERO
    best, best_score = 0, -np.inf
    for a in range(len(node.means)):
        tried = not is_legal(node.untried, a)
        if not is_legal(node.legal, a) or (tried and node.means[a] == -np.inf):
            continue
        if not tried and node.amaf_visits[a] == 0:
            unknown |= ONE << np.uint64(a)
            continue
        visits = node.edge_visits[a] if tried else 0
        mean = node.means[a] if tried else 0.0
        beta = _weight(visits, node.amaf_visits[a], bias)
        score = _score(mean, visits, node.amaf_means[a], beta, width)
        if score > best_score:
            best, best_score = a, score
    return draw_bit(unknown, counter) if unknown != ZERO else best


@kernel
def _back_up(tree: Tree, index: int, value: float, mine: np.uint64, theirs: np.uint64) -> None:
    """Back a value up; ``mine`` is what the player to move at ``index`` plays from there on."""
    while index != 0:
        action = tree[index].parent_action
        index = tree[index].parent
        value = -value
        mine, theirs = theirs | (ONE << np.uint64(action)), mine
        node = tree[index]
        add_value(node, action, value)
        for a in range(len(node.amaf_means)):
            if is_legal(mine & node.legal, a):
                node.amaf_visits[a] += 1
                node.amaf_means[a] += (value - node.amaf_means[a]) / node.amaf_visits[a]
