"""Requests on which both answers are known without selection: what a promise is certified on.

Uniform are requests of the cold start (reason ``uncertified``, where every request asks the LLM)
and audited ones (drawn before the trail was known). Requests that were escalated because they
looked unsure certify nothing.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from math import nan

from trimtab.evals.items import Canonical, Row, Words
from trimtab.records import Decision, OutcomeSource, Prediction

LLM = "llm"
EXPERTS = (LLM, "human")


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """One request with the small models' answer and the LLM's.

    Attributes:
        decision: the ledger's row.
        cheap: the most confident answer of the small models.
        llm: the LLM's answer.
        differs: whether the two answers differ.
        gain: right(LLM) − right(cheap): 0 where they agree, NaN where a label is needed.
        source: who said what is right, None where nobody did.
    """

    decision: Decision
    cheap: Prediction
    llm: Prediction
    differs: bool
    gain: float
    source: OutcomeSource | None

    @property
    def needs_label(self) -> bool:
        """Return whether the right answer must be known and is not."""
        return self.gain != self.gain


def uniform_pairs(
    rows: Iterable[Row], *, canonical: Canonical | None = None, bundle_id: str | None = None
) -> list[Pair]:
    """Return the pairs among a domain's rows, in the order of the ledger.

    Args:
        rows: what ``Ledger.scan`` yields for one domain.
        canonical: the domain's canonical words of an action.
        bundle_id: only decisions of this bundle; all if None.
    """
    found = list(rows)
    words = Words(found, canonical)
    pairs = []
    for decision, outcome in found:
        if bundle_id is not None and decision.bundle_id != bundle_id:
            continue
        asked = [p for p in decision.predictions if p.agent == LLM]
        small = [p for p in decision.predictions if p.agent not in EXPERTS]
        uniform = decision.audit or decision.route.reason == "uncertified"
        if not (uniform and asked and small) or not decision.state:
            continue
        cheap, llm = max(small, key=lambda p: p.confidence or 0.0), asked[-1]
        differs = _spelled(cheap, canonical) != _spelled(llm, canonical)
        gain = 0.0
        if differs:
            right = [words.right(p.action, decision, outcome) for p in (llm, cheap)]
            gain = nan if right[0] is None or right[1] is None else right[0] - right[1]
        pairs.append(
            Pair(
                decision=decision,
                cheap=cheap,
                llm=llm,
                differs=differs,
                gain=gain,
                source=None if outcome is None else outcome.source,
            )
        )
    return pairs


def _spelled(prediction: Prediction, canonical: Canonical | None) -> int | str:
    return prediction.action if canonical is None else canonical(prediction.action)
