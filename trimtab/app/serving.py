"""Wires a bundle, the LLM and the price table into what answers a domain."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from importlib import resources
from pathlib import Path

from trimtab.agents.llm import LLMAgent, OpenChatModel, open_chat_model, open_recording
from trimtab.agents.local_llm import EMBEDDED_MODEL
from trimtab.agents.meta_controller import CheapestFirst
from trimtab.agents.policy import TextPolicy
from trimtab.agents.resilience import CircuitBreaker
from trimtab.agents.routing import PromiseRule, SpendingRule
from trimtab.embedding import load_embedder
from trimtab.errors import EmbedderMissing
from trimtab.graphs.serving import FEW_SHOT, Serving
from trimtab.ledger import SqliteLedger
from trimtab.pricing import PriceTable, load_prices
from trimtab.protocols import AnyAgent, AnyDomain, Embedder
from trimtab.release.bundle import LoadedBundle, load
from trimtab.settings import Settings, make_folder

logger = logging.getLogger(__name__)
ExpertFactory = Callable[[AnyDomain], AnyAgent]

CHARS_PER_TOKEN = 3
"""Fewer characters than a token holds on average, so that an estimate errs on the dear side."""
FEW_SHOT_TOKENS = 40
REPLY_TOKENS = 32
REPLY_CPU_S = 2.0


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
        BundleError: a bundle is incomplete, altered, or of another domain.
        EmbedderMissing: the static embedder's weights are not installed.
    """
    if not bundles:
        return {}
    embedders = load_embedders(settings.models)
    prices = load_prices(settings)
    return {
        name: choices_serving(
            load(Path(folder), domain=name),
            settings=settings,
            embedders=embedders,
            prices=prices,
            expert=expert,
        )
        for name, folder in bundles.items()
    }


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

    def expert_price_usd() -> float:
        return prices.cost(
            model_id,
            prompt_tokens=len(domain.instructions) // CHARS_PER_TOKEN + FEW_SHOT * FEW_SHOT_TOKENS,
            cached_tokens=0,
            completion_tokens=REPLY_TOKENS,
            cpu_s=REPLY_CPU_S,
        )

    return Serving(
        domain=domain,
        agents=(policy,),
        meta_controller=CheapestFirst(prices={policy.name: 0.0}, stop_at=threshold),
        rule=PromiseRule(),
        spending=SpendingRule(),
        expert=OncePerDomain(expert, domain),
        expert_id=model_id,
        expert_price_usd=expert_price_usd,
        retriever=policy.example_index(),
        bundle_id=bundle.bundle.bundle_id,
    )


class OncePerDomain:
    """Calls a factory once, on first use; safe to call from several threads."""

    def __init__(self, factory: ExpertFactory, domain: AnyDomain) -> None:
        self._factory = factory
        self._domain = domain
        self._lock = threading.Lock()
        self._agent: AnyAgent | None = None

    @property
    def opened(self) -> AnyAgent | None:
        """Return the agent if it is in use already, without opening it."""
        return self._agent

    def __call__(self) -> AnyAgent:
        """Return the agent."""
        with self._lock:
            if self._agent is None:
                self._agent = self._factory(self._domain)
            return self._agent
