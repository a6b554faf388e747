"""The text ladder as numbers: its tiers, their temperatures and gates, and its files.

K is the number of labels, D the width of an input.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load, save

from trimtab.agents.calibration import Gate, gate_features
from trimtab.agents.text_heads import HashedWitness, Head, softmax
from trimtab.domains.evidence import FEATURES
from trimtab.errors import BundleError
from trimtab.protocols import Array

KIND = "text_policy/1"
HEADS_FILE = "heads.safetensors"
WITNESS_FILE = "witness.safetensors"

STATIC = "wordllama"
WITNESS = "witness"
MINILM = "minilm"


@dataclass(frozen=True, slots=True)
class Answer:
    """One rung's answer to one text.

    Attributes:
        label: the label chosen.
        probs: ``[K]`` calibrated probabilities of the tier that chose it.
        confidence: the gate's probability that the label is right.
        margin: the largest of ``probs`` less the next.
        agreement: whether every tier that ran chose the same label.
        others: ``[K]`` probabilities of the static tiers, for the next rung's gate.
    """

    label: int
    probs: Array
    confidence: float
    margin: float
    agreement: bool
    others: tuple[Array, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class StaticRung:
    """Two cheap tiers, of which ``base`` (STATIC or WITNESS) answers; the other is its witness.

    Their probabilities are never averaged: that does not raise accuracy, while their agreement
    tells when the answer is right.
    """

    head: Head
    witness: HashedWitness
    head_temperature: float
    witness_temperature: float
    base: str
    gate: Gate
    skip_at: float

    def tiers(self, inputs: Array, key: str) -> tuple[Array, Array]:
        """Return the ``[K]`` probabilities of the static head and of the hashed witness."""
        return (
            softmax(self.head.logits(inputs), temperature=self.head_temperature),
            softmax(self.witness.logits(key), temperature=self.witness_temperature),
        )

    def answer(self, inputs: Array, key: str) -> Answer:
        """Return the base tier's answer, its confidence told by the other's view of it.

        Args:
            inputs: ``[D]`` as :func:`trimtab.agents.text_heads.head_inputs` makes them.
            key: the normalised text.
        """
        head, witness = self.tiers(inputs, key)
        base, other = (head, witness) if self.base == STATIC else (witness, head)
        label = int(base.argmax())
        features = gate_features(base, label, (other,))
        return Answer(
            label=label,
            probs=base,
            confidence=self.gate.confidence(features),
            margin=features[1],
            agreement=features[-1] == 1.0,
            others=(head, witness),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class NextRung:
    """The tier that is asked where the static rung is not sure; its witnesses are that rung's."""

    head: Head
    temperature: float
    gate: Gate

    def answer(self, inputs: Array, below: Answer) -> Answer:
        """Return this tier's answer to a text that the static rung has answered ``below``."""
        probs = softmax(self.head.logits(inputs), temperature=self.temperature)
        label = int(probs.argmax())
        features = gate_features(probs, label, below.others)
        return Answer(
            label=label,
            probs=probs,
            confidence=self.gate.confidence(features),
            margin=features[1],
            agreement=all(int(p.argmax()) == label for p in below.others),
            others=below.others,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Ladder:
    """The static rung and, where it was trained, the MiniLM rung above it."""

    static: StaticRung
    minilm: NextRung | None

    def files(self) -> dict[str, bytes]:
        """Return the ladder's weights as safetensors files, by name."""
        heads = self.static.head.arrays("static")
        if self.minilm is not None:
            heads |= self.minilm.head.arrays("minilm")
        heads = {name: np.ascontiguousarray(array) for name, array in heads.items()}
        return {HEADS_FILE: save(heads), WITNESS_FILE: save(dict(self.static.witness.arrays()))}

    def spec(self) -> dict[str, Any]:
        """Return all of the ladder but its weights, as plain JSON."""
        static: dict[str, Any] = {
            "base": self.static.base,
            "head_temperature": self.static.head_temperature,
            "witness_temperature": self.static.witness_temperature,
            "gate": _gate_to_json(self.static.gate),
        }
        minilm = self.minilm and {
            "temperature": self.minilm.temperature,
            "gate": _gate_to_json(self.minilm.gate),
        }
        return {"evidence": list(FEATURES), "static": static, "minilm": minilm}

    @classmethod
    def from_files(
        cls, spec: Mapping[str, Any], read: Callable[[str], bytes], *, skip_at: float
    ) -> Ladder:
        """Return the ladder that :meth:`files` and :meth:`spec` wrote.

        Args:
            spec: plain JSON.
            read: returns the bytes of a file.
            skip_at: the static confidence from which MiniLM is not asked.

        Raises:
            BundleError: a part is missing, or the parsers have changed since it was trained.
        """
        try:
            if list(spec["evidence"]) != list(FEATURES):
                raise BundleError(
                    f"the bundle was trained with the parsers {spec['evidence']}, this version "
                    f"has {list(FEATURES)}; train it anew"
                )
            heads, witness = load(read(HEADS_FILE)), load(read(WITNESS_FILE))
            static, minilm = spec["static"], spec["minilm"]
            return cls(
                static=StaticRung(
                    head=Head.from_arrays(heads, "static"),
                    witness=HashedWitness(witness["keys"], witness["weights"], witness["bias"]),
                    head_temperature=static["head_temperature"],
                    witness_temperature=static["witness_temperature"],
                    base=static["base"],
                    gate=_gate_from_json(static["gate"]),
                    skip_at=skip_at,
                ),
                minilm=minilm
                and NextRung(
                    head=Head.from_arrays(heads, "minilm"),
                    temperature=minilm["temperature"],
                    gate=_gate_from_json(minilm["gate"]),
                ),
            )
        except (KeyError, SafetensorError) as error:
            raise BundleError(
                f"the bundle is not a whole text policy ({error!r}); train it anew"
            ) from error


def _gate_to_json(gate: Gate) -> dict[str, Any]:
    return {"weights": list(gate.weights), "bias": gate.bias}


def _gate_from_json(plain: Mapping[str, Any]) -> Gate:
    return Gate(tuple(plain["weights"]), plain["bias"])
