"""The weights of the text tiers and what they compute: numpy alone, shared by training and serving.

B is the batch, D the width of an input, K the number of labels, F the number of hashed features.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from trimtab.domains.evidence import FEATURES, evidence_features
from trimtab.protocols import Array

HASH_BITS = 18
"""Features fall into 2**18 places; 2**20 scores the same on CLINC150's validation rows."""
MAX_NGRAM = 4
"""Longest character n-gram; 5 adds two thirds more features for .001 of accuracy on CLINC150."""

_WORD = re.compile(r"\w+")
# As arrays: an operation with a scalar of numpy takes twice as long on one text's n-grams.
_PRIME = np.array(0x01000193, dtype=np.uint32)
_GOLDEN = np.array(0x9E3779B1, dtype=np.uint32)
_FOLD = np.array(15, dtype=np.uint32)
_DROP = np.array(32 - HASH_BITS, dtype=np.uint32)
_ORDER_SALT = tuple(np.array(2 * n + 1, dtype=np.uint32) for n in range(MAX_NGRAM + 1))


def softmax(logits: Array, *, temperature: float = 1.0) -> Array:
    """Return probabilities along the last axis of ``[K]`` or ``[B, K]`` logits."""
    # The ufuncs' own reductions: on one text's logits the methods' overhead is half the time.
    probs: Array = logits / np.float32(temperature)
    probs -= np.maximum.reduce(probs, axis=-1, keepdims=True)
    np.exp(probs, out=probs)
    probs /= np.add.reduce(probs, axis=-1, keepdims=True)
    return probs


def head_inputs(vectors: Array, texts: Sequence[str]) -> Array:
    """Return ``[B, D]`` inputs of a head: a text's vector joined by what the parsers found."""
    width = vectors.shape[1]
    inputs = np.empty((len(texts), width + len(FEATURES)), dtype=np.float32)
    inputs[:, :width] = vectors
    for row, text in zip(inputs, texts, strict=True):
        row[width:] = evidence_features(text)
    return inputs


@dataclass(frozen=True, slots=True)
class Head:
    """Dense layers with ReLU between them; ``layers`` holds (weights ``[in, out]``, bias)."""

    layers: tuple[tuple[Array, Array], ...]

    def logits(self, inputs: Array) -> Array:
        """Return ``[K]`` or ``[B, K]`` logits of ``[D]`` or ``[B, D]`` inputs."""
        hidden = inputs
        for weights, bias in self.layers[:-1]:
            hidden = np.maximum(hidden @ weights + bias, 0.0)
        weights, bias = self.layers[-1]
        logits: Array = hidden @ weights + bias
        return logits

    def arrays(self, prefix: str) -> dict[str, Array]:
        """Return the weights by name, for a safetensors file."""
        named: dict[str, Array] = {}
        for index, (weights, bias) in enumerate(self.layers):
            named[f"{prefix}.{index}.weight"] = weights
            named[f"{prefix}.{index}.bias"] = bias
        return named

    @classmethod
    def from_arrays(cls, arrays: dict[str, Array], prefix: str) -> Head:
        """Return the head whose weights :meth:`arrays` named; a missing name is a KeyError."""
        count = sum(name.startswith(f"{prefix}.") and name.endswith(".weight") for name in arrays)
        return cls(
            tuple(
                (arrays[f"{prefix}.{index}.weight"], arrays[f"{prefix}.{index}.bias"])
                for index in range(count)
            )
        )


def feature_ids(key: str) -> NDArray[np.uint32]:
    """Return the hashed word 1-2-grams and character 2-4-grams of a normalised text.

    Character hashes are rolled over all positions at once (code points, so every script counts
    alike); repeated n-grams are repeated. The hash is the same in every process and version.
    """
    points = np.frombuffer(f" {key} ".encode("utf-32-le"), dtype=np.uint32) * _GOLDEN
    rolled = points
    found = []
    for n in range(2, min(MAX_NGRAM, points.size) + 1):
        rolled = rolled[:-1] * _PRIME
        rolled ^= points[n - 1 :]
        found.append(rolled * _ORDER_SALT[n])
    words = np.array([zlib.crc32(w.encode()) for w in _WORD.findall(key)], dtype=np.uint32)
    found += [words, (words[:-1] * _PRIME) ^ words[1:]]
    mixed: NDArray[np.uint32] = np.concatenate(found)
    mixed ^= mixed >> _FOLD
    mixed *= _GOLDEN
    mixed >>= _DROP
    return mixed


class HashedWitness:
    """A linear classifier over hashed n-grams that keeps only the features seen in training.

    A text's counts are divided by the root of their sum, so that no sorting or second pass over
    the features is needed; this scores like L2 normalisation (CLINC150 validation, 100 a label:
    .934 against .932).
    """

    def __init__(self, keys: NDArray[np.uint32], weights: NDArray[np.float16], bias: Array) -> None:
        """Take the weights of a trained classifier.

        Args:
            keys: ``[F]`` feature ids, ascending.
            weights: ``[F, K]`` half precision; computed with in single precision.
            bias: ``[K]``.
        """
        self._keys = keys
        self._stored = weights
        self._bias = bias
        # Unseen features point at one row of zeros, which is cheaper than leaving them out.
        self._place = np.full(1 << HASH_BITS, keys.size, dtype=np.int32)
        self._place[keys] = np.arange(keys.size, dtype=np.int32)
        self._weights = np.zeros((keys.size + 1, bias.size), dtype=np.float32)
        self._weights[:-1] = weights

    @property
    def num_features(self) -> int:
        """Return F."""
        return int(self._keys.size)

    def logits(self, key: str) -> Array:
        """Return ``[K]`` decision values of a normalised text."""
        ids = feature_ids(key)
        logits: Array = np.add.reduce(self._weights.take(self._place.take(ids), axis=0), axis=0)
        logits *= np.float32(ids.size**-0.5)
        logits += self._bias
        return logits

    def arrays(self) -> dict[str, NDArray[np.generic]]:
        """Return the weights by name, for a safetensors file."""
        return {"keys": self._keys, "weights": self._stored, "bias": self._bias}
