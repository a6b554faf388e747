"""Takes the answers of a leaf function into a forest, or says what is wrong with them.

B is the number of leaves; ``leaves`` are their trees and nodes, `[2, B]`.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from trimtab.protocols import Array
from trimtab.search.compiled import kernel
from trimtab.search.forest import EXPANDED, Ints, back_up, is_legal

Nodes = NDArray[np.void]
VALID = 0
NOT_FINITE = 1
NO_DISTRIBUTION = 2
VALUE_OUT_OF_RANGE = 3
_FAULTS = 4
TOLERANCE = 1e-3


def fault_of(code: int) -> tuple[int, int]:
    """Return fault and row of the first unusable answer from the code of :func:`take_in`."""
    row, fault = divmod(-code, _FAULTS)
    return fault, row


@kernel
def take_in(
    nodes: Nodes, heads: Nodes, leaves: Ints, count: int, priors: Array, values: Array
) -> int:
    """Expand the leaves and back their values up; 0, or a code as :func:`fault_of` reads it."""
    for b in range(count):
        fault = _fault(nodes[leaves[0, b], leaves[1, b]].legal, priors[b], values[b])
        if fault != VALID:
            return -(_FAULTS * b + fault)
    for b in range(count):
        tree, index = nodes[leaves[0, b]], leaves[1, b]
        node = tree[index]
        node.status = EXPANDED
        node.value = values[b]
        for a in range(len(node.priors)):
            if is_legal(node.legal, a):
                node.priors[a] = priors[b, a]
        if index != 0:
            back_up(tree, heads[leaves[0, b]], index, node.value)
    return 0


@kernel
def _fault(legal: np.uint64, priors: Array, value: float) -> int:
    total = 0.0
    for a in range(len(priors)):
        prior = priors[a]
        if not math.isfinite(prior):
            return NOT_FINITE
        if prior < 0.0:
            return NO_DISTRIBUTION
        if is_legal(legal, a):
            total += prior
    if not math.isfinite(value):
        return NOT_FINITE
    if abs(value) > 1.0 + TOLERANCE:
        return VALUE_OUT_OF_RANGE
    return VALID if abs(total - 1.0) <= TOLERANCE else NO_DISTRIBUTION
