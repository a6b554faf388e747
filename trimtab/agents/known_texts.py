"""The labelled texts that a text policy was trained on, as its bundle keeps them.

N is the number of texts, D the width of an embedding.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load, save

from trimtab.domains.choices import normalise
from trimtab.errors import BundleError
from trimtab.protocols import Array
from trimtab.release.bundle import LoadedBundle

EXAMPLES_FILE = "examples.jsonl"
VECTORS_FILE = "examples.safetensors"


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownTexts:
    """The labelled texts a policy was trained on, with their vectors by embedder (``[N, D]``)."""

    texts: tuple[str, ...]
    labels: tuple[str, ...]
    vectors: Mapping[str, Array]

    def files(self) -> dict[str, bytes]:
        """Return the texts as JSON lines and the vectors in half precision, by file name."""
        rows = zip(self.texts, self.labels, strict=True)
        lines = [json.dumps({"text": t, "label": n}, ensure_ascii=False) + "\n" for t, n in rows]
        halves = {name: array.astype(np.float16) for name, array in self.vectors.items()}
        return {EXAMPLES_FILE: "".join(lines).encode(), VECTORS_FILE: save(halves)}

    @classmethod
    def from_bundle(cls, bundle: LoadedBundle) -> KnownTexts:
        """Return what :meth:`files` wrote; raises ``BundleError`` if it is not that."""
        try:
            # Not splitlines: a text may hold other line ends, which JSON leaves as they are.
            lines = bundle.read(EXAMPLES_FILE).decode().split("\n")
            rows = [json.loads(line) for line in lines if line]
            halves = load(bundle.read(VECTORS_FILE))
            return cls(
                texts=tuple(row["text"] for row in rows),
                labels=tuple(row["label"] for row in rows),
                vectors={name: array.astype(np.float32) for name, array in halves.items()},
            )
        except (ValueError, KeyError, SafetensorError) as error:
            raise BundleError(
                f"the bundle's examples cannot be read ({error!r}); train it anew"
            ) from error

    def cache(self) -> dict[str, str]:
        """Return normalised text -> label; a text with two labels is left to the tiers."""
        found: dict[str, set[str]] = {}
        for text, label in zip(self.texts, self.labels, strict=True):
            found.setdefault(normalise(text), set()).add(label)
        return {key: labels.pop() for key, labels in found.items() if len(labels) == 1}
