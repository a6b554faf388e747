"""What the text ladder costs, in CPU time of the calling thread, one text a call."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence

import numpy as np

from trimtab.agents.ladder import MINILM, STATIC, NextRung
from trimtab.agents.policy import TextPolicy
from trimtab.agents.text_heads import head_inputs, softmax
from trimtab.bench.choices_data import ChoicesTable
from trimtab.bench.choices_measures import RESAMPLES, Floats, as_measure
from trimtab.bench.result import Measure
from trimtab.domains.choices import ChoiceState, normalise
from trimtab.embedding import MiniLMEmbedder
from trimtab.protocols import Array, Embedder
from trimtab.stats import bootstrap, quantile

TIMED = 300
"""Test texts whose cost is measured."""
WARM_UP = 20
BLOCK = 50

Call = Callable[[str], object]


def cost_measures(
    policy: TextPolicy, embedders: Mapping[str, Embedder], table: ChoicesTable, *, seed: int
) -> dict[str, Measure]:
    """Return CPU-ms per text (median over single calls), tier by tier and of the whole.

    ``static_rung`` is both static tiers and the gate, to be held against ``minilm``, which is that
    tier alone; ``policy_static`` is all that a text costs which MiniLM is not asked about, with
    cache, signals and the prediction's record. ``minilm.cpu_vs_bare`` is the median ratio of the
    tier (tokeniser, session, head) to the session's run alone, text by text.
    """
    rng = np.random.default_rng(seed)
    texts = [row.text for row in table.test]
    texts = [texts[i] for i in rng.permutation(len(texts))[:TIMED]]
    calls = _static_calls(policy, embedders[STATIC])
    if policy.ladder.minilm is not None:
        calls |= _minilm_calls(policy.ladder.minilm, embedders[MINILM], texts)
    spent = _timed(calls, texts)
    measures = {
        f"{name}.cpu_ms": as_measure(quantile(costs, 0.5), "CPU-ms")
        for name, costs in spent.items()
        if name not in ("bare", "ladder")
    }
    measures["ladder.cpu_ms_mean"] = as_measure(
        bootstrap(spent["ladder"], lambda c: float(c.mean()), rng=rng, resamples=RESAMPLES),
        "CPU-ms",
    )
    measures["minilm.cpu_vs_bare"] = Measure(value=None, unit="times")
    if "bare" in spent:
        ratio = quantile(spent["minilm"] / spent["bare"], 0.5)
        measures["minilm.cpu_vs_bare"] = as_measure(ratio, "times")
    return measures


def _static_calls(policy: TextPolicy, static: Embedder) -> dict[str, Call]:
    rung, alone = policy.ladder.static, policy.without_minilm()

    def inputs(text: str) -> Array:
        row: Array = head_inputs(static.embed([text]), [text])[0]
        return row

    return {
        "static": lambda text: softmax(rung.head.logits(inputs(text))),
        "witness": lambda text: softmax(rung.witness.logits(normalise(text))),
        "static_rung": lambda text: rung.answer(inputs(text), normalise(text)),
        "policy_static": lambda text: alone.predict([ChoiceState(text)]),
        "ladder": lambda text: policy.predict([ChoiceState(text)]),
    }


def _minilm_calls(rung: NextRung, minilm: Embedder, texts: Sequence[str]) -> dict[str, Call]:
    def tier(text: str) -> Array:
        return softmax(rung.head.logits(head_inputs(minilm.embed([text]), [text])[0]))

    calls: dict[str, Call] = {"minilm": tier}
    if isinstance(minilm, MiniLMEmbedder):
        encoded = {text: minilm.encode(text) for text in texts}
        calls["bare"] = lambda text: minilm.run(encoded[text])
    return calls


def _timed(calls: Mapping[str, Call], texts: Sequence[str]) -> dict[str, Floats]:
    """Return ``[len(texts)]`` CPU-ms of this thread by call.

    The calls take turns on blocks of texts: a spell of a busy machine weighs on all alike, and
    yet each finds the caches as a stream of its own kind leaves them.
    """
    spent = {name: np.empty(len(texts)) for name in calls}
    for text in texts[:WARM_UP]:
        for call in calls.values():
            call(text)
    for block in range(0, len(texts), BLOCK):
        for name, call in calls.items():
            for place in range(block, min(block + BLOCK, len(texts))):
                start = time.thread_time()
                call(texts[place])
                spent[name][place] = (time.thread_time() - start) * 1e3
    return spent
