"""What ``langgraph.json`` names: the graph and the HTTP service, over one client.

The server imports this module at start; nothing is read and nothing is opened before it is needed.
"""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.util import find_spec
from typing import TYPE_CHECKING

from fastapi import FastAPI
from prometheus_client import REGISTRY

from trimtab.app.api import create_app
from trimtab.app.client import Trimtab
from trimtab.app.serving import SHIPPED, WITH_NUMBA
from trimtab.errors import MissingExtra
from trimtab.graphs.nodes import DecideNodes
from trimtab.settings import Settings, load_settings

if TYPE_CHECKING:
    from trimtab.graphs.decide import Graph
    from trimtab.graphs.research import Graph as ResearchGraph

logger = logging.getLogger(__name__)


class Process:
    """The one client of this process and its graph, opened on first use. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._settings: Settings | None = None
        self._client: Trimtab | None = None
        self._graph: tuple[DecideNodes, Graph] | None = None

    def settings(self) -> Settings:
        """Return the settings; they are read once."""
        if self._settings is None:
            self._settings = load_settings()
        return self._settings

    def client(self) -> Trimtab:
        """Return the client."""
        with self._lock:
            if self._client is None:
                self._client = Trimtab(settings=self.settings(), shipped=shipped_here())
                # the server's own /metrics shows what stands in the process-wide registry
                REGISTRY.register(self._client.metrics)
            return self._client

    def graph(self) -> Graph:
        """Return the graph ``decide`` over the client's nodes."""
        from trimtab.graphs.decide import build

        # the client replaces its nodes when it routes by a new certificate
        nodes = self.client().nodes
        with self._lock:
            if self._graph is None or self._graph[0] is not nodes:
                self._graph = nodes, build(nodes)
            return self._graph[1]

    def research(self) -> ResearchGraph:
        """Return the graph ``research`` over the own corpus, or trimtab's papers where none is."""
        from trimtab.app.research import corpus_folder

        folder = corpus_folder(self.settings(), corpus=None, shipped=False)
        return self.client().researcher(folder).graph

    def close(self) -> None:
        """Flush the ledger and stop the embedded LLM, where they were opened."""
        with self._lock:
            client, self._client, self._graph = self._client, None, None
            if client is not None:
                REGISTRY.unregister(client.metrics)
                client.close()


def shipped_here() -> tuple[str, ...]:
    """Return the shipped domains that this installation can serve."""
    if find_spec("numba") is not None:
        return SHIPPED
    absent = ", ".join(WITH_NUMBA)
    logger.warning("not served: %s: %s", absent, MissingExtra("numba", "search"))
    return tuple(name for name in SHIPPED if name not in WITH_NUMBA)


process = Process()


async def decide() -> Graph:
    """Return the graph; the server asks for it at every run and brings its own checkpointer."""
    # opening reads files, which the server does not allow on its event loop
    return await asyncio.to_thread(process.graph)


async def research() -> ResearchGraph:
    """Return the graph that answers questions over papers; its first run opens the corpus."""
    return await asyncio.to_thread(process.research)


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    # what cannot be opened stops the server at its start, not its first run
    await asyncio.to_thread(process.graph)
    await asyncio.to_thread(process.research)
    yield
    await asyncio.to_thread(process.close)


app = create_app(process.client, key=lambda: process.settings().api_key, lifespan=_lifespan)
