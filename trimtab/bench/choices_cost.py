"""What the text ladder costs, in CPU time of the calling thread, one text a call."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence

import numpy as np

from trimtab.agents.ladder import MINILM, STATIC, Ladder
from trimtab.agents.policy import TextPolicy
from trimtab.agents.text_heads import head_inputs, softmax
from trimtab.bench.choices_data import ChoicesTable
from trimtab.bench.choices_measures import RESAMPLES, Floats, as_measure
from trimtab.bench.result import Measure
from trimtab.domains.choices import ChoiceState, normalise
from trimtab.embedding import MiniLMEmbedder
from trimtab.protocols import Embedder
from trimtab.stats import bootstrap, quantile

TIMED = 300
"""Test texts whose cost is measured."""
WARM_UP = 20


def cost_measures(
    policy: TextPolicy, embedders: Mapping[str, Embedder], table: ChoicesTable, *, seed: int
) -> dict[str, Measure]:
    """Return CPU-ms per text (median over single calls), tier by tier and of the whole.

    ``static_rung`` is all that a text costs which MiniLM is not asked about: both static tiers,
    the gate and the prediction's record. ``minilm.cpu_vs_bare`` is the median ratio of the tier
    (tokeniser, session, head) to the session's run alone, text by text.
    """
    rng = np.random.default_rng(seed)
    texts = [row.text for row in table.test]
    texts = [texts[i] for i in rng.permutation(len(texts))[:TIMED]]
    ladder, static = policy.ladder, embedders[STATIC]

    def static_tier(text: str) -> None:
        inputs = head_inputs(static.embed([text]), [text])
        softmax(ladder.static.head.logits(inputs[0]))

    def witness_tier(text: str) -> None:
        softmax(ladder.static.witness.logits(normalise(text)))

    measures = {
        "static.cpu_ms": _cost(_timed(static_tier, texts)),
        "witness.cpu_ms": _cost(_timed(witness_tier, texts)),
    }
    served = [policy.predict([ChoiceState(text)])[0] for text in texts]
    costs = np.array([p.usage.cpu_s for p in served]) * 1e3
    measures["static_rung.cpu_ms"] = _cost(_timed(_static_only(policy), texts))
    measures["ladder.cpu_ms_mean"] = as_measure(
        bootstrap(costs, lambda c: float(c.mean()), rng=rng, resamples=RESAMPLES), "CPU-ms"
    )
    if ladder.minilm is not None:
        measures |= _minilm_cost(ladder, embedders[MINILM], texts)
    return measures


def _static_only(policy: TextPolicy) -> Callable[[str], None]:
    """Return a call that answers as the policy does for a text that MiniLM is not asked about."""
    alone = policy.without_minilm()

    def answer(text: str) -> None:
        alone.predict([ChoiceState(text)])

    return answer


def _minilm_cost(ladder: Ladder, minilm: Embedder, texts: Sequence[str]) -> dict[str, Measure]:
    rung = ladder.minilm

    def tier(text: str) -> None:
        inputs = head_inputs(minilm.embed([text]), [text])
        if rung is not None:
            softmax(rung.head.logits(inputs[0]))

    whole = _timed(tier, texts)
    measures = {"minilm.cpu_ms": _cost(whole), "minilm.cpu_vs_bare": Measure(value=None)}
    if isinstance(minilm, MiniLMEmbedder):
        encoded = {text: minilm.encode(text) for text in texts}

        def bare(text: str) -> None:
            minilm.run(encoded[text])

        ratio = quantile(whole / _timed(bare, texts), 0.5)
        measures["minilm.cpu_vs_bare"] = as_measure(ratio, "times")
    return measures


def _timed(call: Callable[[str], None], texts: Sequence[str]) -> Floats:
    """Return ``[len(texts)]`` CPU-ms of this thread, one call a text after some to warm up."""
    for text in texts[:WARM_UP]:
        call(text)
    spent = np.empty(len(texts))
    for place, text in enumerate(texts):
        start = time.thread_time()
        call(text)
        spent[place] = (time.thread_time() - start) * 1e3
    return spent


def _cost(costs: Floats) -> Measure:
    return as_measure(quantile(costs, 0.5), "CPU-ms")
