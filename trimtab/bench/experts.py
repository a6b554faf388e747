"""The expert of a benchmark: the live LLM, or a simulated one at a named model's list price."""

from __future__ import annotations

from trimtab.errors import ConfigError

PRICED_AS = "gpt-4o-2024-08-06"


def expert_accuracy(expert: str) -> float | None:
    """Return the accuracy of a simulated expert, None for the live LLM."""
    if expert == "live":
        return None
    kind, _, accuracy = expert.partition(":")
    try:
        probability = float(accuracy) if kind == "simulated" else -1.0
    except ValueError:
        probability = -1.0
    if not 0.0 <= probability <= 1.0:
        raise ConfigError(f"--expert {expert!r} is not known; use live, or simulated:0.95")
    return probability
