"""Rules that show an answer of a pool of cheap models where enough of them agree.

The order of the rules is known before any outcome is: the dearest of the pool is presumed to be
its best, so its answer is shown where the others confirm it – all of them, then ever fewer – then
any answer that two agents share, then the dearest agent's alone. Each step shows more and asks the
strong model less. All calls are priced: agents run one after another, only until the rule is
decided. n is the number of questions, k of agents in the pool.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from trimtab.datasets.recorded import Recorded
from trimtab.domains.tables import answer_codes

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
Codes = NDArray[np.int64]
Value = TypeVar("Value", bound=np.generic)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """What a rule of the pool does on each question; elsewhere the strong model is asked.

    Attributes:
        name: what a reader calls it.
        shown: `[n]` whether an answer of the pool is shown.
        agent: `[n]` place of the agent whose answer it is, in the order of prices.
        usd: `[n]` cost of the agents that ran, the strong model not among them.
        ran: `[n]` number of agents that ran.
    """

    name: str
    shown: Bools
    agent: Codes
    usd: Floats
    ran: Codes


@dataclass(frozen=True, slots=True, kw_only=True)
class Pool:
    """Cheap models, cheapest first, and their answers as whole numbers (equal where they agree).

    Attributes:
        agents: k of them by mean price, ties in the order given.
        codes: `[k, n]`; a missing answer equals no other.
    """

    agents: tuple[Recorded, ...]
    codes: Codes

    @property
    def correct(self) -> Bools:
        """Return `[k, n]` whether each answer is right."""
        return np.stack([agent.correct for agent in self.agents])

    @property
    def usd(self) -> Floats:
        """Return `[k, n]` cost of each call."""
        return np.stack([agent.cost_usd for agent in self.agents])

    def differs_from(self, other: Recorded) -> Bools:
        """Return `[k, n]` whether each agent's answer differs from the other model's."""
        rows = [differ(agent, other) for agent in self.agents]
        return np.stack(rows)


def open_pool(agents: Sequence[Recorded]) -> Pool:
    """Return the pool, ordered by mean price per call, which is known before any answer is."""
    ordered = tuple(sorted(agents, key=lambda agent: float(agent.cost_usd.mean())))
    codes = answer_codes([agent.answers for agent in ordered])
    return Pool(agents=ordered, codes=codes)


def differ(first: Recorded, second: Recorded) -> Bools:
    """Return `[n]` whether two answers differ; a missing answer differs from every other."""
    return np.array(
        [a is None or a != b for a, b in zip(first.answers, second.answers, strict=True)],
        dtype=np.bool_,
    )


def rules(pool: Pool) -> tuple[Rule, ...]:
    """Return the rules of the pool, dear to cheap."""
    k = len(pool.agents)
    found = [
        confirmed(pool, needed=needed, asked=asked)
        for needed in range(k - 1, 0, -1)
        for asked in range(needed, k)
    ]
    if k > 2:
        found.append(two_agree(pool))
    return (*found, alone(pool))


def confirmed(pool: Pool, *, needed: int, asked: int) -> Rule:
    """Return the rule that shows the dearest's answer where ``needed`` agents confirm it.

    The ``asked`` cheapest may be asked, one by one, until so many agree or no longer can. Where all
    of them must agree, they are asked before the dearest: their first quarrel settles the matter.
    """
    k, n = pool.codes.shape
    usd = pool.usd
    if needed == asked:
        order, reference = [*range(asked), k - 1], 0
    else:
        order, reference = [k - 1, *range(asked)], k - 1
    votes: Codes = np.zeros(n, np.int64)
    ran: Codes = np.ones(n, np.int64)
    paid = usd[order[0]].copy()
    for left, place in zip(range(asked, 0, -1), order[1:], strict=True):
        is_open = (votes < needed) & (votes + left >= needed)
        paid += np.where(is_open, usd[place], 0.0)
        ran += is_open
        votes += is_open & (pool.codes[place] == pool.codes[reference])
    name = f"{pool.agents[-1].model} confirmed by {needed} of {asked}"
    agent = np.full(n, k - 1, np.int64)
    return Rule(name=name, shown=votes >= needed, agent=agent, usd=paid, ran=ran)


def two_agree(pool: Pool) -> Rule:
    """Return the rule that asks from the cheapest on until two agree, and shows that answer.

    Where no two agree, ``agent`` is the dearest one, whose answer stands unconfirmed.
    """
    k, n = pool.codes.shape
    usd = pool.usd
    shown: Bools = np.zeros(n, np.bool_)
    agent: Codes = np.full(n, k - 1, np.int64)
    ran: Codes = np.zeros(n, np.int64)
    paid = np.zeros(n)
    for place in range(k):
        paid += np.where(shown, 0.0, usd[place])
        ran += ~shown
        agrees = (pool.codes[:place] == pool.codes[place]).any(axis=0) & ~shown
        agent[agrees] = place
        shown |= agrees
    return Rule(name="two agree", shown=shown, agent=agent, usd=paid, ran=ran)


def alone(pool: Pool) -> Rule:
    """Return the rule that always shows the dearest agent's answer."""
    k, n = pool.codes.shape
    return Rule(
        name=f"{pool.agents[-1].model} alone",
        shown=np.ones(n, np.bool_),
        agent=np.full(n, k - 1, np.int64),
        usd=pool.usd[-1].copy(),
        ran=np.ones(n, np.int64),
    )


def chosen(rule: Rule, by_agent: NDArray[Value]) -> NDArray[Value]:
    """Return `[n]` of the agent whose answer the rule shows, from `[k, n]` values."""
    picked: NDArray[Value] = by_agent[rule.agent, np.arange(len(rule.agent))]
    return picked
