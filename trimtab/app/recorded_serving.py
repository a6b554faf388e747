"""Wires a table of recorded answers and a fitted controller into what answers its questions.

The strong model is the expert and goes by the name ``llm``, as in every domain; the others are the
small models. All of the graph runs as it would on live models.
"""

from __future__ import annotations

import hashlib

from trimtab.agents.cascades import Candidate
from trimtab.agents.controller_bundle import FittedPool
from trimtab.agents.live_chain import live_controller, renamed
from trimtab.agents.meta_controller import Ceilings
from trimtab.agents.recorded import RecordedAgent
from trimtab.agents.routing import PromiseRule, SpendingRule
from trimtab.datasets.recorded import RecordedTable, recorded_answers, recorded_questions
from trimtab.graphs.serving import Serving
from trimtab.protocols import RoutingRule

EXPERT = "llm"


def certified_serving(table: RecordedTable, fitted: FittedPool, *, bundle_id: str) -> Serving:
    """Return what answers by the pool's certificate; the LLM alone shows where it has none.

    Args:
        table: recorded answers of the pool's models.
        fitted: the pool.
        bundle_id: of the pool.

    Raises:
        InputError: as :func:`recorded_serving`.
    """
    found = fitted.certified
    if found is None:
        return recorded_serving(table, fitted.candidates[0], bundle_id=bundle_id, rule=None)
    # no audits: what the LLM would have said is on record for every question
    rule = PromiseRule(certificate=fitted.certificate, audit_rate=0.0)
    return recorded_serving(table, found, bundle_id=bundle_id, rule=rule)


def recorded_serving(
    table: RecordedTable,
    candidate: Candidate,
    *,
    bundle_id: str,
    rule: RoutingRule | None,
) -> Serving:
    """Return what answers a table's questions as a candidate does.

    Args:
        table: recorded answers of the candidate's steps, to the questions that all of them have.
        candidate: its strong step is the expert.
        bundle_id: of the pool; the ledger's rows are kept under an id of their own for each
            candidate, and for each way of following it.
        rule: made for this candidate, as ``ControllerRule`` for any; the controller may then
            ask the expert itself. None for no rule yet: the expert is always asked, and rows for a
            certificate are collected.

    Raises:
        InputError: the table lacks a model, holds one named ``llm`` beside the strong one, or its
            questions cannot make a domain.
    """
    models, strong = candidate.judge.names, candidate.strong
    served = table.restricted(models)
    domain = recorded_questions(served)
    live = renamed(candidate, {strong: EXPERT})
    names = dict(zip(models, live.judge.names, strict=True))
    rows = {name: list(served.rows[model].values()) for model, name in names.items()}
    prices = {name: sum(row[2] for row in of) / len(of) for name, of in rows.items()}
    # what is recorded is known to the cent, so that a budget can be kept to the cent
    ceilings = Ceilings(
        usd={name: max(row[2] for row in of) for name, of in rows.items()},
        seconds={name: max(row[4] for row in of) for name, of in rows.items()},
    )
    controller = live_controller(live, prices=prices, canonical=domain.canonical, ceilings=ceilings)
    way = "alone" if rule is None else "followed"
    own_id = hashlib.sha256(f"{bundle_id}\0{candidate.name}\0{way}".encode()).hexdigest()
    expert = _agent(served, strong, name=EXPERT)
    small = sorted((model for model in models if model != strong), key=lambda m: prices[names[m]])
    return Serving(
        domain=domain,
        agents=tuple(_agent(served, model, name=model) for model in small),
        meta_controller=controller,
        rule=PromiseRule() if rule is None else rule,
        spending=SpendingRule(),
        expert=lambda: expert,
        expert_id=strong,
        expert_price_usd=lambda: ceilings.usd[EXPERT],
        retriever=None,
        bundle_id=own_id,
        judge=controller,
        followed=rule,
        expert_latency_s=ceilings.seconds[EXPERT],
    )


def _agent(table: RecordedTable, model: str, *, name: str) -> RecordedAgent:
    return RecordedAgent(name=name, answers=recorded_answers(table, model), tier=model)
