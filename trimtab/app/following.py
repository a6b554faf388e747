"""Fitted controllers under a promise: served by their own rule, or tried on requests in retrospect.

While requests are collected every small model runs, whatever the controller would have chosen, and
the LLM too: such a row tells what the controller would have done, and what would have come of it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from trimtab.agents.issued import Issued
from trimtab.agents.meta_controller import CheapestFirst
from trimtab.agents.routing import PromiseRule
from trimtab.evals.items import LLM, Row
from trimtab.evals.pairs import Pair, small_answer, uniform_pairs
from trimtab.graphs.serving import Serving
from trimtab.records import Budget, Decision, Prediction


@dataclass(frozen=True, slots=True, kw_only=True)
class Followed:
    """What a controller does on a request on which everything ran.

    Attributes:
        shown: the answer that it shows.
        asked: whether it asks the LLM.
        probability: that the shown answer is right, as it believes.
    """

    shown: Prediction
    asked: bool
    probability: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Played:
    """What a controller does on the n requests of a window.

    Attributes:
        pairs: `[n]` the LLM's answer beside the one that the controller shows.
        shows: `[n]` whether that one is a small model's.
        asked: `[n]` whether it asks the LLM.
        sure: `[n]` the probability that the shown answer is right, as it believes.
        unknown: `[n]` whether the row lacks a step that it would have run: taken for a loss.
    """

    pairs: tuple[Pair, ...]
    shows: NDArray[np.bool_]
    asked: NDArray[np.bool_]
    sure: NDArray[np.float64]
    unknown: NDArray[np.bool_]


def follow(serving: Serving, decision: Decision) -> Followed | None:
    """Return what a domain's controller does on a decided request.

    None where the row lacks a step that it would run.
    """
    if serving.judge is None:
        return None
    ran: Mapping[str, Prediction] = {one.agent: one for one in decision.predictions}
    left = [*(agent.name for agent in serving.agents), LLM]
    trail: list[Prediction] = []
    while (name := serving.meta_controller.next(trail, left, Budget()).agent) is not None:
        if name not in ran:
            return None
        trail.append(ran[name])
        left.remove(name)
    shown, probability = serving.judge.answer(trail)
    return Followed(
        shown=shown,
        asked=any(one.agent == LLM for one in trail),
        probability=min(max(probability, 0.0), 1.0),
    )


def play(serving: Serving, pairs: Sequence[Pair], rows: Mapping[str, Row]) -> Played | None:
    """Return what a domain's controller does on a window; None where it has none.

    Args:
        serving: as it was given, with its controller.
        pairs: of the window.
        rows: the same requests, by decision id.
    """
    if serving.followed is None or serving.judge is None:
        return None
    chosen = [rows[pair.decision.decision_id] for pair in pairs]
    did = {row[0].decision_id: follow(serving, row[0]) for row in chosen}

    def answer(decision: Decision) -> Prediction | None:
        found = did[decision.decision_id]
        return small_answer(decision) if found is None else found.shown

    found = [did[pair.decision.decision_id] for pair in pairs]
    return Played(
        pairs=tuple(uniform_pairs(chosen, canonical=serving.domain.canonical, answer=answer)),
        shows=np.array([one is None or one.shown.agent != LLM for one in found]),
        asked=np.array([one is not None and one.asked for one in found]),
        sure=np.array([0.0 if one is None else one.probability for one in found]),
        unknown=np.array([one is None for one in found]),
    )


def routed(
    given: Serving,
    issued: Issued | None,
    *,
    audit_rate: float,
    current_rate: Callable[[], float],
) -> Serving:
    """Return what answers a domain under a certificate, or until there is one.

    A domain with a fitted controller follows it under the controller's own certificate alone; else
    all its small models run on every request.

    Args:
        given: as it was given, with its controller.
        issued: the newest certificate, in force or not; None before the first.
        audit_rate: share of requests audited while all is quiet.
        current_rate: gives the share to audit now.
    """
    rule = PromiseRule()
    if issued is not None:
        rule = replace(issued.rule(audit_rate=audit_rate), current_rate=current_rate)
    if given.followed is None:
        return replace(given, rule=rule)
    if issued is not None and issued.is_controller and rule.certificate is not None:
        return replace(given, rule=rule, followed=rule)
    names = [agent.name for agent in given.agents]
    prices = given.meta_controller.next((), names, Budget()).prices
    everything = CheapestFirst(prices=prices, stop_at=math.inf)
    return replace(given, rule=rule, followed=None, judge=None, meta_controller=everything)


def shown_probability(decision: Decision) -> float | None:
    """Return the probability that the shown answer is right, as the controller believed."""
    if decision.route.confidence is not None:
        return decision.route.confidence
    shown = [one for one in decision.predictions if one.agent == decision.route.agent]
    return shown[-1].confidence if shown else None
