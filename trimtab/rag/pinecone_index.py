"""Passages in Pinecone, over its own client.

``langchain-pinecone`` wants a client older than 8 and does not import beside a current one, so
this store speaks to the client itself. What the service would refuse is refused here, before
anything is sent; what it accepted is waited for, because it shows writes only after a while.
"""

from __future__ import annotations

import importlib
import re
import secrets
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from trimtab.errors import ConfigError, InputError, MissingExtra, RetrievalError
from trimtab.protocols import Array
from trimtab.rag.filters import Where, parse_filter
from trimtab.rag.passage_index import (
    Entry,
    Hit,
    check_deletion,
    check_k,
    check_vector,
)
from trimtab.rag.pinecone_records import MAX_RECORDS, WRITE, batches, hit_of, record_of

if TYPE_CHECKING:
    from pinecone import Pinecone
    from pinecone.index import Index

MAX_K = 10_000
_IDS_OF_A_URL = 100
_EMBEDDER_TAG = "trimtab_embedder"
_DEFAULT_NAMESPACE = "__default__"
_NAME = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,43}[a-z0-9])?")


@dataclass(frozen=True, slots=True, kw_only=True)
class PineconeConfig:
    """Which index, and how long to wait for it.

    Attributes:
        name: of the index; made if missing.
        cloud: where it is made.
        region: of that cloud.
        control_url: of Pinecone's control plane, None for its own.
        settle_s: how long a write may take until it can be read.
        poll_s: between two looks.
    """

    name: str
    cloud: str = "aws"
    region: str = "us-east-1"
    control_url: str | None = None
    settle_s: float = 60.0
    poll_s: float = 0.5

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.name):
            raise ConfigError(
                f"name={self.name!r} is no name of an index; use up to 45 of a-z, 0-9 and -"
            )


