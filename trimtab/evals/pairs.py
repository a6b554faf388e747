"""Requests on which both answers are known without selection: what a promise is certified on.

Requests that were escalated because they looked unsure certify nothing, and are not among them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from math import isnan, nan

from trimtab.agents.routing import most_confident
from trimtab.evals.items import EXPERTS, LLM, Canonical, Row, Words, drawn_uniformly
from trimtab.records import Decision, OutcomeSource, Prediction

_NO_ANSWERS: Mapping[str, Prediction] = {}


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """One request with the small models' answer and the LLM's.

    Attributes:
        decision: the ledger's row.
        cheap: the answer set beside the LLM's, usually the small models' as it was shown.
        llm: the LLM's answer.
        said: the small models' answer in words, as far as they are known.
        differs: whether the two answers differ.
        gain: right(LLM) − right(cheap): 0 where they agree, NaN where a label is needed.
        source: who said what is right, None where nobody did.
        llm_right: whether the LLM is right, in [0, 1]; None where it is not known.
        cheap_usd: what all small models cost.
        llm_usd: what asking the LLM cost.
    """

    decision: Decision
    cheap: Prediction
    llm: Prediction
    said: str
    differs: bool
    gain: float
    source: OutcomeSource | None
    llm_right: float | None
    cheap_usd: float
    llm_usd: float

    @property
    def needs_label(self) -> bool:
        """Return whether the right answer must be known and is not."""
        return isnan(self.gain)


def small_answer(decision: Decision) -> Prediction | None:
    """Return the small models' answer: the shown one, or else the most confident; None without."""
    small = [p for p in decision.predictions if p.agent not in EXPERTS]
    shown = [p for p in small if p.agent == decision.route.agent]
    return shown[-1] if shown else most_confident(small)


def uniform_pairs(
    rows: Iterable[Row],
    *,
    canonical: Canonical | None = None,
    bundle_id: str | None = None,
    always_llm: Mapping[str, Prediction] = _NO_ANSWERS,
    answer: Callable[[Decision], Prediction | None] = small_answer,
) -> list[Pair]:
    """Return the pairs among a domain's rows, in the order of the ledger.

    Args:
        rows: what ``Ledger.scan`` yields for one domain.
        canonical: the domain's canonical words of an action; without it they come from the rows.
        bundle_id: only decisions of this bundle; all if None.
        always_llm: the LLM's answers by decision id, asked apart on a uniform draw.
        answer: gives the answer that is set beside the LLM's; None leaves the decision out.
    """
    found = list(rows)
    words = Words(found, canonical)
    pairs = []
    for row in found:
        decision = row[0]
        # a redacted request keeps its place: dropping it would choose among requests
        if bundle_id in (None, decision.bundle_id):
            pair = _pair(row, words, always_llm.get(decision.decision_id), answer(decision))
            if pair is not None:
                pairs.append(pair)
    return pairs


def _pair(
    row: Row, words: Words, apart: Prediction | None, cheap: Prediction | None
) -> Pair | None:
    decision, outcome = row
    asked = [p for p in decision.predictions if p.agent == LLM] if apart is None else [apart]
    small = [p for p in decision.predictions if p.agent not in EXPERTS]
    if cheap is None or not asked or not (apart is not None or drawn_uniformly(decision)):
        return None
    llm = asked[-1]
    llm_right, cheap_right = (words.right(p.action, decision, outcome) for p in (llm, cheap))
    differs = not words.same(llm.action, cheap.action)
    gain = 0.0
    if differs:
        gain = nan if llm_right is None or cheap_right is None else llm_right - cheap_right
    return Pair(
        decision=decision,
        cheap=cheap,
        llm=llm,
        said=words.spell(cheap.action) or str(cheap.action),
        differs=differs,
        gain=gain,
        source=None if outcome is None else outcome.source,
        llm_right=llm_right,
        cheap_usd=sum(p.usage.cost_usd for p in small),
        llm_usd=sum(p.usage.cost_usd for p in asked),
    )
