"""An agent that learns when it does not need the LLM."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from trimtab.app.client import Trimtab
    from trimtab.errors import TrimtabError
    from trimtab.records import Budget, Decision, Outcome, Prediction

__version__ = "0.1.0"

_HOMES = {
    "Trimtab": "trimtab.app.client",
    "TrimtabError": "trimtab.errors",
    "Budget": "trimtab.records",
    "Decision": "trimtab.records",
    "Outcome": "trimtab.records",
    "Prediction": "trimtab.records",
}

__all__ = [
    "Budget",
    "Decision",
    "Outcome",
    "Prediction",
    "Trimtab",
    "TrimtabError",
    "__version__",
]


def __getattr__(name: str) -> object:
    """Import a public name on first use (PEP 562), so that ``import trimtab`` stays light."""
    if name not in _HOMES:
        raise AttributeError(f"module 'trimtab' has no attribute {name!r}")
    return getattr(importlib.import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)
