"""A small set of labelled requests with embedders that need no weights, for tests of the ladder."""

from __future__ import annotations

import zlib
from collections.abc import Sequence

import numpy as np

from trimtab.datasets.tables import LabelledText
from trimtab.domains.choices import Choices
from trimtab.protocols import Array
from trimtab.training.head_fit import HeadConfig
from trimtab.training.ladder_fit import TextPolicyConfig

LABELS = ("calculate", "refund", "weather")
WORDS = {
    "calculate": [
        "sum",
        "plus",
        "minus",
        "times",
        "divide",
        "number",
        "equals",
        "compute",
        "add",
        "total",
    ],
    "refund": [
        "money",
        "back",
        "return",
        "purchase",
        "broken",
        "refund",
        "order",
        "receipt",
        "paid",
        "seller",
    ],
    "weather": [
        "rain",
        "sun",
        "forecast",
        "wind",
        "tomorrow",
        "cloud",
        "storm",
        "umbrella",
        "cold",
        "degrees",
    ],
}
FILLERS = [
    "please",
    "the",
    "a",
    "can",
    "you",
    "tell",
    "me",
    "my",
    "now",
    "about",
    "i",
    "want",
    "to",
    "know",
]
DOMAIN = Choices(name="requests", labels=LABELS)
QUICK = TextPolicyConfig(
    static_head=HeadConfig(min_steps=60, epochs=1),
    minilm_head=HeadConfig(hidden=16, min_steps=80, epochs=1),
    folds=3,
)


def requests(per_label: int, *, seed: int) -> list[LabelledText]:
    """Return different requests, each with two or three words of its label among fillers."""
    rng = np.random.default_rng(seed)
    rows: dict[str, LabelledText] = {}
    for label in LABELS:
        wanted = len(rows) + per_label
        while len(rows) < wanted:
            words = [
                *rng.choice(WORDS[label], int(rng.integers(1, 4)), replace=False),
                *rng.choice(FILLERS, 4, replace=False),
            ]
            text = " ".join(str(word) for word in rng.permutation(words))
            rows[text] = LabelledText(text, label, "train")
    return list(rows.values())


class WordEmbedder:
    """Hashes words to signs along a few axes; the more axes, the fewer words are confused.

    ``asked`` counts the texts that were embedded.
    """

    def __init__(self, dim: int) -> None:
        self.dim = dim
        self.name = f"words-{dim}"
        self.asked = 0

    def embed(self, texts: Sequence[str]) -> Array:
        self.asked += len(texts)
        rows = np.zeros((len(texts), self.dim), dtype=np.float32)
        for row, text in zip(rows, texts, strict=True):
            for word in text.casefold().split() or [""]:
                place = zlib.crc32(word.encode())
                row[place % self.dim] += 1.0 if place & 1024 else -1.0
            if not row.any():
                row[0] = 1.0
        unit: Array = rows / np.linalg.norm(rows, axis=1, keepdims=True)
        return unit


def embedders() -> dict[str, WordEmbedder]:
    """Return a coarse and a fine embedder under the names that the ladder knows."""
    return {"wordllama": WordEmbedder(24), "minilm": WordEmbedder(96)}
