"""The embeddings of an OpenAI-compatible API, for whoever wants them instead of the local ones."""

from __future__ import annotations

import weakref
from collections.abc import Sequence

import numpy as np

from trimtab.errors import EmbedderMissing
from trimtab.protocols import Array

_REQUEST = 500  # texts of one request


class OpenAIEmbedder:
    """The embeddings of an OpenAI-compatible API; thread-safe. What it embeds leaves the machine.

    Args:
        model: the API's name of the model.
        dim: D, the width that the model gives or is asked for.
        api_key: of the API; None where it needs none.
        base_url: its address; None for OpenAI's own.
    """

    def __init__(
        self, model: str, *, dim: int, api_key: str | None, base_url: str | None = None
    ) -> None:
        import httpx
        from langchain_openai import OpenAIEmbeddings
        from pydantic import SecretStr

        self.name = f"{model}-{dim}"
        self.dim = dim
        self._http = httpx.Client(timeout=60.0)
        # embedders have no end of their own: whoever holds one among others need not close it
        weakref.finalize(self, self._http.close)
        # without the check of lengths texts go as texts: the check would fetch a tokenizer
        self._client = OpenAIEmbeddings(
            model=model,
            dimensions=dim,
            api_key=SecretStr(api_key or "none"),
            base_url=base_url,
            check_embedding_ctx_length=False,
            chunk_size=_REQUEST,
            http_client=self._http,
        )

    def close(self) -> None:
        """Close the connections; a second call does nothing."""
        self._http.close()

    def embed(self, texts: Sequence[str]) -> Array:
        """Return `[N, D]` float32 rows of unit length; a blank text is sent as a full stop.

        Raises:
            EmbedderMissing: the API cannot be reached, refuses, or gives another width.
        """
        from openai import OpenAIError

        if not texts:
            return np.empty((0, self.dim), dtype=np.float32)
        try:
            found = self._client.embed_documents([text.strip() or "." for text in texts])
        except OpenAIError as error:
            raise EmbedderMissing(
                f"the embeddings {self.name} cannot be had ({error}); check key, address and model"
            ) from error
        rows: Array = np.array(found, dtype=np.float32)
        if rows.shape != (len(texts), self.dim):
            raise EmbedderMissing(
                f"the embeddings {self.name} came as {rows.shape}, not as {(len(texts), self.dim)}"
            )
        lengths = np.linalg.norm(rows, axis=1, keepdims=True)
        unit: Array = rows / np.maximum(lengths, np.float32(1e-12))
        return unit
