"""Wires a bundle, the LLM and the price table into what answers a domain."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterable, Mapping
from contextlib import ExitStack
from importlib import resources
from pathlib import Path

from trimtab.agents import ladder, recursive
from trimtab.agents.llm import LLMAgent, OpenChatModel, open_chat_model, open_recording
from trimtab.agents.local_llm import EMBEDDED_MODEL
from trimtab.agents.meta_controller import CheapestFirst
from trimtab.agents.policy import TextPolicy
from trimtab.agents.resilience import CircuitBreaker
from trimtab.agents.routing import PromiseRule, SpendingRule
from trimtab.app.experts import ExpertFactory, OncePerDomain, price_estimate
from trimtab.embedding import load_embedder
from trimtab.errors import EmbedderMissing, MissingExtra, UnknownDomain
from trimtab.graphs.serving import FEW_SHOT, Serving
from trimtab.ledger import SqliteLedger
from trimtab.pricing import PriceTable, load_prices
from trimtab.protocols import AnyDomain, Embedder
from trimtab.release.bundle import LoadedBundle, load
from trimtab.settings import Settings, make_folder

logger = logging.getLogger(__name__)
SHIPPED = ("assistant", "connect_four", "maze11", "maze15", "sudoku4", "sudoku6", "sudoku9")
"""Domains whose bundles come with trimtab."""
WITH_NUMBA = ("connect_four",)
"""Those of them whose rules need the extra ``search``."""


def open_ledger(path: Path) -> SqliteLedger:
    """Return the ledger of the settings; its folder is made where it is missing."""
    make_folder(path.parent, setting="TRIMTAB_LEDGER")
    return SqliteLedger(path)


def shipped_bundle(name: str) -> Path:
    """Return the folder of a bundle that comes with trimtab."""
    return Path(str(resources.files("trimtab") / "shipped" / "bundles" / name))


def shipped_recording(name: str) -> Path:
    """Return a recording of the embedded LLM that comes with trimtab."""
    return Path(str(resources.files("trimtab") / "shipped" / "recordings" / f"{name}.jsonl"))


def load_embedders(models: Path) -> dict[str, Embedder]:
    """Return the text embedders by name; MiniLM is left out, with a warning, where it is absent.

    Raises:
        EmbedderMissing: not even the static embedder's weights are installed.
    """
    embedders: dict[str, Embedder] = {"wordllama": load_embedder("wordllama", models=models)}
    try:
        embedders["minilm"] = load_embedder("minilm", models=models)
    except EmbedderMissing as error:
        logger.warning("static tiers alone will answer: %s", error)
    return embedders


class LLM:
    """The LLM of this process: opened on first use, shared by all domains, closed once.

    Safe to use from several threads.

    Args:
        settings: which LLM.
        recording: plays its recorded answers instead; a question without one is an error.
    """

    def __init__(self, settings: Settings, *, recording: Path | None = None) -> None:
        self._settings = settings
        self._recording = recording
        self._lock = threading.Lock()
        # one server, one breaker: what one domain learns of an outage holds for all
        self.breaker = CircuitBreaker()
        self._stack = ExitStack()
        self._opened: OpenChatModel | None = None

    def agent(self, domain: AnyDomain) -> LLMAgent:
        """Return an agent that asks the LLM about a domain."""
        with self._lock:
            if self._opened is None:
                self._opened = (
                    self._stack.enter_context(open_chat_model(self._settings))
                    if self._recording is None
                    else open_recording(self._recording)
                )
            opened = self._opened
        return LLMAgent(
            domain,
            opened.model,
            model_id=opened.model_id,
            prices=load_prices(self._settings),
            max_concurrency=self._settings.llm_max_concurrency,
            breaker=self.breaker,
        )

    def close(self) -> None:
        """Stop the embedded server, if one was started."""
        with self._lock:
            self._stack.close()
            self._opened = None


def bundle_servings(
    bundles: Mapping[str, Path | str], *, settings: Settings, expert: ExpertFactory
) -> dict[str, Serving]:
    """Return what answers each domain, from the bundle that was given for it.

    Raises:
        BundleError: a bundle is incomplete, altered, of another domain, or of a kind that
            answers no requests.
        EmbedderMissing: the static embedder's weights are not installed.
        MissingExtra: a game's rules need numba.
    """
    prices = load_prices(settings)
    loaded = {name: load(Path(folder), domain=name) for name, folder in bundles.items()}
    kinds = {name: bundle.spec.get("kind") for name, bundle in loaded.items()}
    embedders = load_embedders(settings.models) if ladder.KIND in kinds.values() else {}
    served = {}
    for name, bundle in loaded.items():
        if kinds[name] == ladder.KIND:
            served[name] = choices_serving(
                bundle, settings=settings, embedders=embedders, prices=prices, expert=expert
            )
        else:
            wire = _puzzle_serving if kinds[name] == recursive.KIND else _board_serving
            served[name] = wire(bundle, settings=settings, prices=prices, expert=expert)
    return served


def shipped_bundles(names: Iterable[str]) -> dict[str, Path]:
    """Return the folders of bundles that come with trimtab.

    Raises:
        UnknownDomain: none of that name does.
    """
    found = {name: shipped_bundle(name) for name in names}
    for name in found:
        if name not in SHIPPED:
            raise UnknownDomain(
                f"no bundle of domain={name!r} is shipped; use one of {list(SHIPPED)}, or give "
                "a bundle of your own"
            )
    return found


def _puzzle_serving(
    bundle: LoadedBundle, *, settings: Settings, prices: PriceTable, expert: ExpertFactory
) -> Serving:
    # domains of texts must not pay for the import
    from trimtab.app.puzzle_serving import puzzle_serving

    return puzzle_serving(bundle, settings=settings, prices=prices, expert=expert)


def _board_serving(
    bundle: LoadedBundle, *, settings: Settings, prices: PriceTable, expert: ExpertFactory
) -> Serving:
    try:
        # numba comes with it: domains of texts must not pay for that
        from trimtab.app.game_serving import game_serving
    except ModuleNotFoundError as error:
        if error.name != "numba":
            raise
        raise MissingExtra("numba", "search") from error
    return game_serving(bundle, settings=settings, prices=prices, expert=expert)


def choices_serving(
    bundle: LoadedBundle,
    *,
    settings: Settings,
    embedders: Mapping[str, Embedder],
    prices: PriceTable,
    expert: ExpertFactory,
) -> Serving:
    """Return what answers the *choices* domain of a bundle."""
    policy = TextPolicy.from_bundle(
        bundle, embedders=embedders, usd_per_cpu_s=settings.usd_per_cpu_s
    )
    domain = policy.domain
    threshold = bundle.bundle.thresholds["accept"]
    model_id = settings.llm_model or EMBEDDED_MODEL
    return Serving(
        domain=domain,
        agents=(policy,),
        meta_controller=CheapestFirst(prices={policy.name: 0.0}, stop_at=threshold),
        rule=PromiseRule(),
        spending=SpendingRule(),
        expert=OncePerDomain(expert, domain),
        expert_id=model_id,
        expert_price_usd=price_estimate(
            domain, model_id=model_id, prices=prices, examples=FEW_SHOT
        ),
        retriever=policy.example_index(),
        bundle_id=bundle.bundle.bundle_id,
    )
