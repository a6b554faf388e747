"""Whose answer of a trail the meta-controller believes, where it can tell.

A rule looks at the most confident prediction. Where the meta-controller judges whole trails – who
agrees with whom – its answer and probability stand in for what the agents say of themselves.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from trimtab.graphs.serving import Serving
from trimtab.graphs.state import DecideState
from trimtab.records import Prediction

LLM = "llm"


def choosable(state: DecideState, trail: Sequence[Prediction], serving: Serving) -> list[str]:
    """Return the agents that the meta-controller may still run, cheapest first.

    The LLM is the last of them where the controller may ask it: never for a person's sake, and in
    mode ``auto`` alone.
    """
    names = [agent.name for agent in serving.agents]
    if serving.asks_expert and state["mode"] == "auto" and state["expert"] == LLM:
        names.append(LLM)
    ran = {prediction.agent for prediction in trail}
    return [name for name in names if name not in ran]


def believed(trail: Sequence[Prediction], serving: Serving) -> list[Prediction]:
    """Return what a rule should look at: the believed answer with its probability, or the trail."""
    if not trail or serving.judge is None:
        return list(trail)
    shown, probability = serving.judge.answer(trail)
    return [replace(shown, confidence=probability)]


def with_belief(
    state: DecideState, trail: Sequence[Prediction], serving: Serving
) -> tuple[Prediction, ...]:
    """Return a finished trail as the ledger keeps it: the believed answer has its probability.

    Only what ran before the router decided was judged; a confidence of the agent's own stays.
    """
    if serving.judge is None:
        return tuple(trail)
    ran = sum(step["agent"] is not None for step in state["steps"])
    if not ran:
        return tuple(trail)
    (best,) = believed(trail[:ran], serving)
    return tuple(
        best if one.agent == best.agent and one.confidence is None else one for one in trail
    )
