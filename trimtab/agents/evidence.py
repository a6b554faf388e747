"""The agent that selects evidence: a recursive net over a question and the passages found for it.

The net sees the frozen embeddings by their geometry: how near each passage is to the question and
to every other one. Their directions it would learn by heart, as there are far fewer papers than
dimensions. Its answer is a distribution over the passages and "none of them"; its halting value
says how sure it is. B is the batch, C the most passages that it sees, L = 1 + C the question and
they, E the inputs of each.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from trimtab.agents.calibration import Gate
from trimtab.agents.recursion import Solved, confidence_features, solve
from trimtab.agents.recursive import GRAPH, open_step
from trimtab.agents.selection import Selection
from trimtab.errors import BundleError, ConfigError
from trimtab.protocols import Array, Embedder
from trimtab.rag.filters import Where
from trimtab.rag.hybrid import DENSE_WEIGHT, fused
from trimtab.rag.passage_index import KeywordIndex, PassageIndex
from trimtab.records import Passage
from trimtab.release.bundle import LoadedBundle

KIND = "evidence-selector/1"
CANDIDATES = 20
"""C: the first so many of what retrieval found are ordered anew."""
WORD_HITS = 100
"""Hits by words among which a passage's BM25 score is looked up, as retrieval does."""
PRESENT, QUESTION, FUSED = 0, 1, 2
"""Inputs that the net itself reads: whether a passage stands here, whether it is the question, and
the fused score below that of the best."""
SCORES = 10
"""Inputs before the cosines to the passages."""
WIDTH = SCORES + CANDIDATES
"""E."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidates:
    """What is known of at most C passages for one question, in the order of retrieval.

    Attributes:
        cosines: `[n]` to the question.
        words: `[n]` BM25 scores; 0 for what words did not find.
        among: `[n, n]` cosines of the passages to each other.
    """

    cosines: Array
    words: Array
    among: Array


def evidence_inputs(found: Candidates) -> Array:
    """Return `[L, E]`: the question, then the passages, zeros where there is none.

    Scores stand relative to the best of their kind, as the sizes of BM25 differ from one corpus to
    the next.
    """
    n = found.cosines.size
    x: Array = np.zeros((1 + CANDIDATES, WIDTH), dtype=np.float32)
    x[0, QUESTION] = 1.0
    if n == 0:
        return x
    names = [str(place) for place in range(n)]
    cosines, words = found.cosines, found.words
    joined = fused(
        dict(zip(names, cosines.tolist(), strict=True)),
        dict(zip(names, words.tolist(), strict=True)),
        weight=DENSE_WEIGHT,
    )
    score = np.array([joined[name] for name in names])
    x[1 : 1 + n, :SCORES] = np.stack(
        [
            np.ones(n),
            np.zeros(n),
            score - score.max(),
            cosines,
            cosines - cosines.max(),
            words / max(float(words.max()), 1e-9),
            np.log1p(words) / 4.0,
            _reciprocal_ranks(cosines),
            _reciprocal_ranks(words) * (words > 0.0),
            score / max(float(score.max()), 1e-9),
        ],
        axis=1,
    )
    x[0, SCORES : SCORES + n] = cosines
    x[1 : 1 + n, SCORES : SCORES + n] = found.among
    return x


def gather(
    question: str,
    names: Sequence[str],
    *,
    index: PassageIndex,
    words: KeywordIndex,
    embedder: Embedder,
    where: Where | None = None,
    namespace: str = "",
) -> tuple[list[str], Candidates]:
    """Return the passages of those ids that the index holds, and what is known of them."""
    vectors = index.vectors_of(names, namespace=namespace)
    kept = [name for name in names if name in vectors]
    hits = words.matching(question, k=WORD_HITS, where=where, namespace=namespace)
    scores = {hit.id: hit.score for hit in hits}
    [asked] = embedder.embed([question])
    rows = np.array([vectors[name] for name in kept]).reshape(len(kept), -1)
    return kept, Candidates(
        cosines=rows @ asked if kept else np.zeros(0, dtype=np.float32),
        words=np.array([scores.get(name, 0.0) for name in kept], dtype=np.float32),
        among=rows @ rows.T,
    )


def confidence_inputs(solved: Solved) -> NDArray[np.float64]:
    """Return `[B, 3]`: halting logit, entropy, and the probability of "none of them"."""
    none = solved.probs[:, 0, :1].astype(np.float64)
    return np.concatenate([confidence_features(solved.q, solved.entropy), none], axis=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """What the net says of one question's passages.

    Attributes:
        relevance: `[n]` probabilities that a passage is the one that answers.
        none: probability that none of them is.
        confidence: probability that the most probable passage is the right one.
        steps: supervision steps run.
    """

    relevance: Array
    none: float
    confidence: float
    steps: int


class EvidenceNet:
    """One supervision step on ONNX Runtime and how it is to be used; thread-safe.

    Args:
        graph: the ONNX graph of one step; its logits are `[B, 1, L]`.
        carry: the (y, z) `[D]` with which every question begins.
        most: steps at most.
        halt_at: the q at which it stops.
        gate: from :func:`confidence_inputs` to the probability of being right.
        embedder: name of the embedder that it was trained with.

    Raises:
        ConfigError: the graph cannot be opened, or is not one supervision step.
    """

    def __init__(
        self,
        graph: bytes,
        *,
        carry: tuple[Array, Array],
        most: int,
        halt_at: float,
        gate: Gate,
        embedder: str,
    ) -> None:
        self._step = open_step(graph)
        self._carry, self._most, self._halt_at = carry, most, halt_at
        self._gate = gate
        self.embedder_name = embedder

    @classmethod
    def from_bundle(cls, bundle: LoadedBundle) -> EvidenceNet:
        """Return the net of a bundle.

        Raises:
            BundleError: the bundle holds no such net, or was altered.
        """
        spec = bundle.spec
        if spec.get("kind") != KIND:
            raise BundleError(
                f"{bundle.folder}: kind={spec.get('kind')!r}, not {KIND!r}; load a bundle that "
                "`trimtab train evidence` wrote"
            )
        try:
            return cls(
                bundle.read(GRAPH),
                carry=(
                    np.array(spec["y_init"], dtype=np.float32),
                    np.array(spec["z_init"], dtype=np.float32),
                ),
                most=spec["most"],
                halt_at=float("inf") if spec["halt_at"] is None else spec["halt_at"],
                gate=Gate(tuple(spec["gate"]["weights"]), spec["gate"]["bias"]),
                embedder=spec["embedder"],
            )
        except (KeyError, TypeError, ConfigError) as error:
            raise BundleError(f"{bundle.folder}: {error}; pack the bundle again") from error

    def judge(self, found: Candidates) -> Judged:
        """Return how probable each of at most C passages is, and how sure the net is."""
        x = evidence_inputs(found)[None]
        solved = solve(self._step, x, self._carry, most=self._most, halt_at=self._halt_at)
        [features] = confidence_inputs(solved)
        probs = solved.probs[0, 0]
        return Judged(
            relevance=probs[1 : 1 + found.cosines.size],
            none=float(probs[0]),
            confidence=self._gate.confidence(features.tolist()),
            steps=int(solved.steps[0]),
        )


class EvidenceSelector:
    """Implements ``Selector`` with the net, over one open index; thread-safe.

    Args:
        net: the net.
        index: holds the vectors of the passages.
        words: finds by words; the embedded index is both.
        embedder: of the index.
        where: filter of retrieval.
        namespace: of the index.

    Raises:
        ConfigError: the net was trained with another embedder than that of the index.
    """

    name = "evidence"

    def __init__(
        self,
        net: EvidenceNet,
        *,
        index: PassageIndex,
        words: KeywordIndex,
        embedder: Embedder,
        where: Where | None = None,
        namespace: str = "",
    ) -> None:
        if net.embedder_name != index.embedder_name:
            raise ConfigError(
                f"the evidence selector was trained with {net.embedder_name!r}, the index holds "
                f"vectors of {index.embedder_name!r}; train it with `trimtab train evidence` and "
                "that embedder"
            )
        self._net = net
        self._index, self._words, self._embedder = index, words, embedder
        self._where, self._namespace = where, namespace

    def select(self, question: str, passages: Sequence[Passage], *, k: int) -> Selection:
        """Return at most k passages: the first C by the net, then the others as they were."""
        by_id = {passage.source_id: passage for passage in passages[:CANDIDATES]}
        names, judged = self.judge(question, list(by_id))
        order = np.argsort(-judged.relevance, kind="stable")
        first = [names[place] for place in order]
        rest = [name for name in by_id if name not in first]
        ordered = [*(by_id[name] for name in (*first, *rest)), *passages[CANDIDATES:]]
        return Selection(passages=tuple(ordered[:k]), confidence=judged.confidence)

    def judge(self, question: str, names: Sequence[str]) -> tuple[list[str], Judged]:
        """Return the ids that the index holds, of the first C, and what the net says of them."""
        kept, found = gather(
            question,
            names[:CANDIDATES],
            index=self._index,
            words=self._words,
            embedder=self._embedder,
            where=self._where,
            namespace=self._namespace,
        )
        return kept, self._net.judge(found)


def _reciprocal_ranks(scores: Array) -> Array:
    reciprocal: Array = np.empty(scores.size, dtype=np.float32)
    reciprocal[np.argsort(-scores, kind="stable")] = 1.0 / (1.0 + np.arange(scores.size))
    return reciprocal
