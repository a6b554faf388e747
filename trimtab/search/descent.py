"""How a descent chooses among a node's actions, compiled: PUCT, and the rules of a Gumbel root.

An action that is proven lost is never chosen: while its node is not settled there is a better one.
Ties go to the lower action.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from trimtab.protocols import ONGOING
from trimtab.search import selection
from trimtab.search.compiled import kernel
from trimtab.search.forest import Floats, Forest, Ints, edge_value, is_legal

LOSS = -1.0
SMALLEST_PRIOR = 1e-30

_puct = kernel(selection.puct)
_sigma = kernel(selection.sigma)


class Choice(NamedTuple):
    """The settings of :func:`choose` as numbers.

    Attributes:
        c_puct: weight of exploration.
        first_play_parent: whether an unvisited action is worth its node's mean, else 0.
        gumbel: whether the tree is searched by the Gumbel rules.
        c_visit: σ's constant.
        c_scale: σ's factor.
        schedule: `[m + 1, simulations]` visits of the root action to choose, by the number m of
            actions considered (``selection.considered_visits``).
    """

    c_puct: float
    first_play_parent: bool
    gumbel: bool
    c_visit: float
    c_scale: float
    schedule: Ints


@kernel
def choose(f: Forest, t: int, node: int, c: Choice, scores: Floats) -> int:
    """Return the action to follow from an expanded node; ``scores`` is scratch, `[A]`."""
    if not c.gumbel:
        return _choose_puct(f, t, node, c)
    improved_logits(f, t, node, c.c_visit, c.c_scale, scores)
    if node == 0:
        return _choose_at_gumbel_root(f, t, c, scores)
    return _choose_improved(f, t, node, scores)


@kernel
def _pending(f: Forest, t: int, node: int) -> int:
    total = 0
    for a in range(f.children.shape[2]):
        total += f.pending[t, node, a]
    return total


@kernel
def node_mean(f: Forest, t: int, node: int) -> float:
    """Return the mean of a node's own value and of those below it."""
    total = f.value[t, node]
    for a in range(f.children.shape[2]):
        total += f.edge_sums[t, node, a]
    return float(total / (1.0 + f.visits[t, node]))


@kernel
def _choose_puct(f: Forest, t: int, node: int, c: Choice) -> int:
    unvisited = node_mean(f, t, node) if c.first_play_parent else 0.0
    parent_visits = 1 + f.visits[t, node] + _pending(f, t, node)
    best, best_score = -1, -np.inf
    for a in range(f.children.shape[2]):
        if is_legal(f.legal[t, node], a) and f.edge_proven[t, node, a] != LOSS:
            visits = f.edge_visits[t, node, a] + f.pending[t, node, a]
            q = edge_value(f, t, node, a, unvisited)
            score = _puct(q, f.priors[t, node, a], visits, parent_visits, c.c_puct)
            if score > best_score:
                best, best_score = a, score
    return best


@kernel
def mixed_value(f: Forest, t: int, node: int) -> float:
    """Return v_mix, which stands for the value of unvisited actions.

    Source: Danihelka et al. 2022, appendix D, equation 33.
    """
    total, prior_sum, weighted = 0, 0.0, 0.0
    for a in range(f.children.shape[2]):
        visits = f.edge_visits[t, node, a] + f.pending[t, node, a]
        if visits > 0:
            prior = max(f.priors[t, node, a], SMALLEST_PRIOR)
            total += visits
            prior_sum += prior
            weighted += prior * edge_value(f, t, node, a, 0.0)
    if total == 0:
        return float(f.value[t, node])
    return float((f.value[t, node] + total * weighted / prior_sum) / (1.0 + total))


@kernel
def improved_logits(
    f: Forest, t: int, node: int, c_visit: float, c_scale: float, out: Floats
) -> None:
    """Write ``logits + σ(completed Q)`` of each action, -inf where illegal.

    Source: Danihelka et al. 2022, section 4, equations 10 and 11.
    """
    unvisited = mixed_value(f, t, node)
    most = 0
    for a in range(f.children.shape[2]):
        most = max(most, f.edge_visits[t, node, a] + f.pending[t, node, a])
    for a in range(f.children.shape[2]):
        out[a] = -np.inf
        if is_legal(f.legal[t, node], a):
            q = edge_value(f, t, node, a, unvisited)
            prior = max(f.priors[t, node, a], SMALLEST_PRIOR)
            out[a] = math.log(prior) + _sigma(q, most, c_visit, c_scale)


@kernel
def softmax(scores: Floats) -> None:
    """Replace `[A]` scores by their softmax."""
    top = scores.max()
    total = 0.0
    for a in range(scores.shape[0]):
        scores[a] = math.exp(scores[a] - top)
        total += scores[a]
    for a in range(scores.shape[0]):
        scores[a] /= total


@kernel
def _choose_at_gumbel_root(f: Forest, t: int, c: Choice, scores: Floats) -> int:
    """Follow sequential halving: the best action among those with the scheduled visits."""
    legal, total = 0, 0
    for a in range(scores.shape[0]):
        legal += is_legal(f.legal[t, 0], a)
        total += f.edge_visits[t, 0, a] + f.pending[t, 0, a]
    scheduled = c.schedule[min(legal, c.schedule.shape[0] - 1), total]
    best, best_score = -1, -np.inf
    for a in range(scores.shape[0]):
        visits = f.edge_visits[t, 0, a] + f.pending[t, 0, a]
        if is_legal(f.legal[t, 0], a) and visits == scheduled:
            score = f.gumbel[t, a] + scores[a]
            if best < 0 or score > best_score:
                best, best_score = a, score
    return best


@kernel
def _choose_improved(f: Forest, t: int, node: int, scores: Floats) -> int:
    """Choose below the root so that visits approach the improved policy (equation 14)."""
    softmax(scores)
    total = f.visits[t, node] + _pending(f, t, node)
    best, best_score = -1, -np.inf
    for a in range(scores.shape[0]):
        if is_legal(f.legal[t, node], a) and f.edge_proven[t, node, a] != LOSS:
            visits = f.edge_visits[t, node, a] + f.pending[t, node, a]
            score = scores[a] - visits / (1.0 + total)
            if score > best_score:
                best, best_score = a, score
    return best


@kernel
def is_settled(f: Forest, t: int, node: int) -> bool:
    """Return whether the exact value of a node is known."""
    return bool(f.proven[t, node] != ONGOING)
