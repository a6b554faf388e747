"""The text policy: a ladder of small models that answers most requests for microseconds.

exact cache → static rung (wordllama head and hashed n-grams) → MiniLM. B is the batch.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from trimtab.agents.known_texts import KnownTexts
from trimtab.agents.ladder import KIND, MINILM, STATIC, Answer, Ladder
from trimtab.agents.text_heads import head_inputs
from trimtab.domains.choices import Choices, ChoiceState, normalise
from trimtab.errors import BundleError, EmbedderMissing
from trimtab.protocols import Array, Embedder
from trimtab.rag.example_index import ExampleIndex
from trimtab.records import Passage, Prediction, Usage
from trimtab.release.bundle import LoadedBundle

logger = logging.getLogger(__name__)

MAX_KNOWN = 256
"""More known texts of one label than this and ``known_cosine`` is not computed: reading a megabyte
of vectors would push what the rest of a decision needs out of the processor's cache."""


class TextPolicy:
    """The ladder as an agent; implements ``protocols.Agent`` and is safe to use from threads.

    A prediction's ``tier`` is the rung that answered: ``cache`` (the very text was labelled in
    training: confidence 1), ``static`` or ``minilm``. Its signals are ``margin`` and ``entropy``
    (nats) of that rung's probabilities, ``agreement`` (1 if all tiers that ran chose this label),
    ``gate`` (the static rung's confidence, which decides whether MiniLM runs) and, up to
    ``MAX_KNOWN`` known texts a label, ``known_cosine`` (to the nearest of the label that the
    static rung chose).

    Attributes:
        domain: the choices it answers.
        ladder: its weights.
        degraded: the rungs that are missing here although the bundle has them.
    """

    name = "policy"
    reads_context = False

    def __init__(
        self,
        *,
        domain: Choices,
        ladder: Ladder,
        known: KnownTexts,
        embedders: Mapping[str, Embedder],
        usd_per_cpu_s: float,
    ) -> None:
        if STATIC not in embedders:
            raise EmbedderMissing(f"the text policy needs {STATIC!r}; run: trimtab setup text")
        self.domain = domain
        self.ladder = ladder
        self._known = known
        self._static = embedders[STATIC]
        self._next = embedders.get(MINILM)
        self._usd_per_cpu_s = usd_per_cpu_s
        self._cache = {key: domain.index(label) for key, label in known.cache().items()}
        self._vectors_of = _by_label(known, domain)
        self.degraded: tuple[str, ...] = ()
        if ladder.minilm is not None and self._next is None:
            self.degraded = (MINILM,)
            logger.warning(
                "domain %r is degraded: MiniLM is not installed, so the static tiers answer alone; "
                "run: trimtab setup text",
                domain.name,
            )

    @classmethod
    def from_bundle(
        cls, bundle: LoadedBundle, *, embedders: Mapping[str, Embedder], usd_per_cpu_s: float
    ) -> TextPolicy:
        """Return the policy of a bundle.

        Args:
            bundle: as ``TrainedTextPolicy.pack`` wrote it.
            embedders: by ``wordllama`` and ``minilm``; without the latter the policy is degraded.
            usd_per_cpu_s: price of one CPU-second of this machine.

        Raises:
            BundleError: the bundle is of another kind, or was trained with other embedders.
            EmbedderMissing: not even the static embedder is there.
        """
        spec = bundle.spec
        if spec.get("kind") != KIND:
            raise BundleError(
                f"bundle kind {spec.get('kind')!r} is not {KIND!r}; give a text policy's bundle"
            )
        missing = {"accept", "static_accept"} - set(bundle.bundle.thresholds)
        if missing:
            raise BundleError(f"the bundle lacks the thresholds {sorted(missing)}; train it anew")
        for name, trained_with in spec["embedders"].items():
            if name in embedders and embedders[name].name != trained_with:
                raise BundleError(
                    f"the bundle was trained with embedder {trained_with!r}, {name} is "
                    f"{embedders[name].name!r} here; install that one, or train anew"
                )
        return cls(
            domain=Choices.from_json(spec["domain"]),
            ladder=Ladder.from_files(
                spec["ladder"], bundle.read, skip_at=bundle.bundle.thresholds["static_accept"]
            ),
            known=KnownTexts.from_bundle(bundle),
            embedders=embedders,
            usd_per_cpu_s=usd_per_cpu_s,
        )

    def without_minilm(self) -> TextPolicy:
        """Return a policy whose static rung answers everything."""
        return TextPolicy(
            domain=self.domain,
            ladder=replace(self.ladder, minilm=None),
            known=self._known,
            embedders={STATIC: self._static},
            usd_per_cpu_s=self._usd_per_cpu_s,
        )

    def example_index(self) -> ExampleIndex:
        """Return the retriever over the known texts, with the best embedder that is here."""
        if self._next is not None and MINILM in self._known.vectors:
            return self._index(self._next, MINILM)
        return self._index(self._static, STATIC)

    def predict(
        self, states: Sequence[ChoiceState], *, context: Sequence[Sequence[Passage]] = ()
    ) -> list[Prediction]:
        """Return one prediction per state; ``context`` is not read.

        The batch's static work is priced evenly over it, MiniLM's over those that reached it.
        """
        clock = _Clock(self._usd_per_cpu_s)
        keys = [normalise(state.text) for state in states]
        cached = {i: self._cache[key] for i, key in enumerate(keys) if key in self._cache}
        unknown = [i for i in range(len(states)) if i not in cached]
        texts = [states[i].text for i in unknown]
        drafts = self._static_drafts(texts, [keys[i] for i in unknown])
        static_usage = clock.lap(shared_by=len(states))
        unsure = [j for j, draft in enumerate(drafts) if self._asks_next(draft.answer)]
        for j, answer in self._minilm_answers(texts, drafts, unsure).items():
            drafts[j] = replace(drafts[j], tier=MINILM, answer=answer)
        next_usage = clock.lap(shared_by=len(unsure))
        open_drafts = iter(drafts)
        return [
            self._from_cache(cached[i], static_usage)
            if i in cached
            else self._prediction(next(open_drafts), static_usage, next_usage)
            for i in range(len(states))
        ]

    def _static_drafts(self, texts: Sequence[str], keys: Sequence[str]) -> list[_Draft]:
        if not texts:
            return []
        vectors = self._static.embed(texts)
        inputs = head_inputs(vectors, texts)
        drafts = []
        # One row at a time, so that rounding does not depend on the batch.
        for vector, row, key in zip(vectors, inputs, keys, strict=True):
            answer = self.ladder.static.answer(row, key)
            known = self._vectors_of.get(answer.label)
            nearest = None if known is None else float(np.maximum.reduce(known @ vector))
            drafts.append(_Draft("static", answer, answer.confidence, nearest))
        return drafts

    def _asks_next(self, answer: Answer) -> bool:
        available = self.ladder.minilm is not None and self._next is not None
        return available and answer.confidence < self.ladder.static.skip_at

    def _minilm_answers(
        self, texts: Sequence[str], drafts: Sequence[_Draft], unsure: Sequence[int]
    ) -> dict[int, Answer]:
        """Return MiniLM's answers to the unsure ones, by their place among the texts."""
        if not unsure or self._next is None or self.ladder.minilm is None:
            return {}
        asked = [texts[j] for j in unsure]
        inputs = head_inputs(self._next.embed(asked), asked)
        rung = self.ladder.minilm
        return {
            j: rung.answer(row, drafts[j].answer) for j, row in zip(unsure, inputs, strict=True)
        }

    def _from_cache(self, label: int, usage: Usage) -> Prediction:
        certain = [0.0] * self.domain.num_actions
        certain[label] = 1.0
        return Prediction(
            agent=self.name,
            action=label,
            confidence=1.0,
            probs=tuple(certain),
            usage=usage,
            tier="cache",
            signals={"margin": 1.0, "entropy": 0.0, "agreement": 1.0, "gate": 1.0},
        )

    def _prediction(self, draft: _Draft, static_usage: Usage, next_usage: Usage) -> Prediction:
        answer = draft.answer
        signals = {
            "margin": answer.margin,
            "entropy": _entropy(answer.probs),
            "agreement": float(answer.agreement),
            "gate": draft.gate,
        }
        if draft.known_cosine is not None:
            signals["known_cosine"] = draft.known_cosine
        return Prediction(
            agent=self.name,
            action=answer.label,
            confidence=answer.confidence,
            probs=tuple(answer.probs.tolist()),
            usage=static_usage + next_usage if draft.tier == MINILM else static_usage,
            tier=draft.tier,
            signals=signals,
        )

    def _index(self, embedder: Embedder, name: str) -> ExampleIndex:
        return ExampleIndex(
            self._known.texts, self._known.labels, self._known.vectors[name], embedder
        )


