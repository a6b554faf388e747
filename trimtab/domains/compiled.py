"""A game's compiled rules, bundled as ``trimtab.protocols.CompiledGame``."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

import numpy as np

from trimtab.protocols import Array, Words

S = TypeVar("S")


@dataclass(frozen=True, slots=True, kw_only=True)
class GameKernels(Generic[S]):
    """The fields of a compiled game; ``trimtab.protocols.CompiledGame`` states their laws."""

    name: str
    num_actions: int
    words: int
    max_plies: int
    observation_shape: tuple[int, ...]
    legal_mask: Callable[[Words], np.uint64]
    play: Callable[[Words, int, Words], None]
    result: Callable[[Words], float]
    observe: Callable[[Words, Array], None]
    encode: Callable[[S], Words]
    decode: Callable[[Words], S]
