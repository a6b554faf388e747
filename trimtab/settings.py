"""Settings read from the environment, once, and validated with field, value and remedy."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from trimtab.errors import ConfigError

INDEXES = ("embedded", "pinecone", "faiss")
"""Where vectors of papers may be searched, the default first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """All that the environment may change.

    Attributes:
        home: where models and caches live (``TRIMTAB_HOME``).
        ledger: the ledger's file (``TRIMTAB_LEDGER``).
        certificates: the folder of certificates (``TRIMTAB_CERTIFICATES``).
        openai_api_key: key of the OpenAI-compatible API (``OPENAI_API_KEY``).
        openai_base_url: its address (``OPENAI_BASE_URL``).
        llm_model: its model (``TRIMTAB_LLM_MODEL``); needed when a key or an address is set.
        prices: CSV that overrides the shipped price table (``TRIMTAB_PRICES``).
        usd_per_cpu_hour: price of local computation (``TRIMTAB_USD_PER_CPU_HOUR``).
        llm_timeout_s: time limit of one LLM request (``TRIMTAB_LLM_TIMEOUT_S``).
        llm_max_concurrency: LLM requests in flight at most (``TRIMTAB_LLM_MAX_CONCURRENCY``).
        audit_rate: share of requests audited under a certificate (``TRIMTAB_AUDIT_RATE``).
        index: where vectors of papers are searched (``TRIMTAB_INDEX``): ``embedded`` in a file of
            this machine, there with ``faiss``, or in ``pinecone``.
        pinecone_api_key: Pinecone's key (``PINECONE_API_KEY``).
        pinecone_index: name of the index there (``TRIMTAB_PINECONE_INDEX``), made if missing.
        pinecone_url: of its control plane (``TRIMTAB_PINECONE_URL``), None for Pinecone's own.
        embedding_model: of the embedder ``openai`` (``TRIMTAB_EMBEDDING_MODEL``).
        embedding_dim: width of its vectors (``TRIMTAB_EMBEDDING_DIM``).
        api_key: what callers of the HTTP service must send (``TRIMTAB_API_KEY``); with it the
            service may listen beyond loopback.
    """

    home: Path
    ledger: Path
    certificates: Path
    openai_api_key: str | None = field(default=None, repr=False)
    openai_base_url: str | None = None
    llm_model: str | None = None
    prices: Path | None = None
    usd_per_cpu_hour: float = 0.05
    llm_timeout_s: float = 60.0
    llm_max_concurrency: int = 4
    audit_rate: float = 0.02
    index: str = "embedded"
    pinecone_api_key: str | None = field(default=None, repr=False)
    pinecone_index: str = "trimtab"
    pinecone_url: str | None = None
    embedding_model: str = "text-embedding-3-small"
    embedding_dim: int = 1536
    api_key: str | None = field(default=None, repr=False)

    @property
    def uses_embedded_llm(self) -> bool:
        """Return whether no outside LLM is configured, so that the embedded one serves."""
        return self.openai_api_key is None and self.openai_base_url is None

    @property
    def usd_per_cpu_s(self) -> float:
        """Return the price of one CPU-second in US dollars."""
        return self.usd_per_cpu_hour / 3600.0

    @property
    def models(self) -> Path:
        """Return the folder of exported models."""
        return self.home / "models"