@dataclass(frozen=True, slots=True)
class _Draft:
    """A text's answer so far; ``gate`` is the static rung's confidence."""

    tier: str
    answer: Answer
    gate: float
    known_cosine: float | None


class _Clock:
    """Measures laps of this thread's CPU time and of wall time."""

    def __init__(self, usd_per_cpu_s: float) -> None:
        self._usd_per_cpu_s = usd_per_cpu_s
        self._cpu, self._wall = time.thread_time(), time.perf_counter()

    def lap(self, *, shared_by: int) -> Usage:
        """Return the usage since the last lap, divided evenly (none where nobody shares it)."""
        cpu, wall = time.thread_time(), time.perf_counter()
        share = 1.0 / shared_by if shared_by else 0.0
        cpu_s, latency_s = (cpu - self._cpu) * share, (wall - self._wall) * share
        self._cpu, self._wall = cpu, wall
        return Usage(cpu_s=cpu_s, latency_s=latency_s, cost_usd=cpu_s * self._usd_per_cpu_s)


def _by_label(known: KnownTexts, domain: Choices) -> dict[int, Array]:
    """Return the ``[N, D]`` vectors of each label's texts; none where a label has too many."""
    labels = np.array([domain.index(label) for label in known.labels], dtype=np.int64)
    rows = {int(label): np.flatnonzero(labels == label) for label in np.unique(labels)}
    if any(len(found) > MAX_KNOWN for found in rows.values()):
        return {}
    return {label: known.vectors[STATIC][found] for label, found in rows.items()}


def _entropy(probs: Array) -> float:
    present = np.maximum(probs, np.float32(1e-30))
    return max(0.0, -float(probs @ np.log(present)))
