"""Wires a board net into what answers a game: net, search, a larger search, and the LLM."""

from __future__ import annotations

from trimtab.agents.board_gates import ACCEPT, SEARCHES, BoardGates
from trimtab.agents.board_net import BoardNet
from trimtab.agents.board_policy import BoardPolicy
from trimtab.agents.local_llm import EMBEDDED_MODEL
from trimtab.agents.meta_controller import CheapestFirst
from trimtab.agents.routing import PromiseRule, SpendingRule
from trimtab.agents.tree_search import TreeSearch
from trimtab.app.experts import ExpertFactory, OncePerDomain, price_estimate
from trimtab.domains.connect_four import ConnectFour
from trimtab.errors import BundleError
from trimtab.graphs.serving import Serving
from trimtab.pricing import PriceTable
from trimtab.release.bundle import LoadedBundle
from trimtab.search.mcts import MCTSConfig
from trimtab.settings import Settings

CPU_S_PER_SIMULATION = 3e-4
"""Upper estimate of what a simulation takes; the ledger keeps what it really took."""
BOARD_LINES = 4
"""A board in a prompt has as many tokens as this many labelled examples."""


def opponent(bundle: LoadedBundle, *, simulations: int, settings: Settings) -> TreeSearch:
    """Return the search of a board net's bundle with a budget of one's own.

    Raises:
        BundleError: as :func:`game_serving`.
        ConfigError: no such number of simulations.
    """
    domain, net, gates = _parts(bundle)
    return TreeSearch(
        domain,
        net,
        gate=gates.search(simulations),
        config=MCTSConfig(simulations=simulations),
        usd_per_cpu_s=settings.usd_per_cpu_s,
    )


def game_serving(
    bundle: LoadedBundle, *, settings: Settings, prices: PriceTable, expert: ExpertFactory
) -> Serving:
    """Return what answers the game of a board net's bundle.

    Raises:
        BundleError: it holds no board net, none with gates, or one of a game that is not served.
        MissingExtra: numba is not installed.
    """
    domain, net, gates = _parts(bundle)
    rate = settings.usd_per_cpu_s
    searches = [
        TreeSearch(
            domain,
            net,
            gate=gates.search(simulations),
            config=MCTSConfig(simulations=simulations),
            usd_per_cpu_s=rate,
            name="mcts" if simulations == SEARCHES[0] else f"mcts_{simulations}",
        )
        for simulations in SEARCHES
    ]
    policy = BoardPolicy(domain, net, gate=gates.policy, usd_per_cpu_s=rate)
    expected = {search.name: search.config.simulations + 1 for search in searches}
    model_id = settings.llm_model or EMBEDDED_MODEL
    return Serving(
        domain=domain,
        agents=(policy, *searches),
        meta_controller=CheapestFirst(
            prices={
                name: count * CPU_S_PER_SIMULATION * rate
                for name, count in {policy.name: 1, **expected}.items()
            },
            stop_at=bundle.bundle.thresholds[ACCEPT],
        ),
        rule=PromiseRule(),
        spending=SpendingRule(),
        expert=OncePerDomain(expert, domain),
        expert_id=model_id,
        expert_price_usd=price_estimate(
            domain, model_id=model_id, prices=prices, examples=BOARD_LINES
        ),
        retriever=None,
        bundle_id=bundle.bundle.bundle_id,
    )


def _parts(bundle: LoadedBundle) -> tuple[ConnectFour, BoardNet, BoardGates]:
    domain = ConnectFour()
    if bundle.bundle.domain != domain.name:
        raise BundleError(
            f"{bundle.folder}: kind={bundle.spec.get('kind')!r} of domain="
            f"{bundle.bundle.domain!r} answers no requests; give a text policy's bundle, or a "
            f"board net of {domain.name!r}"
        )
    return domain, BoardNet.from_bundle(bundle, domain.compiled), BoardGates.from_bundle(bundle)