def load_settings(environ: Mapping[str, str] | None = None) -> Settings:
    """Return the settings of an environment (the process's own if None).

    Raises:
        ConfigError: a number is not one or is not positive, or an outside LLM lacks its model.
    """
    env = os.environ if environ is None else environ
    home = Path(env.get("TRIMTAB_HOME") or Path.home() / ".cache" / "trimtab").expanduser()
    key = _secret(env, "OPENAI_API_KEY")
    url = env.get("OPENAI_BASE_URL") or None
    model = env.get("TRIMTAB_LLM_MODEL") or None
    if url is not None and not url.startswith(("http://", "https://")):
        raise ConfigError(f"OPENAI_BASE_URL={url!r} is no address; set it like https://host/v1")
    if model and not (key or url):
        raise ConfigError(
            f"TRIMTAB_LLM_MODEL={model!r} is set without OPENAI_API_KEY or OPENAI_BASE_URL; set "
            "one of them, or unset it to use the embedded LLM"
        )
    if (key or url) and not model:
        raise ConfigError(
            "TRIMTAB_LLM_MODEL is not set although OPENAI_API_KEY or OPENAI_BASE_URL is; "
            "set it to the model to ask, for example gpt-4o-mini-2024-07-18"
        )
    prices = env.get("TRIMTAB_PRICES")
    return Settings(
        home=home,
        ledger=Path(env.get("TRIMTAB_LEDGER") or home / "ledger.sqlite").expanduser(),
        certificates=Path(env.get("TRIMTAB_CERTIFICATES") or home / "certificates").expanduser(),
        openai_api_key=key,
        openai_base_url=url,
        llm_model=model,
        prices=Path(prices).expanduser() if prices else None,
        usd_per_cpu_hour=_positive(env, "TRIMTAB_USD_PER_CPU_HOUR", 0.05),
        llm_timeout_s=_positive(env, "TRIMTAB_LLM_TIMEOUT_S", 60.0),
        llm_max_concurrency=_count(env, "TRIMTAB_LLM_MAX_CONCURRENCY", 4),
        audit_rate=_share(env, "TRIMTAB_AUDIT_RATE", 0.02),
        index=_one_of(env, "TRIMTAB_INDEX", INDEXES),
        pinecone_api_key=_secret(env, "PINECONE_API_KEY"),
        pinecone_index=env.get("TRIMTAB_PINECONE_INDEX") or "trimtab",
        pinecone_url=env.get("TRIMTAB_PINECONE_URL") or None,
        embedding_model=env.get("TRIMTAB_EMBEDDING_MODEL") or "text-embedding-3-small",
        embedding_dim=_count(env, "TRIMTAB_EMBEDDING_DIM", 1536),
        api_key=_secret(env, "TRIMTAB_API_KEY"),
    )


def make_folder(folder: Path, *, setting: str) -> None:
    """Make a folder that a setting names; raises ``ConfigError`` where that cannot be done."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigError(
            f"{setting}: the folder {folder} cannot be made ({error.strerror}); name another"
        ) from error


def _positive(env: Mapping[str, str], field: str, default: float) -> float:
    text = env.get(field)
    if not text:
        return default
    try:
        number = float(text)
    except ValueError:
        number = -1.0
    if not 0.0 < number < float("inf"):
        raise ConfigError(f"{field}={text!r} is not a positive number; set it like {default}")
    return number


def _share(env: Mapping[str, str], field: str, default: float) -> float:
    text = env.get(field)
    if not text:
        return default
    try:
        number = float(text)
    except ValueError:
        number = -1.0
    if not 0.0 <= number < 1.0:
        raise ConfigError(f"{field}={text!r} is not a share in [0, 1); set it like {default}")
    return number


def _one_of(env: Mapping[str, str], field: str, known: Sequence[str]) -> str:
    text = env.get(field) or known[0]
    if text not in known:
        raise ConfigError(f"{field}={text!r} is not known; set it to one of {list(known)}")
    return text


def _secret(env: Mapping[str, str], field: str) -> str | None:
    text = env.get(field) or None
    if text is not None and not (text.isascii() and text.isprintable() and text == text.strip()):
        raise ConfigError(f"{field} is not printable ASCII without spaces around it; set it again")
    return text


def _count(env: Mapping[str, str], field: str, default: int) -> int:
    number = _positive(env, field, default)
    if number != int(number):
        raise ConfigError(f"{field}={env[field]!r} is not a whole number; set it like {default}")
    return int(number)
