"""Factories that ``langgraph.json`` names: LangGraph Studio and its server call them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from trimtab.app.client import Trimtab

if TYPE_CHECKING:
    from trimtab.graphs.decide import Graph


def decide() -> Graph:
    """Return the graph ``decide`` over the shipped bundle and the configured LLM.

    The server brings its own checkpointer.
    """
    from trimtab.graphs.decide import build

    return build(Trimtab().nodes)
