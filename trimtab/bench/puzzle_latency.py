"""What one supervision step costs on ONNX Runtime, beside torch, measured in turns."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np

from trimtab.agents.recursion import Inputs, StepFn
from trimtab.bench.result import Measure
from trimtab.protocols import Array

TIMED = 120
"""Steps that are timed; the first ones, which allocate, are left out."""
_WARM = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class StepTimes:
    """CPU milliseconds of one step of one puzzle.

    Attributes:
        median: on ONNX Runtime.
        p95: on ONNX Runtime.
        torch: the median in torch; None where torch is not installed.
    """

    median: float
    p95: float
    torch: float | None

    def measures(self, name: str) -> dict[str, Measure]:
        """Return the figures under keys that end with a name."""
        ratio = None if self.torch is None else self.median / self.torch
        return {
            f"step_ms.{name}": Measure(value=self.median, unit="CPU ms, median"),
            f"step_ms_p95.{name}": Measure(value=self.p95, unit="CPU ms"),
            f"step_vs_torch.{name}": Measure(value=ratio, unit="share of torch's time"),
        }


@contextmanager
def one_torch_thread() -> Iterator[None]:
    """Run torch on one thread within the block."""
    import torch

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


def step_times(
    served: StepFn, reference: StepFn | None, x: Inputs, carry: tuple[Array, Array]
) -> StepTimes:
    """Return what a step costs; the runtimes take turns, on one thread each.

    Args:
        served: the step on ONNX Runtime.
        reference: the same step in torch, on one thread; None where torch is not installed.
        x: `[1, L]` codes of a puzzle.
        carry: the (y, z), `[D]` each, with which every puzzle begins.
    """
    y, z = (np.tile(part, (1, x.shape[1], 1)).astype(np.float32) for part in carry)
    spent: dict[str, list[float]] = {"served": [], "torch": []}
    for _ in range(TIMED + _WARM):
        for name, step in (("served", served), ("torch", reference)):
            if step is not None:
                started = time.process_time()
                step(x, y, z)
                spent[name].append(1000.0 * (time.process_time() - started))
    ours, theirs = (np.array(spent[name][_WARM:]) for name in ("served", "torch"))
    return StepTimes(
        median=float(np.median(ours)),
        p95=float(np.quantile(ours, 0.95)),
        torch=None if reference is None else float(np.median(theirs)),
    )