class PineconeIndex:
    """Implements ``PassageIndex`` over a Pinecone index of cosine metric; thread-safe.

    Args:
        config: which index.
        api_key: Pinecone's.
        embedder: name of the embedder of all vectors, kept as a tag of the index.
        dim: D.
        clock: seconds, for the limit of waiting.
        sleep: waits between two looks.

    Raises:
        ConfigError: the index is of another embedder, width or metric.
        RetrievalError: Pinecone cannot be reached or refuses.
        MissingExtra: the client is not installed.
    """

    def __init__(
        self,
        config: PineconeConfig,
        *,
        api_key: str,
        embedder: str,
        dim: int,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        try:
            importlib.import_module("pinecone")
        except ModuleNotFoundError as error:
            raise MissingExtra("pinecone", "rag") from error
        from pinecone import Pinecone

        self.embedder_name = embedder
        self.dim = dim
        self._config = config
        self._clock = clock
        self._sleep = sleep
        with _explained(config.name):
            self._client: Pinecone = Pinecone(api_key=api_key, host=config.control_url)
        try:
            with _explained(config.name):
                self._index: Index = self._client.index(host=self._ready_host())
        except BaseException:
            self._client.close()
            raise

    def __enter__(self) -> PineconeIndex:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def upsert(self, entries: Sequence[Entry], *, namespace: str = "") -> None:
        """Store entries, and return once the last of each request can be read.

        Raises:
            InputError: an entry breaks a limit; nothing was sent then.
            RetrievalError: a request failed; the message says how many entries were stored.
        """
        mark = secrets.token_hex(8)
        last = {entry.id: record_of(entry, mark, dim=self.dim) for entry in entries}
        stored = 0
        for batch in batches(list(last.values())):
            with _explained(self._config.name, f"{stored} of {len(last)} entries are stored"):
                done = self._index.upsert(vectors=batch, namespace=namespace)
            if done.upserted_count != len(batch):
                raise RetrievalError(
                    f"Pinecone stored {done.upserted_count} of {len(batch)} entries of a request "
                    f"({stored} before it); upsert them again"
                )
            stored += len(batch)
            name = str(batch[-1]["id"])
            self._settle(lambda name=name: self._written(name, mark, namespace))  # type: ignore[misc]  # bound now

    def fetch(self, ids: Sequence[str], *, namespace: str = "") -> dict[str, Hit]:
        """Return the entries of those ids that are stored."""
        found = self._fetched(ids, namespace)
        return {name: hit_of(name, record.metadata or {}, 0.0) for name, record in found.items()}

    def delete(
        self, *, ids: Sequence[str] | None = None, where: Where | None = None, namespace: str = ""
    ) -> None:
        """Delete by ids or by a filter, and return once they are gone."""
        check_deletion(ids, where)
        if where is not None:
            parse_filter(where)
            probe = np.full(self.dim, self.dim**-0.5, dtype=np.float32)
            with _explained(self._config.name):
                self._index.delete(filter=where, namespace=namespace)
            self._settle(lambda: not self.nearest(probe, k=1, where=where, namespace=namespace))
            return
        for start in range(0, len(ids or ()), MAX_RECORDS):
            group = list(ids or ())[start : start + MAX_RECORDS]
            with _explained(self._config.name):
                self._index.delete(ids=group, namespace=namespace)
            self._settle(lambda group=group: not self._fetched(group, namespace))  # type: ignore[misc]  # bound now

    def nearest(
        self, vector: Array, *, k: int, where: Where | None = None, namespace: str = ""
    ) -> list[Hit]:
        """Return at most k hits by cosine, nearest first; k is at most 10,000."""
        check_k(k)
        if k > MAX_K:
            raise InputError(f"k={k} is more than the {MAX_K:,} that Pinecone returns")
        unit = check_vector(vector, dim=self.dim)
        if where is not None:
            parse_filter(where)
        with _explained(self._config.name):
            found = self._index.query(
                vector=unit.tolist(),
                top_k=k,
                filter=where,
                namespace=namespace,
                include_metadata=True,
            )
        hits = [hit_of(one.id, one.metadata or {}, float(one.score)) for one in found.matches]
        return sorted(hits, key=lambda hit: -hit.score)

    def cosines(
        self, vector: Array, ids: Sequence[str], *, namespace: str = ""
    ) -> dict[str, float]:
        """Return the cosine of a vector to each stored entry of those ids."""
        unit = check_vector(vector, dim=self.dim)
        found = self.vectors_of(ids, namespace=namespace)
        return {name: float(row @ unit) for name, row in found.items()}

    def vectors_of(self, ids: Sequence[str], *, namespace: str = "") -> dict[str, Array]:
        """Return the `[D]` unit vector of each stored entry of those ids."""
        found = self._fetched(ids, namespace)
        return {
            name: check_vector(np.array(one.values), dim=self.dim) for name, one in found.items()
        }

    def list_ids(
        self, *, prefix: str = "", limit: int = 100, after: str = "", namespace: str = ""
    ) -> tuple[list[str], str]:
        """Return a page of at most 100 ids, and Pinecone's token for the next."""
        if limit < 1:
            raise InputError(f"limit={limit} asks for no id; give at least 1")
        with _explained(self._config.name):
            page = self._index.list_paginated(
                prefix=prefix or None,
                limit=min(limit, _IDS_OF_A_URL),
                pagination_token=after or None,
                namespace=namespace,
            )
        token = page.pagination.next if page.pagination is not None else None
        return [str(item.id) for item in page.vectors], token or ""

    def count(self, *, namespace: str = "") -> int:
        """Return the number of entries of a namespace, as far as Pinecone has counted."""
        return self._counts().get(namespace, 0)

    def namespaces(self) -> list[str]:
        """Return the namespaces that hold entries, sorted."""
        return sorted(name for name, number in self._counts().items() if number)

    def close(self) -> None:
        """Close the connections; a second call does nothing."""
        self._index.close()
        self._client.close()

    def _ready_host(self) -> str:
        config = self._config
        if not self._client.has_index(config.name):
            from pinecone import ServerlessSpec

            self._client.create_index(
                config.name,
                spec=ServerlessSpec(cloud=config.cloud, region=config.region),
                dimension=self.dim,
                metric="cosine",
                tags={_EMBEDDER_TAG: self.embedder_name},
                timeout=int(max(1.0, config.settle_s)),
            )
        found = self._client.describe_index(config.name)
        made_by = (found.tags or {}).get(_EMBEDDER_TAG)
        if (made_by, found.dimension, found.metric) != (self.embedder_name, self.dim, "cosine"):
            raise ConfigError(
                f"the Pinecone index {config.name!r} is {found.metric}, {found.dimension} wide, "
                f"made by {made_by!r}; it must be cosine, {self.dim} wide, made by "
                f"{self.embedder_name!r}: name another index"
            )
        return str(found.host)

    def _fetched(self, ids: Sequence[str], namespace: str) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for start in range(0, len(ids), _IDS_OF_A_URL):
            group = list(ids[start : start + _IDS_OF_A_URL])
            with _explained(self._config.name):
                found |= self._index.fetch(ids=group, namespace=namespace).vectors
        return found

    def _written(self, name: str, mark: str, namespace: str) -> bool:
        record = self._fetched([name], namespace).get(name)
        return record is not None and (record.metadata or {}).get(WRITE) == mark

    def _counts(self) -> dict[str, int]:
        with _explained(self._config.name):
            stats = self._index.describe_index_stats()
        return {
            "" if name == _DEFAULT_NAMESPACE else name: int(summary.vector_count)
            for name, summary in stats.namespaces.items()
        }

    def _settle(self, is_done: Callable[[], bool]) -> None:
        end = self._clock() + self._config.settle_s
        while not is_done():
            if self._clock() >= end:
                raise RetrievalError(
                    f"Pinecone accepted a write but did not show it within "
                    f"{self._config.settle_s:g} s; check the index, then try again"
                )
            self._sleep(self._config.poll_s)


@contextmanager
def _explained(name: str, state: str = "") -> Iterator[None]:
    """Turn the client's errors into ``RetrievalError``; it has tried again by itself before."""
    from pinecone.errors.exceptions import PineconeError

    try:
        yield
    except PineconeError as error:
        so_far = f"; {state}" if state else ""
        raise RetrievalError(
            f"the Pinecone index {name!r} cannot be used ({error}){so_far}; check key and network"
        ) from error
