"""Which embedder a corpus is embedded with: the one asked for, or the one of its index."""

from __future__ import annotations

from typing import Literal

from trimtab.embedding import CachedEmbedder, load_embedder
from trimtab.errors import ConfigError
from trimtab.protocols import Embedder
from trimtab.rag.openai_embedder import OpenAIEmbedder
from trimtab.settings import Settings

EmbedderKind = Literal["minilm", "wordllama", "openai"]
CACHE = "embeddings.sqlite"


def open_embedder(
    settings: Settings, *, wanted: EmbedderKind | None = None, made_by: str | None = None
) -> Embedder:
    """Return the embedder that was asked for, or that of an index; its vectors stay on disk.

    Args:
        settings: where weights and vectors lie, and the API's key.
        wanted: MiniLM for a new index if None.
        made_by: name of the embedder of the index, None for a new index.

    Raises:
        ConfigError: the embeddings of an API are wanted and there is neither key nor address.
        EmbedderMissing: the weights are not on this machine.
    """
    kind = wanted or _kind_of(made_by)
    if kind != "openai":
        return CachedEmbedder(load_embedder(kind, models=settings.models), settings.home / CACHE)
    if settings.uses_embedded_llm:
        raise ConfigError(
            "embedder=openai needs OPENAI_API_KEY, or OPENAI_BASE_URL where no key is asked for; "
            "set it, or index with --embedder minilm"
        )
    model, dim = settings.embedding_model, settings.embedding_dim
    if wanted is None and made_by is not None:
        name, _, width = made_by.rpartition("-")
        model, dim = (name, int(width)) if name and width.isdigit() else (model, dim)
    plain = OpenAIEmbedder(
        model, dim=dim, api_key=settings.openai_api_key, base_url=settings.openai_base_url
    )
    return CachedEmbedder(plain, settings.home / CACHE)


def _kind_of(made_by: str | None) -> EmbedderKind:
    if made_by is None or made_by.startswith("minilm-"):
        return "minilm"
    return "wordllama" if made_by.startswith("wordllama-") else "openai"
