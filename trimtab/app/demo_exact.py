"""The demo's rows on domains with exact truth: who answered, how well, what the LLM is worth."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from trimtab.agents.promise import Promise
from trimtab.app.certify import MIN_PAIRS
from trimtab.app.client import Trimtab
from trimtab.app.demo_figures import rate
from trimtab.app.demo_folder import Track
from trimtab.app.truth import resolve_by_solver
from trimtab.evals.items import Words
from trimtab.records import Decision, Outcome, Prediction

LLM_REQUESTS = 25
ROUTED_REQUESTS = 100
PROMISE = Promise(loss=0.03, confidence=0.95, window=LLM_REQUESTS)


@dataclass(frozen=True, slots=True, kw_only=True)
class ExactRow:
    """A row's decisions on one domain.

    Attributes:
        client: serves both domains.
        name: the domain on which the LLM is never asked.
        with_llm: the same domain, with the LLM.
        track: wraps a loop in a progress bar.
    """

    client: Trimtab
    name: str
    with_llm: str
    track: Track

    def show(self, texts: Sequence[str], *, ask_llm: bool) -> dict[str, Any]:
        """Return who answered the texts, how well by the exact truth, and what the LLM is worth."""
        decisions = [
            self.client.decide(self.name, text, mode="neural_only")
            for text in self.track(texts, self.name, len(texts))
        ]
        truths = self._judged(decisions)
        return {
            "n": len(texts),
            "steps": self._steps(decisions, truths),
            "routed": rate(truth.reward == 1.0 for truth in truths),
            "net_alone": rate(
                self._right(d.predictions[0], d, truth)
                for d, truth in zip(decisions, truths, strict=True)
            ),
            "usd_per_1000": 1000 * float(np.mean([d.usage.cost_usd for d in decisions])),
            "seconds_each": float(np.mean([d.usage.latency_s for d in decisions])),
            "llm": self._llm(texts) if ask_llm else None,
        }

    def _steps(
        self, decisions: Sequence[Decision], truths: Sequence[Outcome]
    ) -> list[dict[str, Any]]:
        """Return, for each agent, what it answered, beside the net alone on the same requests."""
        steps = []
        for agent in self.client.nodes.serving(self.name).agents:
            own = [
                (decision, truth)
                for decision, truth in zip(decisions, truths, strict=True)
                if decision.route.agent == agent.name
            ]
            steps.append(
                {
                    "agent": agent.name,
                    "n": len(own),
                    "share": len(own) / len(decisions),
                    "right": rate(truth.reward == 1.0 for _, truth in own),
                    "net_alone": rate(self._right(d.predictions[0], d, truth) for d, truth in own),
                    "seconds": float(np.mean([d.usage.latency_s for d, _ in own])) if own else None,
                    "usd_per_1000": 1000 * float(np.mean([d.usage.cost_usd for d, _ in own]))
                    if own
                    else None,
                }
            )
        return steps

    def _llm(self, texts: Sequence[str]) -> dict[str, Any]:
        """Ask the LLM, certify a promise with the exact truth, and route by it."""
        asked = [
            self.client.decide(self.with_llm, text)
            for text in self.track(texts[:LLM_REQUESTS], self.with_llm, LLM_REQUESTS)
        ]
        answered = [
            (d, truth)
            for d, truth in zip(asked, self._judged(asked), strict=True)
            if d.route.agent == "llm"
        ]
        if not answered:
            return {"model": None, "n": len(asked)}
        usages = [decision.predictions[-1].usage for decision, _ in answered]
        verdict = None
        if len(answered) >= MIN_PAIRS:
            verdict = self.client.certify(self.with_llm, PROMISE).verdict()
        # without a verdict it would be asked every time, which says nothing new
        routed = texts[LLM_REQUESTS:][:ROUTED_REQUESTS] if verdict else []
        after = [self.client.decide(self.with_llm, text) for text in routed]
        return {
            "model": answered[0][0].predictions[-1].tier,
            "n": len(asked),
            "unreadable": len(asked) - len(answered),
            "right": rate(truth.reward == 1.0 for _, truth in answered),
            "searched": rate(self._right(d.predictions[-2], d, truth) for d, truth in answered),
            "seconds": float(np.mean([usage.latency_s for usage in usages])),
            "usd_per_1000": 1000 * float(np.mean([usage.cost_usd for usage in usages])),
            "verdict": verdict,
            "share_after": sum(d.route.agent == "llm" for d in after) / len(after)
            if after
            else None,
            "n_after": len(after),
        }

    def _judged(self, decisions: Sequence[Decision]) -> list[Outcome]:
        """Return the exact verdict on every decision, kept in the ledger."""
        self.client.flush()
        domain = self.client.nodes.serving(self.name).domain
        watched = self.track(decisions, "solver", len(decisions))
        return resolve_by_solver(self.client.ledger, domain, watched)

    def _right(self, prediction: Prediction, decision: Decision, truth: Outcome) -> bool:
        canonical = self.client.nodes.serving(self.name).domain.canonical
        return Words((), canonical).right(prediction.action, decision, truth) == 1.0
