"""Small real things that tests of several packages share."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from trimtab.models.export import export_minilm
from trimtab.protocols import Array
from trimtab.settings import load_settings


@functools.cache
def minilm_path() -> Path:
    """Return MiniLM's ONNX file, exported where ``trimtab setup text`` has not done so yet."""
    return export_minilm(load_settings().models)


class LetterEmbedder:
    """Counts the letters a to z; a text without any points at the last axis.

    ``asked`` keeps every text that was embedded.
    """

    name = "letters-27"
    dim = 27

    def __init__(self) -> None:
        self.asked: list[str] = []

    def embed(self, texts: Sequence[str]) -> Array:
        self.asked.extend(texts)
        rows = np.zeros((len(texts), self.dim), dtype=np.float32)
        for row, text in enumerate(texts):
            for letter in text.lower():
                if "a" <= letter <= "z":
                    rows[row, ord(letter) - ord("a")] += 1.0
            if not rows[row].any():
                rows[row, -1] = 1.0
        unit: Array = rows / np.linalg.norm(rows, axis=1, keepdims=True)
        return unit
