"""Wires a recursive net into what answers puzzles: net, restarts, exact search, and the LLM."""

from __future__ import annotations

from trimtab.agents.exact_search import ExactSearch
from trimtab.agents.local_llm import EMBEDDED_MODEL
from trimtab.agents.meta_controller import CheapestFirst
from trimtab.agents.recursion import RESTARTS
from trimtab.agents.recursive import RecursiveAgent, RecursiveNet
from trimtab.agents.routing import PromiseRule, SpendingRule
from trimtab.app.experts import REPLY_TOKENS, ExpertFactory, OncePerDomain, price_estimate
from trimtab.datasets.puzzles import KINDS, domain_of
from trimtab.domains.maze import Maze
from trimtab.domains.sudoku import Sudoku
from trimtab.errors import BundleError
from trimtab.graphs.serving import Serving
from trimtab.pricing import PriceTable
from trimtab.release.bundle import LoadedBundle
from trimtab.settings import Settings

STEP_CPU_S = 5e-3
"""Upper estimate of one supervision step; the ledger keeps what it really took."""
SEARCH_CPU_S = 1.0
"""Upper estimate of an exact search: a millisecond as a rule, a second where it takes all guesses
that a puzzle is given. It stands for an expert, and so it is the last and dearest of what runs
here."""


def puzzle_serving(
    bundle: LoadedBundle, *, settings: Settings, prices: PriceTable, expert: ExpertFactory
) -> Serving:
    """Return what answers the puzzles of a recursive net's bundle.

    The nets are believed by their fitted confidence alone, although a filled grid could be
    checked against the rules: most domains have no such check, and here it is the truth that the
    confidence is measured against.

    Raises:
        BundleError: it holds no recursive net, or one for puzzles that are not known.
    """
    domain = _domain(bundle)
    net = RecursiveNet.from_bundle(bundle)
    rate = settings.usd_per_cpu_s
    single, restarts = (
        RecursiveAgent(domain, net, name=_name(bundle), usd_per_cpu_s=rate, restarts=count)
        for count in (1, RESTARTS)
    )
    search = ExactSearch(net=net, usd_per_cpu_s=rate)
    run_cpu_s = net.most * STEP_CPU_S
    cpu_s = {
        single.name: run_cpu_s,
        restarts.name: RESTARTS * run_cpu_s,
        search.name: RESTARTS * run_cpu_s + SEARCH_CPU_S,
    }
    model_id = settings.llm_model or EMBEDDED_MODEL
    return Serving(
        domain=domain,
        agents=(single, restarts, search),
        meta_controller=CheapestFirst(
            prices={name: seconds * rate for name, seconds in cpu_s.items()}, stop_at=net.accept
        ),
        rule=PromiseRule(),
        spending=SpendingRule(),
        expert=OncePerDomain(expert, domain),
        expert_id=model_id,
        expert_price_usd=price_estimate(
            domain,
            model_id=model_id,
            prices=prices,
            # a line of cells and their drawing in the prompt, one token a cell at the most
            prompt_tokens=3 * domain.side**2,
            reply_tokens=REPLY_TOKENS + domain.side**2,
        ),
        retriever=None,
        bundle_id=bundle.bundle.bundle_id,
    )


def _domain(bundle: LoadedBundle) -> Sudoku | Maze:
    for kind in KINDS.values():
        if kind == bundle.bundle.domain:
            return domain_of(kind)
    raise BundleError(
        f"{bundle.folder}: domain={bundle.bundle.domain!r} holds no known puzzles; give a bundle "
        f"of one of {sorted(KINDS.values())}"
    )


def _name(bundle: LoadedBundle) -> str:
    name = bundle.spec.get("name")
    if not isinstance(name, str):
        raise BundleError(
            f"{bundle.folder}: name={name!r} of the net is no text; train and pack it again with "
            "`trimtab train trm` or `trimtab train hrm`"
        )
    return name
