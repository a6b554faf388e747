"""How a descent chooses among a node's actions, compiled: PUCT, and the rules of a Gumbel root.

An action that is proven lost is never chosen: while its node is not settled there is a better one.
Ties go to the lower action.
"""

from __future__ import annotations

import math
from typing import Any, TypeAlias

import numpy as np

from trimtab.protocols import ONGOING
from trimtab.search import selection
from trimtab.search.compiled import kernel
from trimtab.search.forest import Floats, Head, Ints, Node, edge_value, is_legal

LOSS = -1.0
SMALLEST_PRIOR = 1e-30
CHOICE = np.dtype(
    [
        ("c_puct", np.float64),
        ("c_visit", np.float64),
        ("c_scale", np.float64),
        ("first_play_parent", np.bool_),
        ("gumbel", np.bool_),
    ],
    align=True,
)
"""The settings of :func:`choose` as numbers, named as in ``MCTSConfig``."""
Choice: TypeAlias = Any
"""A record of type CHOICE, by reference."""

_puct = kernel(selection.puct)
_sigma = kernel(selection.sigma)


@kernel
def choose(node: Node, index: int, head: Head, c: Choice, schedule: Ints, scores: Floats) -> int:
    """Return the action to follow from an expanded node; ``scores`` is scratch, `[A]`.

    ``schedule`` is `[m + 1, simulations]`: the visits of the root action to choose next, by the
    number m of actions considered (``selection.considered_visits``).
    """
    if not c.gumbel:
        return _choose_puct(node, c)
    improved_logits(node, c.c_visit, c.c_scale, scores)
    if index == 0:
        return _choose_scheduled(node, head, schedule, scores)
    return _choose_improved(node, scores)


@kernel
def _pending(node: Node) -> int:
    total = 0
    for a in range(len(node.pending)):
        total += node.pending[a]
    return total


@kernel
def _node_mean(node: Node) -> float:
    """Return the mean of a node's own value and of those below it."""
    total = node.value
    for a in range(len(node.edge_sums)):
        total += node.edge_sums[a]
    return float(total / (1.0 + node.visits))


@kernel
def _choose_puct(node: Node, c: Choice) -> int:
    unvisited = _node_mean(node) if c.first_play_parent else 0.0
    parent_visits = 1 + node.visits + _pending(node)
    best, best_score = -1, -np.inf
    for a in range(len(node.children)):
        if is_legal(node.legal, a) and node.edge_proven[a] != LOSS:
            visits = node.edge_visits[a] + node.pending[a]
            q = edge_value(node, a, unvisited)
            score = _puct(q, node.priors[a], visits, parent_visits, c.c_puct)
            if score > best_score:
                best, best_score = a, score
    return best


@kernel
def _mixed_value(node: Node) -> float:
    """Return v_mix, which stands for the value of unvisited actions.

    Source: Danihelka et al. 2022, appendix D, equation 33.
    """
    total, prior_sum, weighted = 0, 0.0, 0.0
    for a in range(len(node.children)):
        visits = node.edge_visits[a] + node.pending[a]
        if visits > 0:
            prior = max(node.priors[a], SMALLEST_PRIOR)
            total += visits
            prior_sum += prior
            weighted += prior * edge_value(node, a, 0.0)
    if total == 0:
        return float(node.value)
    return float((node.value + total * weighted / prior_sum) / (1.0 + total))


@kernel
def improved_logits(node: Node, c_visit: float, c_scale: float, out: Floats) -> None:
    """Write ``logits + σ(completed Q)`` of each action, -inf where illegal.

    Source: Danihelka et al. 2022, section 4, equations 10 and 11.
    """
    unvisited = _mixed_value(node)
    most = 0
    for a in range(len(node.children)):
        most = max(most, node.edge_visits[a] + node.pending[a])
    for a in range(len(node.children)):
        out[a] = -np.inf
        if is_legal(node.legal, a):
            prior = max(node.priors[a], SMALLEST_PRIOR)
            q = edge_value(node, a, unvisited)
            out[a] = math.log(prior) + _sigma(q, most, c_visit, c_scale)


@kernel
def softmax(scores: Floats) -> None:
    """Replace `[A]` scores by their softmax."""
    top = -np.inf
    for score in scores:
        top = max(top, score)
    total = 0.0
    for a in range(len(scores)):
        scores[a] = math.exp(scores[a] - top)
        total += scores[a]
    for a in range(len(scores)):
        scores[a] /= total


@kernel
def _choose_scheduled(root: Node, head: Head, schedule: Ints, scores: Floats) -> int:
    """Follow sequential halving: the best action among those with the scheduled visits."""
    legal, total = 0, 0
    for a in range(len(scores)):
        legal += is_legal(root.legal, a)
        total += root.edge_visits[a] + root.pending[a]
    scheduled = schedule[min(legal, len(schedule) - 1), total]
    best, best_score = -1, -np.inf
    for a in range(len(scores)):
        visits = root.edge_visits[a] + root.pending[a]
        if is_legal(root.legal, a) and visits == scheduled:
            score = head.gumbel[a] + scores[a]
            if best < 0 or score > best_score:
                best, best_score = a, score
    return best


@kernel
def _choose_improved(node: Node, scores: Floats) -> int:
    """Choose below the root so that visits approach the improved policy (equation 14)."""
    softmax(scores)
    total = node.visits + _pending(node)
    best, best_score = -1, -np.inf
    for a in range(len(scores)):
        if is_legal(node.legal, a) and node.edge_proven[a] != LOSS:
            visits = node.edge_visits[a] + node.pending[a]
            score = scores[a] - visits / (1.0 + total)
            if score > best_score:
                best, best_score = a, score
    return best


@kernel
def is_open(node: Node) -> bool:
    """Return whether the exact value of a node is not known."""
    return bool(node.proven == ONGOING)
