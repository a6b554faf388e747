"""The formulas that choose: plain functions of numbers, used by kernels and reference alike.

Kernels compile them as they stand; nothing here imports numba. Values are from the player to move.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from trimtab.errors import ConfigError


def ucb1_widths(most: int, c: float) -> NDArray[np.float64]:
    """Return `[most + 1]`: ``c sqrt(ln N)`` by the visits N of a node; 0 visits count as 1.

    Args:
        most: the largest N.
        c: weight of exploration, at least 0.
    """
    visits = np.maximum(np.arange(most + 1, dtype=np.float64), 1.0)
    widths: NDArray[np.float64] = c * np.sqrt(np.log(visits))
    return widths


def ucb1(mean: float, visits: int, width: float) -> float:
    """Return the UCB1 score ``mean + c sqrt(ln N / n)`` of a child that was visited.

    Source: Auer, Cesa-Bianchi & Fischer 2002, theorem 1; in trees Kocsis & Szepesvári 2006, UCT.

    Args:
        mean: mean value of the child in [-1, 1].
        visits: visits n of the child, at least 1.
        width: entry N of :func:`ucb1_widths`, by the visits of the parent.
    """
    return mean + width * (1.0 / math.sqrt(visits))


def puct(q: float, prior: float, visits: int, parent_visits: int, c_puct: float) -> float:
    """Return the PUCT score ``q + c p sqrt(N) / (1 + n)`` of a child.

    Source: Silver et al. 2018, "A general reinforcement learning algorithm …", Methods, search.

    Args:
        q: mean value of the child in [-1, 1].
        prior: prior probability p of the child.
        visits: visits n of the child, at least 0.
        parent_visits: visits N of the parent, its own evaluation included: at least 1, so that
            the priors decide the first choice.
        c_puct: weight of exploration, at least 0.
    """
    return q + c_puct * prior * math.sqrt(parent_visits) / (1.0 + visits)


def virtual_loss_mean(value_sum: float, visits: int, pending: int) -> float:
    """Return ``(W - vl) / (N + vl)``: a leaf on its way counts as a loss until its value is in.

    Source: Chaslot, Winands & van den Herik 2008, "Parallel Monte-Carlo tree search", section 3.4.

    Args:
        value_sum: sum W of the values in.
        visits: number N of the values in; ``visits + pending`` is at least 1.
        pending: number vl of the leaves on their way.
    """
    return (value_sum - pending) / (visits + pending)


def rave_weight(visits: int, amaf_visits: int, bias: float) -> float:
    """Return β, the weight of the all-moves-as-first mean against the child's own mean.

    ``β = m / (n + m + 4 n m b²)``: 1 for a child that was never visited itself, and below
    ``1 / (4 n b²)`` later.

    Source: Gelly & Silver 2011, "Monte-Carlo tree search and rapid action value estimation in
    computer Go", section 4.2 (minimum MSE schedule).

    Args:
        visits: visits n of the child.
        amaf_visits: playouts m that contain the child's move anywhere below.
        bias: assumed bias b of the all-moves-as-first mean.
    """
    if amaf_visits == 0:
        return 0.0
    return amaf_visits / (visits + amaf_visits + 4.0 * visits * amaf_visits * bias * bias)


def rave_score(mean: float, visits: int, amaf_mean: float, weight: float, width: float) -> float:
    """Return ``(1 - β) mean + β amaf + c sqrt(ln N / (n + 1))``.

    The 1 keeps the bonus of an action finite that only its all-moves-as-first mean speaks for.

    Args:
        mean: the child's own mean; any number while it was never visited, where β is 1.
        visits: its visits n.
        amaf_mean: its all-moves-as-first mean.
        weight: β of :func:`rave_weight`.
        width: entry N of :func:`ucb1_widths`, by the visits of the parent.
    """
    bonus = width * (1.0 / math.sqrt(visits + 1.0))
    return (1.0 - weight) * mean + weight * amaf_mean + bonus


def may_widen(children: int, visits: int, k: float, alpha: float) -> bool:
    """Return whether a node may get another child: ``children < k N^α``.

    Source: Coulom 2007, "Computing Elo ratings of move patterns", section 4; Chaslot et al. 2008,
    "Progressive strategies for Monte-Carlo tree search", section 3.2.

    Args:
        children: number of children so far.
        visits: visits N of the node, the present one included: at least 1, so a node can always
            get its first child where k is positive.
        k: positive factor.
        alpha: exponent in (0, 1].
    """
    return bool(children < k * visits**alpha)


def sigma(q: float, most_visits: int, c_visit: float, c_scale: float) -> float:
    """Return ``(c_visit + max n) c_scale q`` for a value, mapped from [-1, 1] to [0, 1] before.

    Source: Danihelka et al. 2022, "Policy improvement by planning with Gumbel", equation 8.
    """
    return (c_visit + most_visits) * c_scale * 0.5 * (q + 1.0)


def considered_visits(considered: int, simulations: int) -> NDArray[np.int32]:
    """Return `[simulations]`: how many visits the root action chosen next must have so far.

    Sequential halving in ⌈log2 m⌉ phases: each visits the best remaining actions equally often,
    then keeps the better half; the best two share what is left.

    Source: Karnin, Koren & Somekh 2013; Danihelka et al. 2022, section 3.

    Args:
        considered: number m of root actions sampled, at least 1.
        simulations: the whole budget.
    """
    if considered <= 1:
        return np.arange(simulations, dtype=np.int32)
    phases = math.ceil(math.log2(considered))
    visits = [0] * considered
    sequence: list[int] = []
    remaining = considered
    while len(sequence) < simulations:
        for _ in range(max(1, simulations // (phases * remaining))):
            sequence.extend(visits[:remaining])
            visits[:remaining] = [count + 1 for count in visits[:remaining]]
        remaining = max(2, remaining // 2)
    return np.array(sequence[:simulations], dtype=np.int32)


def with_dirichlet(
    priors: NDArray[np.float64],
    legal: NDArray[np.bool_],
    *,
    alpha: float,
    fraction: float,
    rng: np.random.Generator,
) -> NDArray[np.float64]:
    """Return `[A]` priors mixed with Dirichlet noise over the legal actions.

    Source: Silver et al. 2018, Methods: noise α scaled to the usual number of moves, share 0.25.
    """
    mixed = priors * (1.0 - fraction)
    mixed[legal] += fraction * rng.dirichlet(np.full(int(legal.sum()), alpha))
    return mixed


def tempered(visits: NDArray[np.int32], temperature: float) -> NDArray[np.float64]:
    """Return `[A]` probabilities in proportion to ``visits ** (1 / temperature)``.

    Source: Silver et al. 2017, Methods, "Play".

    Raises:
        ConfigError: the temperature is not positive, or nothing was visited.
    """
    if not temperature > 0.0 or not visits.any():
        raise ConfigError(
            f"temperature={temperature} with {int(visits.sum())} visits gives no distribution; "
            f"take a positive temperature and a search of at least one simulation"
        )
    # relative to the largest, or a small temperature overflows
    weights = (visits / visits.max()) ** (1.0 / temperature)
    probabilities: NDArray[np.float64] = weights / weights.sum()
    return probabilities


def secure_bound(means: NDArray[np.float64], visits: NDArray[np.int32]) -> NDArray[np.float64]:
    """Return ``mean - 1 / sqrt(n)``, the lower bound by which the secure child is chosen.

    Source: Chaslot et al. 2008, "Progressive strategies …", section 2.1.
    """
    bounds: NDArray[np.float64] = means - 1.0 / np.sqrt(visits)
    return bounds
