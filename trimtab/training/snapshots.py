"""A training run on disk: snapshots, whole or absent and never unpickled, and its curve."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from trimtab.errors import ConfigError

PREFIX = "snapshot-"
CURVE = "curve.jsonl"
_TENSORS = "learner.safetensors"
_ARRAYS = "buffer.safetensors"
_STATE = "state.json"


def save_snapshot(
    folder: Path,
    *,
    number: int,
    tensors: Mapping[str, Tensor],
    arrays: Mapping[str, NDArray[Any]],
    state: Mapping[str, Any],
) -> Path:
    """Write a snapshot into a folder and remove older ones; returns where it lies."""
    from safetensors.numpy import save_file as save_arrays
    from safetensors.torch import save_file as save_tensors

    target = folder / f"{PREFIX}{number:06d}"
    partial = folder / f".{target.name}.partial"
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    # the average may be the player too, and the format refuses shared memory
    save_tensors({name: t.clone() for name, t in tensors.items()}, partial / _TENSORS)
    save_arrays({name: np.ascontiguousarray(a) for name, a in arrays.items()}, partial / _ARRAYS)
    (partial / _STATE).write_text(json.dumps(state) + "\n", encoding="utf-8")
    older = [path for path in _snapshots(folder) if path != target]
    shutil.rmtree(target, ignore_errors=True)
    partial.rename(target)
    for path in older:
        shutil.rmtree(path)
    return target


def latest_snapshot(folder: Path) -> Path | None:
    """Return the newest snapshot of a folder, or None."""
    return max(_snapshots(folder), default=None)


def load_snapshot(
    snapshot: Path,
) -> tuple[dict[str, Tensor], dict[str, NDArray[Any]], dict[str, Any]]:
    """Return tensors, arrays and state of a snapshot.

    Raises:
        ConfigError: a file is missing or damaged.
    """
    from safetensors import SafetensorError
    from safetensors.numpy import load_file as load_arrays
    from safetensors.torch import load_file as load_tensors

    try:
        tensors = load_tensors(snapshot / _TENSORS)
        arrays = load_arrays(snapshot / _ARRAYS)
        state = json.loads((snapshot / _STATE).read_text(encoding="utf-8"))
    except (OSError, SafetensorError, ValueError) as error:
        raise ConfigError(
            f"{snapshot} cannot be resumed from ({error}); remove it, or give another folder"
        ) from error
    return tensors, arrays, state


def add_to_curve(folder: Path, point: Mapping[str, float]) -> None:
    """Append a point to a run's curve."""
    with (folder / CURVE).open("a", encoding="utf-8") as stream:
        stream.write(json.dumps(dict(point)) + "\n")


def read_curve(folder: Path) -> list[dict[str, float]]:
    """Return the points of a run's curve, oldest first; none if it has not begun."""
    file = folder / CURVE
    if not file.exists():
        return []
    return [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]


def cut_curve(folder: Path, *, key: str, last: float) -> None:
    """Drop the points past a snapshot, so that a resumed run writes them anew."""
    kept = [point for point in read_curve(folder) if point[key] <= last]
    lines = "".join(json.dumps(point) + "\n" for point in kept)
    (folder / CURVE).write_text(lines, encoding="utf-8")


def _snapshots(folder: Path) -> list[Path]:
    return sorted(folder.glob(f"{PREFIX}*"))
